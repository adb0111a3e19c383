/**
 * A home's durable state over SQLite in one worker thread, so that no disk ever holds the event loop.
 * Relies on `state-worker.ts`; what is committed while a transaction is being synced shares the next one.
 */
import { Worker } from 'node:worker_threads';
import { AlthingError, isDiskFailure } from '../core/errors.ts';
import type { StateBatch, StateStore, StoredState } from '../replica/record-store.ts';
import {
  type Packed,
  packBatch,
  type StateChunk,
  type StateReply,
  type StateRequest,
  type WorkerSettings,
} from './state-messages.ts';
import { StoreHealth } from './store-health.ts';

/** How a state store is opened. */
export interface StateStoreOptions {
  /** What the database may grow to; beyond it commits throw `disk-full`. 1 GiB unless told. */
  readonly maxSizeBytes?: number;
  /** Told of every failure and success. */
  readonly health?: StoreHealth;
}

/** The store of a home on disk, which can also be copied whole. */
export interface FileStateStore extends StateStore {
  /**
   * Writes all that is stored, as it stands in this moment, into a new database file. Commits wait meanwhile.
   * Throws `disk-full`, `home-read-only`, `disk-failed`, `store-corrupt`.
   */
  snapshot(path: string): Promise<void>;
}

const defaultMaxSizeBytes = 1024 ** 3;
/** What may wait for the disk at once: a caller that does not await its commits is told, not buffered for ever. */
const maxWaitingBytes = 64 * 1024 * 1024;
/** A disk that failed is tried again this often, also where nobody writes. */
const probeMs = 2000;
/** As large as the largest record: where this fits, so does what peers write. */
const probeBytes = 64 * 1024;
const probeKey = 'probe';

/** Sources and `dist/` differ in the ending only, which the compiler does not rewrite in a string. */
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './state-worker.ts' : './state-worker.js',
  import.meta.url,
);

interface Waiting extends Packed<StateBatch> {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Call {
  readonly resolve: (chunk: StateChunk) => void;
  readonly reject: (error: unknown) => void;
}

class SqliteStateStore implements FileStateStore {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #exited: Promise<void>;
  readonly #health: StoreHealth;
  /** Requests sent and not yet answered; the worker answers in order. Its first message answers none. */
  readonly #calls: Call[] = [];
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #writer: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: AlthingError | undefined;
  #probing: NodeJS.Timeout | undefined;

  constructor(settings: WorkerSettings, health: StoreHealth) {
    this.#path = settings.path;
    this.#health = health;
    this.#worker = new Worker(workerUrl, {
      workerData: settings,
      // Earlier releases of Node 24 announce `node:sqlite` as experimental on stderr.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#worker.on('message', (reply: StateReply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#fail();
        resolve();
      });
    });
  }

  /** Resolves when the database is open and locked. */
  async opened(): Promise<void> {
    await this.#answer();
  }

  async load(): Promise<StoredState> {
    const records: Uint8Array[] = [];
    const local = new Map<string, Uint8Array>();
    for (let done = false; !done; ) {
      const chunk = await this.#request({ op: 'load' });
      // Each into memory of its own: one small view would keep its whole chunk alive.
      for (const raw of chunk.records) records.push(raw.slice());
      for (const [key, value] of chunk.local) local.set(key, value.slice());
      done = chunk.done;
    }
    return { records, local };
  }

  async commit(batch: StateBatch): Promise<void> {
    if (this.#closing) throw new AlthingError('internal', `${this.#path} is closed: nothing can be stored.`);
    const packed = packBatch(batch);
    if (this.#waiting.length > 0 && this.#waitingBytes + packed.buffer.byteLength > maxWaitingBytes)
      throw new AlthingError('too-many', `${this.#path} has 64 MiB waiting for the disk: await some of it.`);
    this.#waitingBytes += packed.buffer.byteLength;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ ...packed, resolve, reject });
      this.#writer ??= this.#write();
    });
  }

  async snapshot(path: string): Promise<void> {
    await this.#request({ op: 'snapshot', path });
  }

  close(): Promise<void> {
    clearTimeout(this.#probing);
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Writes all that waits, one transaction after the other; each takes what came during the one before. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        const batches = group.map(({ message }) => message);
        await this.#request(
          { op: 'commit', batches },
          group.map(({ buffer }) => buffer),
        );
        this.#health.worked();
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#failed(error as AlthingError);
        for (const { reject } of group) reject(error);
      }
    }
    this.#writer = undefined;
  }

  #failed(error: AlthingError): void {
    this.#health.failed(error);
    const { state } = this.#health;
    if (state.ok || state.code === 'store-corrupt' || this.#closing) return;
    this.#probing ??= setTimeout(() => void this.#probe(), probeMs).unref();
  }

  /** Writes and takes back a note. What comes of it is told to the health, as of every commit. */
  async #probe(): Promise<void> {
    this.#probing = undefined;
    try {
      await this.commit({ local: [[probeKey, new Uint8Array(probeBytes)]] });
      await this.commit({ local: [[probeKey, null]] });
    } catch (error) {
      // A commit that fails is told where it fails, and brings the next attempt.
      if (!isDiskFailure(error) && !this.#closing) throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#writer;
    if (!this.#failure) await this.#request({ op: 'close' });
    this.#worker.ref();
    await this.#exited;
  }

  async #request(request: StateRequest, buffers: ArrayBuffer[] = []): Promise<StateChunk> {
    if (this.#failure) throw this.#failure;
    this.#worker.postMessage(request, buffers);
    return this.#answer();
  }

  /** The next answer of the worker, which keeps the process alive until it is there. */
  #answer(): Promise<StateChunk> {
    this.#worker.ref();
    return new Promise((resolve, reject) => this.#calls.push({ resolve, reject }));
  }

  #settle(reply: StateReply): void {
    const call = this.#calls.shift();
    if (this.#calls.length === 0) this.#worker.unref();
    if (reply.ok) call?.resolve(reply.chunk);
    else call?.reject(new AlthingError(reply.code, reply.message));
  }

  /** The worker is gone, by its own error or at the end of its work. */
  #fail(cause?: Error): void {
    this.#failure ??= new AlthingError(
      'internal',
      `The thread that writes ${this.#path} has ended${cause ? `: ${cause.message}` : ''}. Start the peer again.`,
      { cause },
    );
    for (const { reject } of this.#calls.splice(0)) reject(this.#failure);
  }
}

/**
 * Opens the state database of a home, made where there is none, and locks it until `close` or the end of the process.
 * The store copies what `commit` is given before it returns; of batches that share a transaction all fail or none.
 * @param path the database file, in a directory that exists
 * @throws `home-in-use`, `store-newer`, `store-corrupt`, `home-read-only`, `disk-full`, `disk-failed`; `commit` also
 * `too-many` where more than 64 MiB waits for the disk, `internal` after `close`
 */
export const openStateStore = async (
  path: string,
  options: StateStoreOptions = {},
): Promise<FileStateStore> => {
  const { maxSizeBytes = defaultMaxSizeBytes, health = new StoreHealth() } = options;
  const store = new SqliteStateStore({ path, maxSizeBytes }, health);
  await store.opened();
  return store;
};
