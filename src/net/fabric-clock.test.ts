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
    isPair: () => false,
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

test('in a fabric of two the later clock counts at both, since the one that has stood still is behind', () => {
  const isPair = (): boolean => true;
  const hourMs = 3_600_000;
  assert.equal(clockOf([9 * hourMs], { isPair }).offsetMs, 9 * hourMs, 'the one that was off for a night');
  assert.equal(clockOf([-9 * hourMs], { isPair }).offsetMs, 0, 'the one that was not');
  assert.equal(clockOf([9 * hourMs], { isPair, synchronised: () => true }).offsetMs, 0);
});

test('in a fabric of two a liar moves the time by less than a day, however often, and leaves the own clock its vote', () => {
  const isPair = (): boolean => true;
  assert.equal(clockOf([dayMs], { isPair }).offsetMs, 0);
  assert.equal(clockOf([8e15], { isPair }).offsetMs, 0);
  const moved = clockOf([dayMs - 1], { isPair }).timeMs();
  assert.equal(moved, now + dayMs - 1);
  const later = clockOf([dayMs - 1], { isPair, keptMs: moved });
  assert.ok(!later.ownIsWrong, 'what was kept of the lie does not silence the own clock');
  assert.equal(later.timeMs(), moved, 'nor is the lie built upon');
});

test('of more than two members the only one in session does not move the time: it may be a liar', () => {
  assert.equal(clockOf([9 * 3_600_000]).offsetMs, 0);
});

test('a clock that the network keeps right decides alone', () => {
  assert.equal(clockOf([90_000, 100_000, 110_000], { synchronised: () => true }).timeMs(), now);
});

test('a clock before the genesis, or a day behind what the peer has seen, has no vote, synchronised or not', () => {
  const synchronised = (): boolean => true;
  for (const wrong of [lost, { keptMs: now + dayMs + 1 }, { genesisMs: now + 120_001 }]) {
    const right = now + dayMs - (wrong.now?.() ?? now);
    assert.equal(clockOf([right], { ...wrong, synchronised }).offsetMs, right);
    assert.ok(clockOf([right], wrong).ownIsWrong);
  }
  assert.ok(!clockOf([], { keptMs: now + dayMs }).ownIsWrong, 'just within a day');
  assert.ok(!clockOf([], { genesisMs: now + 1000 }).ownIsWrong, 'a founder whose clock is a second ahead');
});

test('a member whose clock is before the genesis has no vote either', () => {
  const early = -31 * dayMs;
  assert.equal(clockOf([early, early, 70_000]).offsetMs, 0);
  assert.equal(clockOf([early, early, early]).offsetMs, 0);
  assert.ok(!clockOf([500], lost).timeKnown(), 'two that began anew in 1970 do not know the time');
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
        const own = ownIsLost ? 5000 : now;
        const told = [...others, ...liars].map((offsetMs) => offsetMs + now - own);
        const { offsetMs } = clockOf(told, ownIsLost ? lost : {});
        assert.ok(offsetMs !== undefined);
        const movedMs = offsetMs - (now - own);
        assert.ok(movedMs >= Math.min(...honest) && movedMs <= Math.max(...honest));
      },
    ),
    { seed: seedOf(t) },
  );
});

test('as many liars as honest clocks do not move the time of a peer whose own clock is right', () => {
  for (const lies of [[dayMs], [-dayMs]]) assert.equal(clockOf(lies).offsetMs, 0);
  assert.equal(clockOf([10, dayMs, dayMs]).offsetMs, 10);
});
