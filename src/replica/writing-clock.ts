/**
 * The wall clock that a peer's records are stamped by: its own, or the fabric's where its own is evidently off.
 * Relies on both being passed in; the hybrid clock over it never runs behind what was stamped before.
 */
import type { WallClock } from '../core/clock.ts';

/** A clock that is off by more has lost its battery, or was set wrong. */
const maxOffMs = 60_000;

/** Milliseconds since 1970 for stamping: `now`, and `fabricTimeMs` where they are more than 60 s apart. */
export const writingClock =
  (now: WallClock, fabricTimeMs: WallClock): WallClock =>
  () => {
    const [own, fabric] = [now(), fabricTimeMs()];
    return Math.abs(own - fabric) > maxOffMs ? fabric : own;
  };
