import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asker, noServer, rawAsker, sessionPair } from '../testing/session-lab.ts';
import type { Cause } from '../thing/scripting-api.ts';
import { frameType } from './frames.ts';
import { causeIn, wireCauseOf } from './wire-cause.ts';

const link = { rule: 'hall-light', firing: 'manual/hall-light/1', peer: asker, atMs: 1_700_000_000_000 };
const step = {
  ...{ rule: 'hall-light', firing: 'manual/hall-light/1', step: '0/t0~0', clock: 7 },
  mode: 'restart' as const,
};
const bare: Cause = { id: 'c', origin: 'rule', peer: asker };
const wireLink = [link.rule, link.firing, link.peer, link.atMs];
const wireStep = [step.rule, step.firing, step.step, step.mode, step.clock];

test('a cause arrives as it was sent: bare, with a chain, with a step, with both', () => {
  const causes = [
    bare,
    { ...bare, chain: [link, link] },
    { ...bare, step },
    { ...bare, chain: [link], step },
  ];
  for (const cause of causes) assert.deepEqual(causeIn(wireCauseOf(cause)), cause);
  assert.deepEqual(wireCauseOf(bare), ['c', 'rule', asker], 'as peers before rules said it');
  assert.equal(wireCauseOf(undefined), null);
});

test('chain and step reach the device over a session', async () => {
  const seen: Cause[] = [];
  const { mine } = sessionPair({
    ...noServer,
    request: async (_call, { cause }) => seen.push(cause),
  });
  const cause = { ...bare, chain: [link], step };
  await mine.request({ thing: 'urn:lamp', op: 'writeproperty', name: 'on', input: true }, { cause });
  assert.deepEqual(seen, [cause]);
  mine.close();
});

test('a chain or a step that does not fit is refused, not left out: what is no step would be done twice', () => {
  const long = 'x'.repeat(601);
  const chains = [
    ...['', 7, {}, null, [7], [[]], [wireLink.slice(0, 3)], Array(17).fill(wireLink)],
    ...[
      ['Hall', ...wireLink.slice(1)],
      ['', ...wireLink.slice(1)],
      ['x'.repeat(61), ...wireLink.slice(1)],
    ].map((one) => [one]),
    ...[
      [link.rule, long, asker, 1],
      [link.rule, '', asker, 1],
      [link.rule, 'f', 'p'.repeat(65), 1],
    ].map((one) => [one]),
    [[link.rule, 'f', 'nobody', 1]],
    ...[-1, 1.5, '1', null, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 8.64e15].map((atMs) => [
      [link.rule, 'f', asker, atMs],
    ]),
  ];
  for (const chain of chains)
    assert.throws(() => causeIn(['c', 'rule', asker, chain]), { code: 'bad-input' }, JSON.stringify(chain));
  const steps = [
    ...['', 7, {}, [], wireStep.slice(0, 4), ['__proto__', ...wireStep.slice(1)]],
    ...[
      [step.rule, long, 's', 'single', 7],
      [step.rule, 'f', long, 'single', 7],
      [step.rule, 'f', '', 'single', 7],
    ],
    ...['constructor', '', null, 7].map((mode) => [step.rule, 'f', 's', mode, 7]),
    ...[-1, 0.5, null, 'now', 2 ** 60].map((clock) => [step.rule, 'f', 's', 'single', clock]),
  ];
  for (const one of steps)
    assert.throws(() => causeIn(['c', 'rule', asker, [], one]), { code: 'bad-input' }, JSON.stringify(one));
});

test('what does not say who began it is put down to who asks, and is no chain and no step', () => {
  for (const peer of ['x', '', 7, null, 'z6Mk'.padEnd(48, '0')]) {
    assert.equal(causeIn(['c', 'program', peer]), undefined, `${peer}`);
    assert.throws(() => causeIn(['c', 'rule', peer, [], wireStep]), { code: 'bad-input' }, `${peer}`);
  }
});

test('a request with a step that does not fit is answered with bad-input, and the session goes on', async () => {
  let asked = 0;
  const { raw, session } = rawAsker({ ...noServer, request: async () => ++asked });
  const request = (id: number, cause: unknown) =>
    [frameType.request, id, 'writeproperty', 'urn:lamp', 'on', 1000, cause, null, true] as const;
  raw.send([...request(1, ['c', 'rule', asker, [], ['hall']])]);
  const [, , code] = await raw.frame('the refusal', ([type, id]) => type === frameType.error && id === 1);
  assert.equal(code, 'bad-input');
  assert.equal(asked, 0);
  raw.send([...request(2, ['c', 'rule', asker, [], wireStep])]);
  await raw.frame('the answer', ([type, id]) => type === frameType.response && id === 2);
  session.close();
});
