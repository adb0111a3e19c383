import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { HybridClock, stampMs, stampOf } from './clock.ts';

const ms = fc.nat(2 ** 42 - 1);

test('whatever the wall clock does, stamps only grow, past all that were given or seen', (t) => {
  const step = fc.oneof(
    fc.record({ wall: ms }),
    fc.record({ see: fc.nat(2 ** 52) }),
    fc.constant({ next: true as const }),
  );
  fc.assert(
    fc.property(ms, fc.nat(2 ** 50), fc.array(step, { maxLength: 60 }), (start, persisted, steps) => {
      let wall = start;
      const clock = new HybridClock(() => wall, persisted);
      let greatest = persisted;
      for (const one of steps) {
        if ('wall' in one) wall = one.wall;
        else if ('see' in one) {
          clock.see(one.see);
          greatest = Math.max(greatest, one.see);
        } else {
          const stamp = clock.next();
          assert.ok(stamp > greatest);
          assert.ok(stampMs(stamp) >= wall);
          greatest = stamp;
        }
        assert.equal(clock.last, greatest);
      }
    }),
    { seed: seedOf(t) },
  );
});

test('while the wall clock is ahead, a stamp says its millisecond', () => {
  let wall = 5000;
  const clock = new HybridClock(() => wall);
  assert.equal(stampMs(clock.next()), 5000);
  assert.equal(stampMs(clock.next()), 5000);
  wall = 5001.7;
  assert.equal(clock.next(), stampOf(5001));
});

test('a clock that was restored goes on after what was persisted', () => {
  const clock = new HybridClock(() => 10, stampOf(9_000_000));
  assert.equal(clock.next(), stampOf(9_000_000) + 1);
});

test('past its range the clock fails instead of repeating itself', () => {
  const clock = new HybridClock(() => 0, Number.MAX_SAFE_INTEGER);
  assert.throws(() => clock.next(), { code: 'internal' });
  assert.throws(() => clock.next(), { code: 'internal' });
});
