/**
 * The hashes of a set of records, kept sorted in one piece of memory, so that their digest costs one hashing.
 * Relies on hashes of 32 bytes; built when first asked for, then kept up with every change.
 */
import { fromHex } from '../core/bytes.ts';

const hashBytes = 32;

/** A sorted set of hashes. */
export class DigestSet {
  #bytes: Uint8Array;
  #count: number;

  /** @param hashes hexadecimal, each once */
  constructor(hashes: Iterable<string>) {
    const sorted = [...hashes].sort();
    this.#count = sorted.length;
    this.#bytes = new Uint8Array(Math.max(8, sorted.length) * hashBytes);
    for (const [at, hash] of sorted.entries()) this.#bytes.set(fromHex(hash), at * hashBytes);
  }

  /** All hashes, one after the other, in their order. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * hashBytes);
  }

  add(hash: string): void {
    const bytes = fromHex(hash);
    const at = this.#indexOf(bytes) * hashBytes;
    const end = this.#count * hashBytes;
    if (end === this.#bytes.length) {
      const larger = new Uint8Array(end * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.copyWithin(at + hashBytes, at, end);
    this.#bytes.set(bytes, at);
    this.#count += 1;
  }

  /** Takes out a hash that is in the set. */
  delete(hash: string): void {
    const at = this.#indexOf(fromHex(hash)) * hashBytes;
    this.#bytes.copyWithin(at, at + hashBytes, this.#count * hashBytes);
    this.#count -= 1;
  }

  /** How many hashes are lower. */
  #indexOf(hash: Uint8Array): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isLower(middle * hashBytes, hash)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isLower(start: number, hash: Uint8Array): boolean {
    for (let at = 0; at < hashBytes; at++) {
      const difference = this.#bytes[start + at]! - hash[at]!;
      if (difference !== 0) return difference < 0;
    }
    return false;
  }
}
