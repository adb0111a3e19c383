/**
 * The hybrid logical clock that stamps records: wall time where it advances, a counter where it does not.
 * Relies on a wall clock passed in; values are safe integers `ms * 2048 + counter`.
 */
import { AlthingError } from './errors.ts';

/** A source of wall time in milliseconds since 1970. */
export type WallClock = () => number;

const counterSize = 2048;

/** The wall-clock part of a stamp, in milliseconds since 1970. */
export const stampMs = (stamp: number): number => Math.floor(stamp / counterSize);

/** The smallest stamp of a millisecond. */
export const stampOf = (ms: number): number => Math.floor(ms) * counterSize;

/** A clock that never gives the same stamp twice and never runs behind what it has seen. */
export class HybridClock {
  #last: number;
  readonly #now: WallClock;

  /** @param now wall clock; @param last the greatest stamp persisted so far, 0 on a first start */
  constructor(now: WallClock, last = 0) {
    this.#now = now;
    this.#last = last;
  }

  /** The greatest stamp given or seen so far. */
  get last(): number {
    return this.#last;
  }

  /** A new stamp, greater than every one given or seen. Throws `internal` past the year 2109. */
  next(): number {
    this.#last = Math.max(this.#last + 1, stampOf(this.#now()));
    if (!Number.isSafeInteger(this.#last)) throw new AlthingError('internal', 'The clock is past its range.');
    return this.#last;
  }

  /** Takes in a stamp of another peer, so that what follows it is stamped later. */
  see(stamp: number): void {
    if (stamp > this.#last) this.#last = stamp;
  }
}
