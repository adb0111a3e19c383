/**
 * A state store in memory whose disk outlives it, so that tests can restart, crash and restore from backups.
 * Relies on the store's contract (`state-store-contract.ts`), which it keeps as SQLite does.
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import type {
  RecordPosition,
  StateBatch,
  StateStore,
  StoredRecord,
  StoredState,
} from '../replica/record-store.ts';

/** Names a place for a record: at one position several may stand, counted from 0. */
const placeKey = ({ stream, author, epoch, seq }: RecordPosition, at: number): string =>
  `${stream}/${toHex(author)}/${epoch}/${seq}/${at}`;

/** What survives a process: the durable records and notes. */
export class MemoryDisk {
  readonly records = new Map<string, Uint8Array>();
  readonly local = new Map<string, Uint8Array>();
  /** Whether a store is open on it. */
  inUse = false;
  /** Commits that became durable. */
  commits = 0;

  /** A copy as a backup makes it. */
  image(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [key, raw] of this.records) copy.records.set(key, raw);
    for (const [key, value] of this.local) copy.local.set(key, value);
    return copy;
  }

  /** Makes one batch durable. */
  apply(batch: StateBatch): void {
    if (batch.clearRecords) this.records.clear();
    for (const position of batch.remove ?? [])
      for (let at = 0; this.records.delete(placeKey(position, at)); at++);
    for (const record of batch.put ?? []) this.#put(record);
    for (const [key, value] of batch.local ?? []) {
      if (value === null) this.local.delete(key);
      else this.local.set(key, value);
    }
    this.commits += 1;
  }

  #put(record: StoredRecord): void {
    for (let at = 0; ; at++) {
      const key = placeKey(record, at);
      const known = this.records.get(key);
      if (known && !equalBytes(known, record.raw)) continue;
      this.records.set(key, record.raw);
      return;
    }
  }
}

interface Waiting {
  readonly batch: StateBatch;
  readonly resolve: () => void;
  readonly reject: (error: AlthingError) => void;
}

/** A store on a disk in memory. `close` or `crash` lets another one open the same disk. */
export class MemoryStateStore implements StateStore {
  readonly #disk: MemoryDisk;
  readonly #byHand: boolean;
  #waiting: Waiting[] = [];
  #open = true;

  /**
   * @param options `byHand`: commits wait until `sync` is called, and are lost by `crash`
   * @throws `home-in-use` where a store is open on this disk
   */
  constructor(disk: MemoryDisk = new MemoryDisk(), options: { byHand?: boolean } = {}) {
    if (disk.inUse) throw new AlthingError('home-in-use', 'Another store is open on this disk.');
    disk.inUse = true;
    this.#disk = disk;
    this.#byHand = options.byHand ?? false;
  }

  /** Commits that are not yet durable. */
  get waiting(): number {
    return this.#waiting.length;
  }

  async load(): Promise<StoredState> {
    this.#checkOpen();
    const copies = new Map([...this.#disk.local].map(([key, value]) => [key, value.slice()] as const));
    return { records: [...this.#disk.records.values()].map((raw) => raw.slice()), local: copies };
  }

  async commit(batch: StateBatch): Promise<void> {
    this.#checkOpen();
    const kept = copyOf(batch);
    if (!this.#byHand) {
      this.#disk.apply(kept);
      return;
    }
    await new Promise<void>((resolve, reject) => this.#waiting.push({ batch: kept, resolve, reject }));
  }

  /** What waits becomes durable. */
  sync(): void {
    for (const { batch, resolve } of this.#waiting.splice(0)) {
      this.#disk.apply(batch);
      resolve();
    }
  }

  /** What waits fails with this error and is not stored; later commits are tried anew. */
  failWaiting(error: AlthingError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** The power goes: what waits is lost but for the first `written`, which are on disk; no caller ever hears of it. */
  crash(written = 0): void {
    for (const { batch } of this.#waiting.slice(0, written)) this.#disk.apply(batch);
    this.#waiting = [];
    this.#leave();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.sync();
    this.#leave();
  }

  #leave(): void {
    if (this.#open) this.#disk.inUse = false;
    this.#open = false;
  }

  #checkOpen(): void {
    if (!this.#open) throw new AlthingError('internal', 'The store is closed: nothing can be stored.');
  }
}

const copyOf = (batch: StateBatch): StateBatch => ({
  clearRecords: batch.clearRecords ?? false,
  remove: (batch.remove ?? []).map((position) => ({ ...position, author: position.author.slice() })),
  put: (batch.put ?? []).map((record) => ({
    ...record,
    author: record.author.slice(),
    raw: record.raw.slice(),
  })),
  local: (batch.local ?? []).map(([key, value]) => [key, value?.slice() ?? null] as const),
});
