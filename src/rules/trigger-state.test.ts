/** The promise that a property trigger fires once for one crossing, also over restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import type { PropertyTrigger } from './rule.ts';
import {
  newTriggerState,
  restoredTriggerState,
  type TriggerState,
  triggerDue,
  triggerSees,
} from './trigger-state.ts';

const trigger = (test: Partial<PropertyTrigger>): PropertyTrigger => ({ thing: 'urn:x', name: 'p', ...test });

/** Feeds `[time, value]` and lets due checks happen on time; gives the times of the firings. */
const play = (
  rule: PropertyTrigger,
  values: readonly (readonly [number, unknown])[],
  endMs: number,
  restartAt?: number,
): number[] => {
  let state: TriggerState = newTriggerState();
  let check: number | undefined;
  const fired: number[] = [];
  const take = ({ state: next, actions }: ReturnType<typeof triggerSees>): void => {
    state = next;
    for (const action of actions) {
      if (action.type === 'fire') fired.push(action.atMs);
      check = action.type === 'check' ? action.atMs : undefined;
    }
  };
  const until = (ms: number): void => {
    while (check !== undefined && check <= ms) {
      const at = check;
      check = undefined;
      take(triggerDue(state, at));
    }
  };
  for (const [at, value] of values) {
    if (restartAt !== undefined && at >= restartAt) {
      check = undefined;
      state = restoredTriggerState(structuredClone(state));
      restartAt = undefined;
    }
    until(at - 1);
    take(triggerSees(rule, state, value, at));
  }
  until(endMs);
  return fired;
};

test('becomes fires on the crossing, not on the first sight and not on repetition', () => {
  const values = [
    [0, true],
    [1, true],
    [2, false],
    [3, true],
    [4, true],
    [5, false],
    [6, true],
  ] as const;
  assert.deepEqual(play(trigger({ becomes: true }), values, 100), [3, 6]);
});

test('changes fires on every new value, objects compared by what they hold', () => {
  const values = [
    [0, { a: 1, b: 2 }],
    [1, { b: 2, a: 1 }],
    [2, { a: 2, b: 2 }],
    [3, 5],
  ] as const;
  assert.deepEqual(play(trigger({ changes: true }), values, 100), [2, 3]);
});

test('a threshold with hysteresis fires again only after the value went far enough back', () => {
  const values = [
    [0, 20],
    [1, 26],
    [2, 24.8],
    [3, 25.5],
    [4, 24],
    [5, 26],
  ] as const;
  assert.deepEqual(play(trigger({ above: 25, hysteresis: 0.5 }), values, 100), [1, 5]);
  assert.deepEqual(play(trigger({ above: 25 }), values, 100), [1, 3, 5]);
  assert.deepEqual(
    play(
      trigger({ below: 22, hysteresis: 2 }),
      [
        [0, 30],
        [1, 21],
        [2, 23],
        [3, 21],
        [4, 25],
        [5, 21],
      ],
      9,
    ),
    [1, 5],
  );
});

test('a value that must hold fires once when it has, and not when it was broken off', () => {
  const rule = trigger({ becomes: true, forMs: 10 });
  assert.deepEqual(
    play(
      rule,
      [
        [0, false],
        [1, true],
        [5, true],
        [30, true],
      ],
      100,
    ),
    [11],
  );
  assert.deepEqual(
    play(
      rule,
      [
        [0, false],
        [1, true],
        [5, false],
        [8, true],
      ],
      100,
    ),
    [18],
  );
  assert.deepEqual(play(rule, [[0, true]], 100), [10], 'what holds at first sight counts from then on');
  assert.deepEqual(
    play(
      trigger({ changes: true, forMs: 10 }),
      [
        [0, 1],
        [1, 2],
        [5, 3],
      ],
      100,
    ),
    [15],
  );
});

test('a restart keeps what was waited for, fires late where it was due meanwhile, and not where it no longer holds', () => {
  const rule = trigger({ becomes: true, forMs: 10 });
  assert.deepEqual(
    play(
      rule,
      [
        [0, false],
        [1, true],
        [6, true],
      ],
      100,
      6,
    ),
    [11],
  );
  assert.deepEqual(
    play(
      rule,
      [
        [0, false],
        [1, true],
        [60, true],
      ],
      100,
      10,
    ),
    [11],
  );
  assert.deepEqual(
    play(
      rule,
      [
        [0, false],
        [1, true],
        [6, false],
      ],
      100,
      6,
    ),
    [],
  );
});

test('between two firings the value always left what the trigger asks for', (t) => {
  const value = fc.double({ min: 20, max: 30, noNaN: true });
  const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), value), { maxLength: 40 });
  fc.assert(
    fc.property(
      gaps,
      fc.integer({ min: 0, max: 15 }),
      fc.integer({ min: 0, max: 300 }),
      (steps, forMs, restart) => {
        let at = 0;
        const values = steps.map(([gap, level]) => {
          at += gap;
          return [at, level] as const;
        });
        const fired = play(trigger({ above: 25, hysteresis: 1, forMs }), values, at + 100, restart);
        for (const [index, time] of fired.entries()) {
          const before = index === 0 ? -1 : fired[index - 1]!;
          if (index > 0)
            assert.ok(values.some(([ms, level]) => ms > before - forMs && ms <= time - forMs && level <= 24));
          assert.ok(
            !values.some(([ms, level]) => ms > time - forMs && ms < time && level <= 24),
            'it held all the time',
          );
        }
      },
    ),
    { seed: seedOf(t), numRuns: 300 },
  );
});
