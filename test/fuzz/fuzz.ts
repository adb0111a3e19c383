/**
 * What the fuzzers share: how long each goes on, and bytes that are nearly right.
 * Relies on a seed, so that what one found can be found again (`ALTHING_SEED`).
 */
import type { TestContext } from 'node:test';
import { randomFrom, seedOf } from '../../src/testing/seed.ts';

/** How long one fuzzer goes on: ALTHING_FUZZ_SECONDS, else a minute in long runs, 5 s in CI, 2 s. */
const seconds = (): number => {
  const given = Number(process.env.ALTHING_FUZZ_SECONDS);
  if (given > 0) return given;
  if (process.env.ALTHING_TEST_LONG) return 60;
  return process.env.CI ? 5 : 2;
};

/** Chance in a fuzzer's hands. */
export interface Chance {
  /** A whole number from 0 to n - 1. */
  pick(n: number): number;
  bytes(maxBytes: number): Uint8Array;
}

/** Calls `round` with ever new chance until the time is over; a failure names the bytes with `describe`. */
export const fuzz = async (
  t: TestContext,
  round: (chance: Chance, note: (input: Uint8Array | string) => void) => void | Promise<void>,
): Promise<void> => {
  const random = randomFrom(seedOf(t));
  const pick = (n: number): number => Math.floor(random() * n);
  const chance: Chance = {
    pick,
    bytes: (max) => Uint8Array.from({ length: pick(max + 1) }, () => pick(256)),
  };
  const until = performance.now() + seconds() * 1000;
  let rounds = 0;
  let input: Uint8Array | string = '';
  while (performance.now() < until) {
    try {
      for (let batch = 0; batch < 50; batch++, rounds++)
        await round(chance, (noted) => {
          input = noted;
        });
    } catch (error) {
      const shown = typeof input === 'string' ? input : Buffer.from(input).toString('hex');
      t.diagnostic(`failed in round ${rounds} with ${shown.slice(0, 20_000)}`);
      throw error;
    }
  }
  t.diagnostic(`${rounds} rounds`);
};

/** Bytes with a few slips: changed, lost, doubled, swapped, cut, or numbers that are just too large. */
export const mutated = (bytes: Uint8Array, { pick, bytes: random }: Chance): Uint8Array => {
  let copy = [...bytes];
  for (let slips = 1 + pick(4); slips > 0 && copy.length > 0; slips--) {
    const at = pick(copy.length);
    const kind = pick(7);
    if (kind === 0) copy[at] = pick(256);
    else if (kind === 1) copy[at]! ^= 1 << pick(8);
    else if (kind === 2) copy.splice(at, 1 + pick(4));
    else if (kind === 3) copy.splice(at, 0, ...random(6));
    else if (kind === 4) copy = copy.slice(0, at);
    else if (kind === 5) copy.splice(at, 0, ...copy.slice(at, at + pick(40)));
    else copy.splice(at, 1, [0x1b, 0x3b, 0x5b, 0x7b, 0x9b, 0xbb, 0xff, 0xf6][pick(8)]!, ...random(8));
  }
  return Uint8Array.from(copy);
};
