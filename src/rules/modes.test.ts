/** The promise that firings of one rule get along as its mode says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { newModeState, ruleFires, runEnds } from './modes.ts';
import type { RuleMode } from './rule.ts';

/** What a second and a third firing lead to while the first runs. */
const second = (mode: RuleMode, max?: number): string[] => {
  let state = newModeState();
  const said: string[] = [];
  for (const firing of ['a', 'b', 'c']) {
    const step = ruleFires({ mode, ...(max !== undefined && { max }) }, state, firing);
    state = step.state;
    said.push(
      ...step.actions.map(
        (action) => `${action.type} ${action.firing}${action.type === 'refuse' ? ` ${action.reason}` : ''}`,
      ),
    );
  }
  const end = runEnds(state, state.running[0]!);
  return [...said, ...end.actions.map((action) => `then ${action.type} ${action.firing}`)];
};

test('single refuses, restart replaces, queued waits, parallel runs beside, each within its bound', () => {
  assert.deepEqual(second('single'), ['start a', 'refuse b busy', 'refuse c busy']);
  assert.deepEqual(second('restart'), ['start a', 'cancel a', 'start b', 'cancel b', 'start c']);
  assert.deepEqual(second('queued'), ['start a', 'wait b', 'wait c', 'then start b']);
  assert.deepEqual(second('queued', 1), ['start a', 'wait b', 'refuse c full', 'then start b']);
  assert.deepEqual(second('parallel'), ['start a', 'start b', 'start c']);
  assert.deepEqual(second('parallel', 2), ['start a', 'start b', 'refuse c full']);
});

test('the same firing never starts twice at once', () => {
  const { state } = ruleFires({ mode: 'parallel' }, newModeState(), 'a');
  assert.deepEqual(ruleFires({ mode: 'parallel' }, state, 'a').actions, [
    { type: 'refuse', firing: 'a', reason: 'known' },
  ]);
});

test('for any firings and ends: every firing starts once or is refused, queued ones in their order', (t) => {
  const mode = fc.constantFrom<RuleMode>('single', 'restart', 'queued', 'parallel');
  fc.assert(
    fc.property(
      mode,
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.boolean(), { maxLength: 60 }),
      (kind, max, moves) => {
        let state = newModeState();
        const started: string[] = [];
        let count = 0;
        for (const fires of moves) {
          const step =
            fires || state.running.length === 0
              ? ruleFires({ mode: kind, max }, state, `${String(++count).padStart(3, '0')}`)
              : runEnds(state, state.running[0]!);
          state = step.state;
          started.push(...step.actions.flatMap((action) => (action.type === 'start' ? [action.firing] : [])));
          assert.ok(state.running.length <= (kind === 'parallel' ? max : 1));
          assert.ok(state.queue.length <= (kind === 'queued' ? max : 0));
        }
        assert.deepEqual(started, [...new Set(started)].sort());
      },
    ),
    { seed: seedOf(t), numRuns: 300 },
  );
});
