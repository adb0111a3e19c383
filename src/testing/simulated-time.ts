/**
 * Simulated time: one line of events for a whole fabric, and the wall clock that each of its peers takes it for.
 * Relies on nothing but the event loop between events, so that a seeded run is the same every time.
 */

interface Event {
  readonly at: number;
  readonly number: number;
  callback: (() => void) | undefined;
}

/** Lets every promise that can go on do so; nothing in a simulation waits for anything but promises and its events. */
const promisesRest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** True time, and what is to happen when. Events of one moment happen in the order in which they were asked for. */
export class SimulatedTime {
  #nowMs: number;
  #count = 0;
  /** A binary heap: each event is no later than the two below it. */
  readonly #heap: Event[] = [];

  /** @param nowMs where it begins, milliseconds since 1970 */
  constructor(nowMs = 1_800_000_000_000) {
    this.#nowMs = nowMs;
  }

  /** Milliseconds since 1970, with fractions; can be passed on without its object. */
  readonly now = (): number => this.#nowMs;

  /** Calls back once after `delayMs` unless the returned function was called before. */
  readonly schedule = (delayMs: number, callback: () => void): (() => void) => {
    const event: Event = { at: this.#nowMs + Math.max(0, delayMs), number: this.#count++, callback };
    this.#push(event);
    return () => {
      event.callback = undefined;
    };
  };

  /** Lives through the next `ms`; after each event all that follows from it without delay is done. */
  async run(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await promisesRest();
    for (let first = this.#heap[0]; first && first.at <= until; first = this.#heap[0]) {
      this.#pop();
      if (!first.callback) continue;
      this.#nowMs = first.at;
      first.callback();
      await promisesRest();
    }
    this.#nowMs = until;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = at * 2 + 1;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (below >= heap.length || !isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.number < b.number);

/** One device's wall clock: wrong by an offset, and running too fast or slow. */
export class DeviceClock {
  readonly #time: SimulatedTime;
  readonly #since: number;
  offsetMs: number;
  readonly #driftPpm: number;

  /** @param driftPpm millionths by which it runs too fast */
  constructor(time: SimulatedTime, options: { offsetMs?: number; driftPpm?: number } = {}) {
    this.#time = time;
    this.#since = time.now();
    this.offsetMs = options.offsetMs ?? 0;
    this.#driftPpm = options.driftPpm ?? 0;
  }

  /** Milliseconds since 1970, as this device believes; can be passed on without its object. */
  readonly now = (): number => {
    const true_ = this.#time.now();
    return Math.floor(true_ + this.offsetMs + ((true_ - this.#since) * this.#driftPpm) / 1e6);
  };
}
