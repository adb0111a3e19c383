/**
 * Deadlines of many waiting things with one timer: requests come by the thousand, timers are dear.
 * Relies on Node's timers; whoever holds it closes it.
 */

/** Something that may run out of time. */
export interface Waiting {
  /** Milliseconds on the clock of `performance.now()`. */
  readonly deadline: number;
}

/** Calls `expire` for each waiting thing when its deadline has passed, a few milliseconds late at most. */
export class Deadlines<T extends Waiting> {
  readonly #waiting: () => Iterable<T>;
  readonly #expire: (one: T) => void;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  /** @param waiting gives what waits at the moment; `expire` must take the thing out of it */
  constructor(waiting: () => Iterable<T>, expire: (one: T) => void) {
    this.#waiting = waiting;
    this.#expire = expire;
  }

  /** Something with this deadline has begun to wait. */
  watch(deadline: number): void {
    if (deadline >= this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, deadline - performance.now() + 1));
    this.#timer.unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #fire(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const one of [...this.#waiting()]) {
      if (one.deadline <= now) this.#expire(one);
      else if (one.deadline < next) next = one.deadline;
    }
    if (next !== Number.POSITIVE_INFINITY) this.watch(next);
  }
}
