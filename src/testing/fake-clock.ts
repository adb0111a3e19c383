/**
 * Time in a test's hands: a wall clock that stands still until it is moved, and timers that fire only then.
 * Relies on nothing, so that a seeded run is the same every time.
 */

interface Timer {
  at: number;
  readonly number: number;
  readonly callback: () => void;
}

/** Wall time and timers that only `advance` moves. */
export class FakeClock {
  #nowMs: number;
  #count = 0;
  readonly #timers = new Set<Timer>();

  /** @param nowMs where it begins, milliseconds since 1970 */
  constructor(nowMs = 1_800_000_000_000) {
    this.#nowMs = nowMs;
  }

  /** Milliseconds since 1970; can be passed on without its object. */
  readonly now = (): number => this.#nowMs;

  /** Calls back once after `delayMs` unless the returned function was called before. */
  readonly schedule = (delayMs: number, callback: () => void): (() => void) => {
    const timer: Timer = { at: this.#nowMs + Math.max(0, delayMs), number: this.#count++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer fires; undefined where there is none. */
  get dueMs(): number | undefined {
    let dueMs: number | undefined;
    for (const { at } of this.#timers) if (dueMs === undefined || at < dueMs) dueMs = at;
    return dueMs;
  }

  /** Moves on, firing what comes due in its order; timers that these set fire too where they are due. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (let next = this.#dueBy(until); next; next = this.#dueBy(until)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.callback();
    }
    this.#nowMs = until;
  }

  /** Sets the wall clock as an operator or a bad battery does, also backwards. Timers keep their distance. */
  set(nowMs: number): void {
    const moved = nowMs - this.#nowMs;
    for (const timer of this.#timers) timer.at += moved;
    this.#nowMs = nowMs;
  }

  #dueBy(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (!first || timer.at < first.at || (timer.at === first.at && timer.number < first.number))
        first = timer;
    }
    return first;
  }
}
