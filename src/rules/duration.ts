/**
 * Durations as people write them (`90s`, `5m`, `1h30m`, `2d`), as milliseconds and back.
 * Relies on nothing.
 */
/** Milliseconds of each unit. */
export const durationUnits = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** What a duration looks like; the JSON Schema for editors shows it too. */
export const durationPattern = '^-?(\\d+(\\.\\d+)?(ms|d|h|m|s))+$';
const whole = new RegExp(durationPattern);

/** Milliseconds of `1h30m`, `-15m`, `500ms`; undefined where it is no duration. A bare number is none: of what? */
export const parseDuration = (text: string): number | undefined => {
  if (text.length > 40 || !whole.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|d|h|m|s)/g))
    ms += Number(amount) * durationUnits[unit as keyof typeof durationUnits];
  return Math.round(text.startsWith('-') ? -ms : ms);
};

/** The shortest way to write so many milliseconds: `1h30m`, `0s`. */
export const formatDuration = (ms: number): string => {
  if (ms === 0) return '0s';
  let rest = Math.abs(ms);
  let text = ms < 0 ? '-' : '';
  for (const [unit, size] of Object.entries(durationUnits)) {
    const count = Math.floor(rest / size);
    if (count === 0) continue;
    text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
};
