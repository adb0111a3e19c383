/**
 * What the fabric's time is, and that liars do not move it.
 * Relies on laws with fast-check (ALTHING_SEED repeats them).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { FabricClock, type FabricClockOptions } from './fabric-clock.ts';

const now = 1_800_000_000_000;
const dayMs = 86_400_000;

const clockOf = (offsets: readonly number[], options: Partial<FabricClockOptions> = {}): FabricClock =>
  new FabricClock({
    now: () => now,
    synchronised: () => false,
    genesisMs: now - 30 * dayMs,
    keptMs: 0,
    offsets: () => offsets,
    ...options,
  });

/** A peer whose clock began anew in 1970. */
const lost: Partial<FabricClockOptions> = { now: () => 5000 };

test('alone, a peer goes by its own clock', () => {
  assert.equal(clockOf([]).timeMs(), now);
  assert.ok(clockOf([]).timeKnown());
});

test('the median counts; of an even number the middle one that is nearer to the own clock', () => {
  assert.equal(clockOf([90_000, 100_000]).offsetMs, 90_000);
  assert.equal(clockOf([100_000]).offsetMs, 0);
  assert.equal(clockOf([-50, 70_000, 80_000]).offsetMs, 0);
  assert.equal(clockOf([60_000, 70_000, 80_000]).offsetMs, 60_000);
  assert.equal(clockOf([-60_000, -70_000, -80_000]).offsetMs, -60_000);
});

test('a clock that the network keeps right decides alone', () => {
  assert.equal(clockOf([90_000, 100_000, 110_000], { synchronised: () => true }).timeMs(), now);
});

test('a clock before the genesis, or a day behind what the peer has seen, has no vote, synchronised or not', () => {
  const synchronised = (): boolean => true;
  for (const wrong of [lost, { keptMs: now + dayMs + 1 }, { genesisMs: now + 120_001 }]) {
    assert.equal(clockOf([500], { ...wrong, synchronised }).offsetMs, 500);
    assert.ok(clockOf([500], wrong).ownIsWrong);
  }
  assert.ok(!clockOf([], { keptMs: now + dayMs }).ownIsWrong, 'just within a day');
  assert.ok(!clockOf([], { genesisMs: now + 1000 }).ownIsWrong, 'a founder whose clock is a second ahead');
});

test('where the own clock is wrong and nobody has told another the time is not known, and never before what is', () => {
  const clock = clockOf([], { ...lost, keptMs: now - 7 });
  assert.ok(!clock.timeKnown());
  assert.equal(clock.timeMs(), now - 7);
});

test('fewer liars than honest clocks never move the time beyond these, the own clock counted among them', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -30_000, max: 30_000 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.integer({ min: -8e15, max: 8e15 }), { maxLength: 40 }),
      fc.boolean(),
      (others, lies, ownIsLost) => {
        const honest = ownIsLost ? others : [0, ...others];
        const liars = lies.slice(0, honest.length - 1);
        const { offsetMs } = clockOf([...others, ...liars], ownIsLost ? lost : {});
        assert.ok(offsetMs !== undefined);
        assert.ok(offsetMs >= Math.min(...honest) && offsetMs <= Math.max(...honest));
      },
    ),
    { seed: seedOf(t) },
  );
});

test('as many liars as honest clocks do not move the time of a peer whose own clock is right', () => {
  for (const lies of [[dayMs], [-dayMs]]) assert.equal(clockOf(lies).offsetMs, 0);
  assert.equal(clockOf([10, dayMs, dayMs]).offsetMs, 10);
});
