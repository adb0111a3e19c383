/**
 * One peer's copy of the fabric's shared state: what it holds, what it may add, what it reads from it.
 * Relies on a durable store, a clock and cryptography passed in; knows nothing of sessions.
 */
import { fromHex } from '../core/bytes.ts';
import { type HybridClock, stampMs } from '../core/clock.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { type Authority, computeAuthority } from '../fabric/authority.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { AuthorLog, type RecordRange, slotOf } from './author-log.ts';
import { mayWrite } from './data-rights.ts';
import {
  comparePositions,
  openRecord,
  type Position,
  type RecordBody,
  type SignedRecord,
  signRecord,
  streamOf,
} from './record.ts';
import type { RecordStream, StateBatch, StateStore } from './record-store.ts';

/** A record to be written by this peer; its position, clock and chain are filled in. */
export interface Draft {
  readonly collection: string;
  readonly key: string;
  /** Control records: the statement without `prev`. */
  readonly value: unknown;
  readonly deleted?: boolean;
}

/** Where one author stands in one stream, and the digest of its live records there. */
export interface VectorEntry extends Position {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly digest: Uint8Array;
}

/** Records of one author as another peer sent them: every live one in (from, to]. */
export interface IncomingRange {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly from: Position;
  readonly to: Position;
  readonly records: readonly Uint8Array[];
}

/**
 * What became of an incoming range: `behind` means that something before it is missing here, `gap` that a control
 * record names a predecessor that is not here; nothing was kept then.
 */
export type ReceiveOutcome = 'applied' | 'known' | 'behind' | 'gap' | 'unauthorised';

/** What changed: the new records, and whether the membership did. */
export interface ReplicaChange {
  readonly records: readonly SignedRecord[];
  readonly membership: boolean;
  /** True where this peer wrote them. */
  readonly own: boolean;
  /** Where the author stood before. */
  readonly from: Position;
}

export interface ReplicaOptions {
  readonly fabric: Fabric;
  readonly signer: Signer;
  readonly crypto: Crypto;
  readonly clock: HybridClock;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  readonly store: StateStore;
  /** The greatest epoch that this peer is known to have opened; the records held may know of a greater one. */
  readonly lastEpoch?: number;
  /** Called before the first record of an epoch is written; resolves when it is kept for good which epoch that is. */
  readonly epochOpened?: (epoch: number) => Promise<void>;
  /** Lets other work go on between pieces of a long one. */
  readonly yieldTurn: () => Promise<void>;
  readonly logger: Logger;
}

/** Stamps further ahead of the wall clock than this do not move our own clock. */
const maxAheadMs = 120_000;
/** Nobody can make us open an epoch beyond this by a mere claim: what is left of the safe integers stays ours. */
const maxClaimedEpoch = 2 ** 52;
/** Signatures checked before others get their turn: about 5 ms. */
const verifyBatch = 32;

const logKey = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;

/** The shared state. All changes go through one queue; `onChange` is called after each became durable. */
export class Replica {
  readonly fabric: Fabric;
  readonly self: PeerId;
  /** Set by the owner; called once a change is durable and visible. */
  onChange: (change: ReplicaChange) => void = () => {};
  readonly #options: ReplicaOptions;
  readonly #logs = new Map<string, AuthorLog>();
  /** Data records by collection, key, author. */
  readonly #index = new Map<string, Map<string, Map<PeerId, SignedRecord>>>();
  readonly #control: SignedRecord[] = [];
  #authority: Authority;
  #epoch: number;
  /** The newest epoch that `epochOpened` has been told of. */
  #keptEpoch = 0;
  #seq: Record<RecordStream, number> = { control: 0, data: 0 };
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param stored raw records as the store gave them; their signatures were checked when they were taken in */
  constructor(stored: readonly Uint8Array[], options: ReplicaOptions) {
    this.#options = options;
    this.fabric = options.fabric;
    this.self = peerIdOf(options.signer.publicKey);
    const records = stored.map((raw) => openRecord(raw, this.fabric.id, options.crypto, { trusted: true }));
    records.sort(comparePositions);
    for (const record of records) this.#keep(record);
    this.#see(records);
    this.#authority = this.#computeAuthority();
    this.#epoch = this.#epochAbove(Math.max(options.now(), options.lastEpoch ?? 0, this.#greatestOwnEpoch()));
  }

  get authority(): Authority {
    return this.#authority;
  }

  /** The record that counts for this key: the greatest (clock, author) among the entitled ones; none if deleted. */
  get(collection: string, key: string): SignedRecord | undefined {
    const slots = this.#index.get(collection)?.get(key);
    return slots && this.#winner(slots);
  }

  /** All records of a collection that count, in no particular order. */
  list(collection: string): SignedRecord[] {
    const found: SignedRecord[] = [];
    for (const slots of this.#index.get(collection)?.values() ?? []) {
      const winner = this.#winner(slots);
      if (winner) found.push(winner);
    }
    return found;
  }

  /** This author's records in these collections that count now, tombstones included: for whoever signs them anew. */
  countingOf(author: PeerId, collections: ReadonlySet<string>): SignedRecord[] {
    const found: SignedRecord[] = [];
    for (const collection of collections)
      for (const slots of this.#index.get(collection)?.values() ?? []) {
        const best = this.#greatest(slots);
        if (best?.authorId === author) found.push(best);
      }
    return found;
  }

  /** Every control record held, for proofs. */
  get control(): readonly SignedRecord[] {
    return this.#control;
  }

  /** Where every author stands here. */
  vector(): VectorEntry[] {
    return [...this.#logs.values()].map((log) => this.#entry(log));
  }

  /** Where one author stands here; the origin where nothing is held. */
  position(stream: RecordStream, author: PeerId): Position {
    return this.#logs.get(logKey(stream, author))?.position ?? { epoch: 0, seq: 0 };
  }

  entry(stream: RecordStream, author: PeerId): VectorEntry | undefined {
    const log = this.#logs.get(logKey(stream, author));
    return log && this.#entry(log);
  }

  /** The author's live records after `from`, about `maxBytes` of them; undefined where there are none. */
  range(stream: RecordStream, author: PeerId, from: Position, maxBytes: number): RecordRange | undefined {
    return this.#logs.get(logKey(stream, author))?.range(from, maxBytes);
  }

  /**
   * Writes records of this peer. `draft` is called when its turn comes, with the state as it is then, and may throw.
   * Resolves once they are durable. Throws the store's codes and `value-too-large`.
   */
  write(draft: () => readonly Draft[]): Promise<SignedRecord[]> {
    return this.#inTurn(async () => {
      const drafts = draft();
      const written: SignedRecord[] = [];
      for (const stream of ['control', 'data'] as const) {
        const mine = drafts.filter((one) => streamOf(one.collection) === stream);
        if (mine.length > 0) written.push(...(await this.#append(stream, mine)));
      }
      return written;
    });
  }

  /**
   * Takes in records of another peer's telling. Throws `record-invalid` where one is malformed, badly signed or not
   * what the range claims, which is the fault of whoever sent it: nothing of the range is kept then. What only an
   * author can have got wrong never throws, since the teller may be innocent.
   * `mend`: the range follows on what this teller told from the beginning, so it may fill holes before our position.
   */
  receive(range: IncomingRange, options: { mend?: boolean } = {}): Promise<ReceiveOutcome> {
    return this.#inTurn(() => this.#receive(range, options.mend ?? false));
  }

  /**
   * Somebody claims to hold a position of our own that we do not: this home may be a restored copy, so open an epoch
   * above. Claims that no honest peer makes are not believed.
   */
  hearOwn(position: Position): void {
    if (position.epoch <= maxClaimedEpoch) this.#openAbove(position.epoch);
  }

  #openAbove(epoch: number): void {
    if (epoch < this.#epoch) return;
    this.#epoch = this.#epochAbove(epoch);
    this.#seq = { control: 0, data: 0 };
  }

  /** Some way above, by chance: two copies of one home that know the same must not open the same epoch. */
  #epochAbove(epoch: number): number {
    const [a, b, c] = this.#options.crypto.randomBytes(3) as unknown as [number, number, number];
    return epoch + 1 + ((a << 16) | (b << 8) | c);
  }

  /** Every live record, raw: what a store holds for this replica. */
  rawRecords(): Uint8Array[] {
    return [...this.#logs.values()].flatMap((log) => log.live.map(({ raw }) => raw));
  }

  /** Takes no more changes; resolves when those under way are done, so that the store can serve another fabric. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => {
      if (this.#closed) throw new AlthingError('cancelled', 'The peer is leaving this fabric or stopping.');
      return work();
    });
    // The queue goes on whatever became of one piece of work; its caller gets the error.
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #append(stream: RecordStream, drafts: readonly Draft[]): Promise<SignedRecord[]> {
    const { signer, crypto, clock, store } = this.#options;
    await this.#keepEpoch();
    const log = this.#log(stream, signer.publicKey);
    const from = log.position;
    let prev = log.last?.hash ?? null;
    let seq = this.#seq[stream];
    const records: SignedRecord[] = [];
    for (const draft of drafts) {
      const body: RecordBody = {
        collection: draft.collection,
        key: draft.key,
        author: signer.publicKey,
        epoch: this.#epoch,
        seq: ++seq,
        hlc: clock.next(),
        deleted: draft.deleted ?? false,
        value:
          stream === 'control' ? { ...(draft.value as object), prev: prev && fromHex(prev) } : draft.value,
      };
      const record = openRecord(signRecord(body, this.fabric.id, signer), this.fabric.id, crypto, {
        trusted: true,
      });
      prev = record.hash;
      records.push(record);
    }
    await store.commit(this.#batch(records, log));
    this.#seq[stream] = seq;
    this.#apply(records, { own: true, from });
    return records;
  }

  /** Another epoch may be opened meanwhile: that one is kept as well, before anything is written in it. */
  async #keepEpoch(): Promise<void> {
    while (this.#keptEpoch !== this.#epoch) {
      const epoch = this.#epoch;
      await this.#options.epochOpened?.(epoch);
      this.#keptEpoch = epoch;
    }
  }

  async #receive(range: IncomingRange, mend: boolean): Promise<ReceiveOutcome> {
    const author = peerIdOf(range.author);
    const role = this.#authority.members.get(author)?.role;
    if (role === undefined || role === 'guest') return 'unauthorised';
    const log = this.#log(range.stream, range.author);
    const from = log.position;
    if (!mend && comparePositions(from, range.to) >= 0) return 'known';
    if (!mend && comparePositions(from, range.from) < 0) return 'behind';

    const records = await this.#open(range, log, mend);
    if (!records) return 'gap';
    if (records.length === 0) return 'known';
    await this.#options.store.commit(this.#batch(records, log));
    this.#see(records);
    if (author === this.self) this.#openAbove(range.to.epoch);
    this.#apply(records, { own: false, from });
    return 'applied';
  }

  /** Moves the clock past these records: always past our own, past others' only where they are believable. */
  #see(records: readonly SignedRecord[]): void {
    const { clock, now } = this.#options;
    const latest = now() + maxAheadMs;
    for (const { hlc, authorId } of records)
      if (authorId === this.self || stampMs(hlc) <= latest) clock.see(hlc);
  }

  /** Verifies an incoming range; gives the records that are new here, undefined where one's predecessor is missing. */
  async #open(range: IncomingRange, log: AuthorLog, mend: boolean): Promise<SignedRecord[] | undefined> {
    const opened = await this.#verify(range);
    const records: SignedRecord[] = [];
    const hashes = new Set<string>();
    for (const record of opened) {
      // Of two bodies for one position each peer keeps the one that it had.
      if (comparePositions(record, log.position) <= 0 && (!mend || log.at(record))) continue;
      if (record.stream === 'control') {
        // Not the last one only: a peer restored from a backup goes on from what it still has.
        if (record.prev !== null && !log.has(record.prev) && !hashes.has(record.prev)) return undefined;
        hashes.add(record.hash);
      } else {
        const slot = log.inSlot(record);
        if (slot && comparePositions(slot, record) > 0) continue;
      }
      records.push(record);
    }
    return records;
  }

  /** Opens all records of a range and checks that they are what it claims. */
  async #verify(range: IncomingRange): Promise<SignedRecord[]> {
    const records: SignedRecord[] = [];
    let last: Position = range.from;
    for (const [at, raw] of range.records.entries()) {
      if (at % verifyBatch === verifyBatch - 1) await this.#options.yieldTurn();
      const record = openRecord(raw, this.fabric.id, this.#options.crypto);
      const refuse = (why: string): never => {
        throw new AlthingError(
          'record-invalid',
          `The ${record.collection} record "${record.key}" by ${record.authorId} was refused: ${why}.`,
        );
      };
      if (record.authorId !== peerIdOf(range.author) || record.stream !== range.stream)
        refuse('it is not of the author and stream that it was sent as');
      if (comparePositions(record, last) <= 0 || comparePositions(record, range.to) > 0)
        refuse('it stands outside the range that it was sent in');
      last = record;
      records.push(record);
    }
    if (comparePositions(last, range.to) !== 0)
      throw new AlthingError('record-invalid', 'A range of records did not reach the position it claimed.');
    return records;
  }

  /** What the store must do for these to be added: of each slot only the newest stays. */
  #batch(records: readonly SignedRecord[], log: AuthorLog): StateBatch {
    const slots = new Map<string, SignedRecord>();
    const put = new Set<SignedRecord>();
    const remove: SignedRecord[] = [];
    for (const record of records) {
      put.add(record);
      if (record.stream === 'control') continue;
      const slot = slotOf(record);
      const before = slots.get(slot) ?? log.inSlot(record);
      slots.set(slot, record);
      if (before && !put.delete(before)) remove.push(before);
    }
    return { put: [...put], remove };
  }

  #apply(records: readonly SignedRecord[], how: { own: boolean; from: Position }): void {
    for (const record of records) this.#keep(record);
    const membership = records.some((record) => record.stream === 'control');
    if (membership) this.#authority = this.#computeAuthority();
    this.onChange({ records, membership, ...how });
  }

  #keep(record: SignedRecord): void {
    this.#log(record.stream, record.author).insert(record);
    if (record.stream === 'control') {
      this.#control.push(record);
      return;
    }
    const keys = this.#index.get(record.collection) ?? new Map<string, Map<PeerId, SignedRecord>>();
    this.#index.set(record.collection, keys);
    const slots = keys.get(record.key) ?? new Map<PeerId, SignedRecord>();
    keys.set(record.key, slots.set(record.authorId, record));
  }

  #winner(slots: Map<PeerId, SignedRecord>): SignedRecord | undefined {
    const best = this.#greatest(slots);
    return best?.deleted ? undefined : best;
  }

  #greatest(slots: Map<PeerId, SignedRecord>): SignedRecord | undefined {
    let best: SignedRecord | undefined;
    for (const record of slots.values()) {
      if (best && (record.hlc - best.hlc || (record.authorId > best.authorId ? 1 : -1)) < 0) continue;
      if (mayWrite(record, this.#authority)) best = record;
    }
    return best;
  }

  #log(stream: RecordStream, author: Uint8Array): AuthorLog {
    const key = logKey(stream, peerIdOf(author));
    let log = this.#logs.get(key);
    if (!log) {
      log = new AuthorLog(stream, author);
      this.#logs.set(key, log);
    }
    return log;
  }

  #entry(log: AuthorLog): VectorEntry {
    const { epoch, seq } = log.position;
    return { stream: log.stream, author: log.author, epoch, seq, digest: log.digest(this.#options.crypto) };
  }

  #computeAuthority(): Authority {
    return computeAuthority(this.fabric, this.#control, this.#options.crypto);
  }

  #greatestOwnEpoch(): number {
    return Math.max(this.position('control', this.self).epoch, this.position('data', this.self).epoch);
  }
}
