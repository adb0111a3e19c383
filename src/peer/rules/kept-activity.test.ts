import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CountingThing, labContext, labWrite, StepLab } from '../../testing/step-lab.ts';
import { keptActivity } from './kept-activity.ts';

test('commands of one millisecond are told in the order in which they came', async () => {
  const lab = new StepLab();
  const names = ['on', 'level', 'burn'];
  for (const name of names) await lab.steps.request(new CountingThing(), { ...labWrite, name }, labContext());
  const told = (limit: number) => keptActivity([], lab.obeyed.lately(limit), limit).map(({ name }) => name);
  assert.deepEqual(told(3), names);
  assert.deepEqual(told(2), ['level', 'burn']);
});
