/**
 * One author's live records in one stream, in the order of their positions, with their digest.
 * Relies on its caller for every check; it only keeps order and finds ranges.
 */
import type { Crypto } from '../core/crypto.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { DigestSet } from './digest-set.ts';
import { comparePositions, origin, type Position, type SignedRecord } from './record.ts';
import type { RecordStream, StateBatch } from './record-store.ts';

/** Every live record of the author in (from, to], oldest first. */
export interface RecordRange {
  readonly from: Position;
  readonly to: Position;
  readonly records: readonly SignedRecord[];
}

/**
 * Most records that are kept of one position: fewer than one message of hashes names, so that none of those kept is out of
 * anybody's reach.
 */
export const maxTwins = 1024;

/** Names the slot of a data record within its author's stream. */
export const slotOf = (record: SignedRecord): string => `${record.collection}\0${record.key}`;

/** By position, and by hash where an author has signed several records for one. */
export const compareRecords = (a: SignedRecord, b: SignedRecord): number =>
  comparePositions(a, b) || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);

/** The live records of one author in one stream. */
export class AuthorLog {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly authorId: PeerId;
  #live: SignedRecord[] = [];
  readonly #slots = new Map<string, SignedRecord>();
  readonly #byHash = new Map<string, SignedRecord>();
  #sizeBytes = 0;
  #hasTwins = false;
  /** Kept up from the first record on: thousands at once would take long. */
  #hashes: DigestSet | undefined = new DigestSet();
  #digest: Uint8Array | undefined;

  constructor(stream: RecordStream, author: Uint8Array) {
    this.stream = stream;
    this.author = author;
    this.authorId = peerIdOf(author);
  }

  /** Where the author stands: the position of its newest record. */
  get position(): Position {
    return this.#live.at(-1) ?? origin;
  }

  get last(): SignedRecord | undefined {
    return this.#live.at(-1);
  }

  get live(): readonly SignedRecord[] {
    return this.#live;
  }

  /** All live records together. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether several records may stand at one position here. */
  get hasTwins(): boolean {
    return this.#hasTwins;
  }

  /** The live record in the slot that `record` would take; control records share no slots. */
  inSlot(record: SignedRecord): SignedRecord | undefined {
    return record.stream === 'control' ? undefined : this.#slots.get(slotOf(record));
  }

  /** The live record with this hash. */
  named(hash: string): SignedRecord | undefined {
    return this.#byHash.get(hash);
  }

  /** The live records at this very position: several where more than one was signed for it and they count. */
  at(position: Position): readonly SignedRecord[] {
    return this.#live.slice(this.#from(position), this.#after(position));
  }

  /** Adds a record in its place and takes out the older one whose slot it takes. */
  insert(record: SignedRecord): void {
    const replaced = this.inSlot(record);
    if (replaced) {
      this.#live.splice(this.#after(replaced) - 1, 1);
      this.#forget(replaced);
    }
    const end = this.#after(record);
    let place = end;
    for (; place > 0 && compareRecords(this.#live[place - 1]!, record) > 0; place--);
    if (place < end || (place > 0 && comparePositions(this.#live[place - 1]!, record) === 0))
      this.#hasTwins = true;
    this.#live.splice(place, 0, record);
    this.#byHash.set(record.hash, record);
    this.#sizeBytes += record.raw.length;
    this.#hashes?.add(record.hash);
    this.#digest = undefined;
    if (record.stream === 'data') this.#slots.set(slotOf(record), record);
  }

  /** The live records from this position on, itself included. */
  since(position: Position): readonly SignedRecord[] {
    return this.#live.slice(this.#from(position));
  }

  /** Takes these live records out. */
  drop(records: Iterable<SignedRecord>): void {
    const dropped = new Set(records);
    this.#hashes = undefined;
    this.#live = this.#live.filter((record) => !dropped.has(record));
    for (const record of dropped) {
      this.#forget(record);
      if (this.inSlot(record) === record) this.#slots.delete(slotOf(record));
    }
  }

  /**
   * The live records after `from`, at least one if there is any, up to about `maxBytes`: with all of the last position,
   * save where more stands at a single one.
   */
  range(from: Position, maxBytes: number): RecordRange | undefined {
    const start = this.#after(from);
    let end = start;
    for (let size = 0; end < this.#live.length; end++) {
      size += this.#live[end]!.raw.length;
      if (size > maxBytes && end > start) break;
    }
    return rangeOf(from, this.#live.slice(start, this.#whole(start, end)));
  }

  /** About the next `count` live records after `from`, in the same way. */
  next(from: Position, count: number): RecordRange | undefined {
    const start = this.#after(from);
    const end = Math.min(start + count, this.#live.length);
    return rangeOf(from, this.#live.slice(start, this.#whole(start, end)));
  }

  /** The greatest end up to `end` that leaves nothing of its last position out; `end` where there is none. */
  #whole(start: number, end: number): number {
    const next = this.#live[end];
    if (!next) return end;
    const first = this.#from(next);
    return first > start ? first : end;
  }

  /** What the store must do for these to be added: of each slot only the newest stays. */
  batch(records: readonly SignedRecord[]): StateBatch {
    const slots = new Map<string, SignedRecord>();
    const put = new Set<SignedRecord>();
    const remove: SignedRecord[] = [];
    for (const record of records) {
      put.add(record);
      if (record.stream === 'control') continue;
      const slot = slotOf(record);
      const before = slots.get(slot) ?? this.inSlot(record);
      slots.set(slot, record);
      if (before && !put.delete(before)) remove.push(before);
    }
    return { put: [...put], remove };
  }

  /** The digest that this log would have if it ended at a position. */
  digestUpTo(position: Position, crypto: Crypto): Uint8Array {
    const hashes = this.#live.slice(0, this.#after(position)).map(({ hash }) => hash);
    return crypto.sha256(new DigestSet(hashes).bytes);
  }

  /** SHA-256 over the sorted hashes of the live records: equal digests at equal positions mean equal sets. */
  digest(crypto: Crypto): Uint8Array {
    this.#hashes ??= new DigestSet(this.#byHash.keys());
    this.#digest ??= crypto.sha256(this.#hashes.bytes);
    return this.#digest;
  }

  #forget(record: SignedRecord): void {
    this.#byHash.delete(record.hash);
    this.#sizeBytes -= record.raw.length;
    this.#hashes?.delete(record.hash);
    this.#digest = undefined;
  }

  /** Index of the first live record after a position. */
  #after(position: Position): number {
    return this.#first((record) => comparePositions(record, position) > 0);
  }

  /** Index of the first live record at or after a position. */
  #from(position: Position): number {
    return this.#first((record) => comparePositions(record, position) >= 0);
  }

  /** Index of the first live record of which this is true, as it is of all after it. */
  #first(isPast: (record: SignedRecord) => boolean): number {
    let low = 0;
    let high = this.#live.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isPast(this.#live[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const rangeOf = (from: Position, records: readonly SignedRecord[]): RecordRange | undefined => {
  const last = records.at(-1);
  return last && { from, to: { epoch: last.epoch, seq: last.seq }, records };
};
