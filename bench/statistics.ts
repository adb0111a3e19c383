/**
 * What the benches say about a list of measurements: middle, tail and spread.
 * Relies on numbers alone; outliers are kept, because a device's user meets them too.
 */

/** The value below which `share` (0 to 1) of the values lie; NaN for none. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

/** The middle value; NaN for none. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The middle value of several rounds, and between what lay the middle half of them. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Middle and quartiles of several rounds. */
export const spreadOf = (values: readonly number[]): Spread => ({
  median: median(values),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75),
});

/** `12.3 (11.9 to 12.8)`, with as many decimals as asked for. */
export const showSpread = ({ median: middle, low, high }: Spread, decimals = 1): string =>
  `${middle.toFixed(decimals)} (${low.toFixed(decimals)} to ${high.toFixed(decimals)})`;
