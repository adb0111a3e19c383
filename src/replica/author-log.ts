/**
 * One author's live records in one stream, in the order of their positions, with their digest.
 * Relies on its caller for every check; it only keeps order and finds ranges.
 */
import { fromHex } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import { comparePositions, origin, type Position, type SignedRecord } from './record.ts';
import type { RecordStream } from './record-store.ts';

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
  readonly #live: SignedRecord[] = [];
  readonly #slots = new Map<string, SignedRecord>();
  readonly #hashes = new Set<string>();
  #digest: Uint8Array | undefined;

  constructor(stream: RecordStream, author: Uint8Array) {
    this.stream = stream;
    this.author = author;
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

  /** The live record in the slot that `record` would take; control records share no slots. */
  inSlot(record: SignedRecord): SignedRecord | undefined {
    return record.stream === 'control' ? undefined : this.#slots.get(slotOf(record));
  }

  /** Whether the record with this hash is live. */
  has(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** The live record at this very position. */
  at(position: Position): SignedRecord | undefined {
    const found = this.#live[this.#after(position) - 1];
    return found && comparePositions(found, position) === 0 ? found : undefined;
  }

  /** Adds a record in its place and takes out the older one whose slot it takes. */
  insert(record: SignedRecord): void {
    this.#digest = undefined;
    const replaced = this.inSlot(record);
    if (replaced) {
      this.#live.splice(this.#after(replaced) - 1, 1);
      this.#hashes.delete(replaced.hash);
    }
    this.#live.splice(this.#after(record), 0, record);
    this.#hashes.add(record.hash);
    if (record.stream === 'data') this.#slots.set(slotOf(record), record);
  }

  /** The live records after `from`, at least one if there is any, up to about `maxBytes`. */
  range(from: Position, maxBytes: number): RecordRange | undefined {
    const start = this.#after(from);
    let end = start;
    for (let size = 0; end < this.#live.length; end++) {
      size += this.#live[end]!.raw.length;
      if (size > maxBytes && end > start) break;
    }
    const records = this.#live.slice(start, end);
    const last = records.at(-1);
    return last && { from, to: { epoch: last.epoch, seq: last.seq }, records };
  }

  /** SHA-256 over the sorted hashes of the live records: equal digests at equal positions mean equal sets. */
  digest(crypto: Crypto): Uint8Array {
    if (!this.#digest) {
      const hashes = this.#live.map((record) => record.hash).sort();
      this.#digest = crypto.sha256(fromHex(hashes.join('')));
    }
    return this.#digest;
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
