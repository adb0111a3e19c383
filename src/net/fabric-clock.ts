/**
 * The fabric's time: the middle of the clocks of the members in session, so that no single liar moves it.
 * Relies on offsets that sessions estimate and on what its owner knows of the own clock; reads no clock itself.
 */

/** A right clock may be this far behind the genesis: founders' clocks are not exact either. */
const genesisSlackMs = 120_000;
/** A clock further than this behind what this peer has seen itself has lost its battery. */
const lostMs = 86_400_000;

export interface FabricClockOptions {
  /** The own wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Whether the own clock is kept right by the network: then it alone decides. */
  readonly synchronised: () => boolean;
  /** When the fabric was made. */
  readonly genesisMs: number;
  /** The latest time that this peer had kept when it started; 0 where none. */
  readonly keptMs: number;
  /** The other clocks less the own one: of each member in session one, guests and visitors left out. */
  readonly offsets: () => readonly number[];
  /** Whether the fabric has one other member that is no guest, so that there is no third clock to ask. */
  readonly isPair: () => boolean;
}

/** What one peer takes for the time. */
export class FabricClock {
  readonly #options: FabricClockOptions;

  constructor(options: FabricClockOptions) {
    this.#options = options;
  }

  /** Whether the own clock cannot be right: it is before the fabric was made, or has lost a day or more. */
  get ownIsWrong(): boolean {
    const { now, genesisMs, keptMs } = this.#options;
    return now() < genesisMs - genesisSlackMs || now() < keptMs - lostMs;
  }

  /** The fabric's time less the own clock, milliseconds; undefined where the own clock is wrong and nobody told another. */
  get offsetMs(): number | undefined {
    const { now, genesisMs, synchronised, offsets, isPair } = this.#options;
    // Nobody was a member before there was the fabric: a clock that says so is wrong, and has no vote.
    const others = offsets().filter((offsetMs) => now() + offsetMs >= genesisMs - genesisSlackMs);
    if (this.ownIsWrong) return middle(others);
    if (synchronised()) return 0;
    return others.length === 1 && isPair() ? later(others[0]!) : middle([0, ...others]);
  }

  /** False where nothing is known of the time: what begins or ends at some time is not decided by this clock then. */
  timeKnown(): boolean {
    return this.offsetMs !== undefined;
  }

  /** The fabric's time, milliseconds since 1970; where it is not known, the latest that the own clock or memory has. */
  timeMs(): number {
    const { now, genesisMs, keptMs } = this.#options;
    const { offsetMs } = this;
    return offsetMs === undefined ? Math.max(genesisMs, keptMs) : Math.round(now() + offsetMs);
  }
}

/**
 * Of two clocks with no third to ask, the one that has stood still is behind. Not more than a day: what a liar does by
 * it then wears off by itself, and never makes the own clock count as wrong against what was kept.
 */
const later = (offsetMs: number): number => (offsetMs < lostMs ? Math.max(0, offsetMs) : 0);

/** The median; of the two middle ones of an even number the one nearer to the own clock. */
const middle = (offsets: readonly number[]): number | undefined => {
  const sorted = [...offsets].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  if (upper === undefined || sorted.length % 2 === 1) return upper;
  const lower = sorted[(sorted.length >> 1) - 1]!;
  return Math.abs(lower) <= Math.abs(upper) ? lower : upper;
};
