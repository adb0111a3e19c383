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

/** Names the slot of a data record within its author's stream. */
export const slotOf = (record: SignedRecord): string => `${record.collection}\0${record.key}`;

/** The live records of one author in one stream. */
export class AuthorLog {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly authorId: PeerId;
  #live: SignedRecord[] = [];
  readonly #slots = new Map<string, SignedRecord>();
  readonly #byHash = new Map<string, SignedRecord>();
  #sizeBytes = 0;
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

  /** The live record in the slot that `record` would take; control records share no slots. */
  inSlot(record: SignedRecord): SignedRecord | undefined {
    return record.stream === 'control' ? undefined : this.#slots.get(slotOf(record));
  }

  /** The live record with this hash. */
  named(hash: string): SignedRecord | undefined {
    return this.#byHash.get(hash);
  }

  /** The live record at this very position. */
  at(position: Position): SignedRecord | undefined {
    const found = this.#live[this.#after(position) - 1];
    return found && comparePositions(found, position) === 0 ? found : undefined;
  }

  /** Adds a record in its place and takes out the older one whose slot it takes. */
  insert(record: SignedRecord): void {
    const replaced = this.inSlot(record);
    if (replaced) {
      this.#live.splice(this.#after(replaced) - 1, 1);
      this.#forget(replaced);
    }
    this.#live.splice(this.#after(record), 0, record);
    this.#byHash.set(record.hash, record);
    this.#sizeBytes += record.raw.length;
    this.#hashes?.add(record.hash);
    this.#digest = undefined;
    if (record.stream === 'data') this.#slots.set(slotOf(record), record);
  }

  /** The live records from this position on, itself included. */
  since(position: Position): readonly SignedRecord[] {
    const last = this.#live[this.#after(position) - 1];
    const includesIt = last !== undefined && comparePositions(last, position) === 0;
    return this.#live.slice(this.#after(position) - (includesIt ? 1 : 0));
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

  /** The live records after `from`, at least one if there is any, up to about `maxBytes`. */
  range(from: Position, maxBytes: number): RecordRange | undefined {
    const start = this.#after(from);
    let end = start;
    for (let size = 0; end < this.#live.length; end++) {
      size += this.#live[end]!.raw.length;
      if (size > maxBytes && end > start) break;
    }
    return rangeOf(from, this.#live.slice(start, end));
  }

  /** The next `count` live records after `from`. */
  next(from: Position, count: number): RecordRange | undefined {
    const start = this.#after(from);
    return rangeOf(from, this.#live.slice(start, start + count));
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
    let low = 0;
    let high = this.#live.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePositions(this.#live[middle]!, position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const rangeOf = (from: Position, records: readonly SignedRecord[]): RecordRange | undefined => {
  const last = records.at(-1);
  return last && { from, to: { epoch: last.epoch, seq: last.seq }, records };
};
