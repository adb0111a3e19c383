/**
 * Seeds of randomised tests: a new one each run, printed, and taken from `ALTHING_SEED` to run it again.
 * Relies on the environment and on the test's diagnostics.
 */
import type { TestContext } from 'node:test';

/** A seed for this test, 31 bits; said in the test's output. */
export const seedOf = (t: TestContext): number => {
  const given = process.env.ALTHING_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  t.diagnostic(`ALTHING_SEED=${seed}`);
  return seed;
};

/** Numbers in [0, 1) that follow from the seed (mulberry32): the same ones every time. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};
