/**
 * Durations as people write them on the command line: `90s`, `30m`, `12h`, `1d`, `2w`.
 * Relies on nothing but the error class.
 */
import { AlthingError } from '../core/errors.ts';

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A duration in milliseconds. Throws `bad-option` naming `option`. */
export const parseDurationMs = (text: string, option: string): number => {
  const match = /^(\d{1,6})(s|m|h|d|w)$/.exec(text);
  const durationMs = match ? Number(match[1]) * unitsMs[match[2]!]! : 0;
  if (durationMs === 0)
    throw new AlthingError(
      'bad-option',
      `${option} takes a duration such as 90s, 30m, 12h or 1d, not "${text}".`,
    );
  return durationMs;
};
