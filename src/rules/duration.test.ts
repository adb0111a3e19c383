/** The promise that durations read as people mean them, and back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { formatDuration, parseDuration } from './duration.ts';

test('durations read as people mean them, and nothing else reads as one', () => {
  const readings: Record<string, number | undefined> = {
    ...{
      '90s': 90_000,
      '5m': 300_000,
      '1h30m': 5_400_000,
      '2d': 172_800_000,
      '500ms': 500,
      '-15m': -900_000,
    },
    ...{
      '1.5h': 5_400_000,
      '0s': 0,
      '5': undefined,
      m: undefined,
      '5 m': undefined,
      '5w': undefined,
      '': undefined,
    },
  };
  for (const [text, ms] of Object.entries(readings)) assert.equal(parseDuration(text), ms, text);
});

test('what is written reads back as the same', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
    { seed: seedOf(t) },
  );
});
