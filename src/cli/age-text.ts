/**
 * How long ago something was, as people say it.
 * Relies on nothing.
 */

const units = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const;

/** `3 min ago`: rounded down to the greatest unit that it fills, seconds at least. */
export const ageText = (ageMs: number): string => {
  for (const [ms, unit] of units) if (ageMs >= ms) return `${Math.floor(ageMs / ms)} ${unit} ago`;
  return `${Math.floor(ageMs / 1000)} s ago`;
};
