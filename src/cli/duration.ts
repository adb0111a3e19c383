/**
 * Durations as people write them on the command line: `90s`, `30m`, `12h`, `1d`, `2w`.
 * Relies on the units of rules' durations; here a week is one, too, and nothing is negative or broken.
 */
import { AlthingError } from '../core/errors.ts';
import { durationUnits } from '../rules/duration.ts';

const unitsMs: Readonly<Record<string, number>> = { ...durationUnits, w: 7 * durationUnits.d };

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
