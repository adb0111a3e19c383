import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { ActionRuns } from './action-runs.ts';

const newRuns = () => {
  let ids = 0;
  let now = 0;
  return new ActionRuns({ newId: () => `run-${++ids}`, now: () => (now += 1000) });
};

test('an invocation goes from running to completed, with output and times', async () => {
  const runs = newRuns();
  const { promise, resolve } = Promise.withResolvers<string>();
  assert.deepEqual(
    runs.start('brew', () => promise),
    {
      id: 'run-1',
      status: 'running',
      timeRequested: '1970-01-01T00:00:01.000Z',
    },
  );
  resolve('coffee');
  await promise;
  assert.deepEqual(runs.query('brew', 'run-1'), {
    id: 'run-1',
    status: 'completed',
    output: 'coffee',
    timeRequested: '1970-01-01T00:00:01.000Z',
    timeEnded: '1970-01-01T00:00:02.000Z',
  });
});

test('a handler that throws, now or later, makes the invocation failed', async () => {
  const runs = newRuns();
  const now = runs.start('brew', () => {
    throw new Error('no water');
  });
  assert.equal(now.status, 'failed');
  assert.deepEqual(now.error, { code: 'handler-failed', message: 'no water' });
  const later = runs.start('brew', async () => {
    throw new AlthingError('too-many', 'busy');
  });
  await new Promise(setImmediate);
  assert.deepEqual(runs.query('brew', later.id).error, { code: 'too-many', message: 'busy' });
});

test('cancelling aborts the signal, and what the handler does then changes nothing', async () => {
  const runs = newRuns();
  let signal: AbortSignal | undefined;
  const { promise, resolve } = Promise.withResolvers<string>();
  const { id } = runs.start('brew', (given) => {
    signal = given;
    return promise;
  });
  runs.cancel('brew', id);
  runs.cancel('brew', id);
  assert.equal(signal!.reason.code, 'cancelled');
  resolve('too late');
  await promise;
  assert.equal(runs.query('brew', id).status, 'cancelled');
});

test('invocations are known by action and id', () => {
  const runs = newRuns();
  const { id } = runs.start('brew', () => null);
  for (const [action, name] of [
    ['grind', id],
    ['brew', 'run-9'],
    ['brew', 7],
    ['brew', undefined],
  ] as const) {
    assert.throws(() => runs.query(action, name), { code: 'action-unknown' });
    assert.throws(() => runs.cancel(action, name), { code: 'action-unknown' });
  }
});

test('no more than 64 handlers work at once, those that ignore their cancellation included', async () => {
  const runs = newRuns();
  const { promise, resolve } = Promise.withResolvers<void>();
  for (let i = 0; i < 64; i++) runs.start('brew', () => promise);
  runs.cancelAll('The Thing is gone.');
  assert.throws(() => runs.start('brew', () => promise), { code: 'too-many' });
  resolve();
  await promise;
  assert.equal(runs.start('brew', () => 1).status, 'completed');
});

test('64 ended invocations are remembered, older ones forgotten', () => {
  const runs = newRuns();
  for (let i = 0; i < 65; i++) runs.start('brew', () => i);
  assert.throws(() => runs.query('brew', 'run-1'), { code: 'action-unknown' });
  assert.equal(runs.query('brew', 'run-2').output, 1);
});
