/**
 * The hashes of a set of records, kept sorted in one piece of memory, so that their digest costs one hashing.
 * Relies on hashes of 32 bytes; new ones wait for a few others, since making room among tens of thousands costs.
 */
import { fromHex } from '../core/bytes.ts';

const hashBytes = 32;
/** New hashes that are sorted in together. */
const maxFresh = 256;

/** A sorted set of hashes. */
export class DigestSet {
  #bytes = new Uint8Array(8 * hashBytes);
  #count = 0;
  /** Those that have no place among the sorted ones yet. */
  #fresh: Uint8Array[] = [];

  /** @param hashes hexadecimal, each once */
  constructor(hashes: Iterable<string> = []) {
    for (const hash of hashes) this.add(hash);
  }

  /** All hashes, one after the other, in their order. */
  get bytes(): Uint8Array {
    this.#sortIn();
    return this.#bytes.subarray(0, this.#count * hashBytes);
  }

  /** Adds a hash that is not in the set. */
  add(hash: string): void {
    this.#fresh.push(fromHex(hash));
    if (this.#fresh.length >= maxFresh) this.#sortIn();
  }

  /** Takes out a hash that is in the set. */
  delete(hash: string): void {
    this.#sortIn();
    const at = this.#lowerThan(fromHex(hash), this.#count) * hashBytes;
    this.#bytes.copyWithin(at, at + hashBytes, this.#count * hashBytes);
    this.#count -= 1;
  }

  /** Moves what is sorted apart from its end on, once for all new ones. */
  #sortIn(): void {
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh.sort((a, b) => compare(a, b));
    this.#fresh = [];
    const size = (this.#count + fresh.length) * hashBytes;
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(size * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    let end = this.#count;
    for (let before = fresh.length - 1; before >= 0; before--) {
      const hash = fresh[before]!;
      const at = this.#lowerThan(hash, end);
      this.#bytes.copyWithin((at + before + 1) * hashBytes, at * hashBytes, end * hashBytes);
      this.#bytes.set(hash, (at + before) * hashBytes);
      end = at;
    }
    this.#count += fresh.length;
  }

  /** How many of the first `end` sorted hashes are lower. */
  #lowerThan(hash: Uint8Array, end: number): number {
    let low = 0;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#bytes, hash, middle * hashBytes) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Compares the hash that begins at `start` in `a` with `b`. */
const compare = (a: Uint8Array, b: Uint8Array, start = 0): number => {
  for (let at = 0; at < hashBytes; at++) {
    const difference = a[start + at]! - b[at]!;
    if (difference !== 0) return difference;
  }
  return 0;
};
