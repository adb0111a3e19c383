/**
 * What askers that do not take their answers cost, and what they do not cost the others.
 * Relies on sessions over channels in memory, whose reading the test stops.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noServer, rawAsker } from '../testing/session-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { RequestOperation } from '../thing/operations.ts';
import { AnswerBudget } from './answer-budget.ts';
import { frameType } from './frames.ts';

const mib = 1024 * 1024;
const value = 'x'.repeat(900_000);

/** An asker that stops reading, and a device that answers everything with 900 KB, once it is told to. */
const lab = (budget: AnswerBudget) => {
  let asked = 0;
  const go = Promise.withResolvers<void>();
  const { raw, session, channel } = rawAsker(
    {
      ...noServer,
      request: async () => {
        asked += 1;
        await go.promise;
        return value;
      },
    },
    { budget },
  );
  raw.channel.pause();
  const ask = async (op: RequestOperation, count: number): Promise<void> => {
    for (let id = 1; id <= count; id++)
      raw.send([frameType.request, id, op, 'urn:lab:lamp', 'on', 60_000, null, null]);
    await waitFor(() => asked === count, { what: `${count} requests` });
  };
  return { raw, session, channel, ask, go: go.resolve };
};

test('of what is read and not taken 16 MiB are kept: the rest is told to be too much, and the session goes on', async () => {
  const { raw, session, ask, go } = lab(new AnswerBudget());
  await ask('readproperty', 200);
  go();
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  raw.channel.resume();
  await waitFor(() => raw.frames.length === 200, { what: '200 answers' });
  const values = raw.frames.filter(([type]) => type === frameType.response);
  const refused = raw.frames.filter(([type, , code]) => type === frameType.error && code === 'too-many');
  assert.equal(values.length + refused.length, 200);
  const sizeBytes = values.length * value.length;
  assert.ok(sizeBytes > 16 * mib && sizeBytes < 24 * mib, `${sizeBytes} bytes were kept`);
  assert.equal(session.closed, false);
});

test('where all sessions together hold too much, the one that takes least is cut off, and the others get theirs', async () => {
  const budget = new AnswerBudget({ maxBytes: 32 * mib });
  const modest = lab(budget);
  const greedy = lab(budget);
  await modest.ask('invokeaction', 10);
  await greedy.ask('invokeaction', 200);
  modest.go();
  greedy.go();
  await waitFor(() => greedy.session.closed, { what: 'the greedy one to be cut off' });
  assert.equal(modest.session.closed, false);
  modest.raw.channel.resume();
  await waitFor(() => modest.raw.frames.length === 10, { what: 'the answers of the modest one' });
  assert.ok(modest.raw.frames.every(([type]) => type === frameType.response));
});

test('answers that nobody waits for any more are not kept', async () => {
  const budget = new AnswerBudget({ maxBytes: 32 * mib });
  const { raw, session, ask, go } = lab(budget);
  await ask('invokeaction', 30);
  go();
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  for (let id = 1; id <= 30; id++) raw.send([frameType.cancel, id]);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  // With what 30 answers took beside it, this would be too much.
  budget.add({ waitingBytes: 20 * mib, cutOff: () => assert.fail('it holds less than there is room for') });
  budget.check();
  raw.channel.resume();
  await waitFor(() => raw.frames.length === 30, { what: 'an answer to each' });
  assert.equal(session.closed, false);
});
