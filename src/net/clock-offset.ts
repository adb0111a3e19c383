/**
 * How far another peer's wall clock is from this one's, out of the times that pongs carry.
 * Relies on nothing; the clocks' readings are passed in, so that a step of the own clock is not taken for one of theirs.
 */

/** Round trips looked at: the shortest of the last few has the least room for error. */
const maxSamples = 8;
/** The last millisecond that ECMAScript dates know: what lies beyond is no time. */
const maxTimeMs = 8.64e15;

interface Sample {
  readonly rttMs: number;
  /** Their wall clock less our monotonic clock. */
  readonly differenceMs: number;
}

/** The samples of one session. */
export class ClockOffset {
  #samples: Sample[] = [];

  /**
   * A pong came.
   * @param theirMs the time in it, as it came: anything may be there, and nothing is where the other side tells none
   * @param receivedMs when it came, on the monotonic clock
   */
  add(theirMs: unknown, { rttMs, receivedMs }: { rttMs: number; receivedMs: number }): void {
    if (!Number.isSafeInteger(theirMs) || (theirMs as number) < 0 || (theirMs as number) > maxTimeMs) return;
    const differenceMs = (theirMs as number) + rttMs / 2 - receivedMs;
    this.#samples = [...this.#samples, { rttMs, differenceMs }].slice(-maxSamples);
  }

  /** Their clock less ours, milliseconds; undefined where they have told none yet. */
  at(now: { wallMs: number; monotonicMs: number }): number | undefined {
    const [first, ...others] = this.#samples;
    if (!first) return undefined;
    const best = others.reduce((least, one) => (one.rttMs < least.rttMs ? one : least), first);
    return best.differenceMs + now.monotonicMs - now.wallMs;
  }
}
