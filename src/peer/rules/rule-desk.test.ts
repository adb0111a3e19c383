import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Role } from '../../core/api-shapes.ts';
import type { ExecutionInfo, ObeyedInfo } from '../../core/rule-shapes.ts';
import type { Visitor } from '../../net/handshake.ts';
import type { RequestOperation, ThingCall } from '../../thing/operations.ts';
import { RuleDesk, type RuleDeskOptions } from './rule-desk.ts';

const member: Visitor = { kind: 'member' };
const deskWith = (parts: Partial<RuleDeskOptions> = {}): RuleDesk =>
  new RuleDesk({
    roleOf: () => 'member',
    ask: async () => ({ outcome: 'not-seen' }),
    executions: () => [],
    obeyed: () => [],
    now: () => 0,
    ...parts,
  });
const calling = (
  name: string,
  input?: unknown,
  op: RequestOperation = 'invokeaction',
): ThingCall<RequestOperation> => ({
  thing: 'urn:althing:peer:.rules',
  ...{ op, name, input },
});
const ask = (desk: RuleDesk, name: string, input?: unknown, peer = 'asker') =>
  desk.request({ peer, visitor: member }, calling(name, input));
const step = { rule: 'hall', firing: 'manual/hall/1', step: '0/t0~0', clock: 7 };

test('guests, holders of passes and those that are out learn nothing', async () => {
  const roles = new Map<string, Role>([['guest', 'guest']]);
  const desk = deskWith({ roleOf: (peer) => roles.get(peer) });
  for (const peer of ['guest', 'stranger'])
    await assert.rejects(ask(desk, 'executions', {}, peer), { code: 'forbidden' });
  roles.set('holder', 'member');
  const pass = { kind: 'pass' } as Visitor;
  await assert.rejects(desk.request({ peer: 'holder', visitor: pass }, calling('executions', {})), {
    code: 'forbidden',
  });
});

test('what does not fit is refused before anybody looks at it', async () => {
  const untouched = (): never => assert.fail('it was looked at');
  const desk = deskWith({ ask: untouched, executions: untouched, obeyed: untouched });
  const { firing: _firing, ...nameless } = step;
  const misfits: [string, unknown][] = [
    ...[undefined, null, 7, [], nameless, { ...step, more: 1 }].map((input): [string, unknown] => [
      'ask',
      input,
    ]),
    ['ask', { ...step, rule: '../hall' }],
    ['ask', { ...step, firing: 'x'.repeat(601) }],
    ['ask', { ...step, step: '' }],
    ['ask', { ...step, clock: -1 }],
    ['ask', { ...step, clock: '7' }],
    ['executions', { limit: 51 }],
    ['executions', { limit: 0 }],
    ['executions', { rule: 7 }],
    ['executions', { rule: undefined, __proto__: null, all: true }],
    ['obeyed', {}],
    ['obeyed', { thing: 'x'.repeat(257) }],
    ['obeyed', { thing: 'urn:x', limit: 1e9 }],
  ];
  for (const [name, input] of misfits)
    await assert.rejects(ask(desk, name, input), { code: 'bad-input' }, JSON.stringify(input));
  for (const name of ['constructor', '__proto__', '', 'Ask'])
    await assert.rejects(ask(desk, name, step), { code: 'affordance-unknown' }, name);
  const read = calling('executions', {}, 'readproperty');
  await assert.rejects(desk.request({ peer: 'asker', visitor: member }, read), {
    code: 'operation-unsupported',
  });
  await assert.rejects(ask(desk, 'standby', 'x'.repeat(300_000)), { code: 'value-too-large' });
});

test('one that asks too often is refused for a while, and the others are not', async () => {
  let nowMs = 0;
  const desk = deskWith({ now: () => nowMs });
  const flood = async () => {
    const results = await Promise.allSettled(Array.from({ length: 1000 }, () => ask(desk, 'ask', step)));
    return results.filter(({ status }) => status === 'fulfilled').length;
  };
  assert.equal(await flood(), 300);
  assert.deepEqual(await ask(desk, 'ask', step, 'other'), { outcome: 'not-seen' });
  nowMs = 1000;
  assert.equal(await flood(), 100);
});

test('members that come and go do not fill the memory of rates', async () => {
  const desk = deskWith();
  for (let n = 0; n < 300; n += 1) await ask(desk, 'ask', step);
  for (let n = 0; n < 256; n += 1) await ask(desk, 'ask', step, `peer-${n}`);
  await ask(desk, 'ask', step);
});

test('an answer is no larger than a frame takes, and begins with the newest', async () => {
  const many = Array.from({ length: 50 }, (_, n) => ({ firing: `${n}`, message: 'x'.repeat(30_000) }));
  const desk = deskWith({
    executions: () => many as unknown as ExecutionInfo[],
    obeyed: () => many as unknown as ObeyedInfo[],
  });
  for (const [name, input] of [
    ['executions', {}],
    ['obeyed', { thing: 'urn:x' }],
  ] as const) {
    const answer = (await ask(desk, name, input)) as ExecutionInfo[];
    assert.equal(answer.length, 17);
    assert.equal(answer[0]?.firing, '0');
  }
});

test('what is copied to it goes to the engine, with who sent it; without an engine it says so', async () => {
  const desk = deskWith();
  await assert.rejects(ask(desk, 'standby', { state: 1 }), { code: 'not-running' });
  const seen: unknown[] = [];
  desk.serve({
    standby: (from, input) => seen.push(['standby', from, input]),
    over: (from, input) => seen.push(['over', from, input]),
  });
  await ask(desk, 'standby', { state: 1 });
  await ask(desk, 'over', { firing: 'f' });
  assert.deepEqual(seen, [
    ['standby', 'asker', { state: 1 }],
    ['over', 'asker', { firing: 'f' }],
  ]);
});
