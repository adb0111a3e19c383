/**
 * What a device promises those who run rules, over real sessions and restarts, and what a hacked member gets out of it.
 * Relies on real peers; the engine that runs rules is not needed, a program commands as it would.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stampOf } from '../../core/clock.ts';
import { thingIdOf } from '../../core/ids.ts';
import { type Frame, frameType } from '../../net/frames.ts';
import type { Rule } from '../../rules/rule.ts';
import { type Intruder, PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Cause, InteractionContext, RuleStep } from '../../thing/scripting-api.ts';
import type { Peer } from '../peer.ts';
import { deskIdOf } from './rule-desk.ts';

interface Counted {
  readonly id: string;
  readonly writes: { readonly value: unknown; readonly cause: InteractionContext['cause'] }[];
}

const expose = async (peer: Peer, title: string, type = 'Light'): Promise<Counted> => {
  const thing = await peer.wot.produce({
    title,
    '@type': type,
    properties: { on: { type: 'boolean' }, level: { type: 'integer' } },
  } as never);
  const writes: Counted['writes'] = [];
  for (const name of ['on', 'level'])
    thing.setPropertyWriteHandler(name, async (input, { cause }) => {
      writes.push({ value: await input.value(), cause });
    });
  thing.setPropertyReadHandler('on', async () => writes.at(-1)?.value ?? false);
  thing.setPropertyReadHandler('level', async () => 7);
  await thing.expose();
  return { id: thing.getThingDescription().id, writes };
};

/** Whoever is a member may come to run it. */
const byHand = `
name: Hall
triggers: [{ manual: true }]
steps: [{ stop: by a program }]
`;

const stepOf = (parts: Partial<RuleStep> = {}): RuleStep => ({
  ...{ rule: 'hall', firing: 'manual/hall/1', step: '0/t0', mode: 'single', clock: stampOf(Date.now()) },
  ...parts,
});
/** The step as the device is asked about it: its path names the command. */
const onThing = (step: RuleStep, thing: string): RuleStep => ({ ...step, step: `${step.step}:${thing}/on` });
const causeOf = (peer: Peer, step: RuleStep): Cause => {
  const { rule, firing } = step;
  const chain = [{ rule, firing, peer: peer.id, atMs: Date.now() }];
  return { id: 'cause', origin: 'rule', peer: peer.id, chain, step };
};
const command = (peer: Peer, thing: string, step: RuleStep, input: unknown = true) =>
  peer.request(
    { thing, op: 'writeproperty', name: 'on', input },
    { cause: causeOf(peer, onThing(step, thing)) },
  );
let lastId = 0;
const ask = async (
  intruder: Intruder,
  op: string,
  [thing, name, input]: [string, string, unknown?],
  cause: unknown = null,
): Promise<unknown> => {
  const id = ++lastId;
  const frame: Frame = [frameType.request, id, op, thing, name, 5000, cause, null];
  intruder.send(input === undefined ? frame : [...frame, input]);
  const isAnswer = ([type, of]: Frame) =>
    of === id && (type === frameType.response || type === frameType.error);
  const [type, , said] = await intruder.frame(`an answer to ${op}`, isAnswer);
  return type === frameType.response ? { value: said } : said;
};

const askDesk = async (member: Intruder, device: Peer, name: string, input: unknown) => {
  const answer = await ask(member, 'invokeaction', [deskIdOf(device.id), name, input]);
  return (answer as { value: unknown }).value;
};

test('a step that is commanded twice is done once, over a restart of its device, and the device tells what became of it', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const first = await lab.start('lamp');
  const hall = await lab.start('hall');
  await lab.join(first, hall);
  await first.rules.apply(byHand);
  const witness = await lab.traitor(first);
  const before = await expose(first, 'Lamp');
  const step = stepOf();
  await command(hall, before.id, step);
  await command(hall, before.id, step);
  assert.deepEqual(
    before.writes.map(({ value }) => value),
    [true],
  );
  assert.deepEqual(
    before.writes[0]?.cause.chain?.map(({ rule, firing }) => [rule, firing]),
    [['hall', 'manual/hall/1']],
  );
  assert.equal(before.writes[0]?.cause.step, undefined);

  const lamp = await lab.restart(first);
  const after = await expose(lamp, 'Lamp');
  assert.equal(after.id, before.id);
  assert.equal(
    await waitFor(
      () =>
        command(hall, after.id, step).then(
          () => true,
          () => false,
        ),
      { what: 'the lamp to be back' },
    ),
    true,
  );
  assert.equal(after.writes.length, 0);
  await witness.connect(lamp);
  await witness.enter([]);
  const { mode: _mode, ...asked } = onThing(step, after.id);
  assert.deepEqual(await askDesk(witness, lamp, 'ask', asked), { outcome: 'done' });
  assert.deepEqual(await askDesk(witness, lamp, 'ask', { ...asked, step: '1' }), { outcome: 'not-seen' });
  const obeyed = (await askDesk(witness, lamp, 'obeyed', { thing: after.id })) as Record<string, unknown>[];
  assert.equal(obeyed.length, 1, 'over the restart, and once');
  assert.deepEqual([obeyed[0]?.outcome, obeyed[0]?.origin, obeyed[0]?.peer], ['ok', 'rule', hall.id]);

  const newer = stepOf({ mode: 'restart', firing: 'manual/hall/3', clock: step.clock + 10 });
  await command(hall, after.id, newer);
  const older = stepOf({ mode: 'restart', firing: 'manual/hall/2', clock: step.clock + 5 });
  await assert.rejects(command(hall, after.id, older), { code: 'step-superseded' });
  assert.equal(after.writes.length, 1);
});

test('a step of a Thing on the same device is done once, too', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall', { offline: true });
  const lamp = await expose(hall, 'Lamp');
  const step = stepOf();
  await command(hall, lamp.id, step);
  await command(hall, lamp.id, step);
  await assert.rejects(command(hall, lamp.id, stepOf({ step: '1' }), 'bright'), { code: 'value-invalid' });
  await command(hall, lamp.id, stepOf({ step: '1' }), false);
  assert.deepEqual(
    lamp.writes.map(({ value }) => value),
    [true, false],
  );
});

test('a hacked bulb may do to a lock what an admin’s rule says of it, and gets nothing more by naming rules', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const founder = await lab.start('door');
  const bulb = await lab.traitor(founder);
  const lockId = thingIdOf(founder.id, 'lock');
  const rule = (parts: Partial<Rule> = {}): Rule => ({
    ...{ name: 'Shut', enabled: true, mode: 'single', conditions: [] },
    triggers: [{ event: { thing: thingIdOf(bulb.id, 'motion'), name: 'motion' } }],
    steps: [
      { write: { thing: lockId, property: 'on', value: { literal: true } } },
      { wait: { until: `thing("${lockId}").level > 3.0`, timeoutMs: 1000 } },
    ],
    ...parts,
  });
  const door = await lab.modify(founder, () => [
    { collection: 'rule', key: 'shut', value: rule() },
    { collection: 'rule', key: 'asleep', value: rule({ name: 'Asleep', enabled: false }) },
  ]);
  const lock = await expose(door, 'Lock', 'Lock');
  assert.equal(lock.id, lockId);
  await bulb.connect(door);
  await bulb.enter([]);

  let firing = 0;
  const cause = (name: string, isStep = true) => {
    const id = `stream/${name}/0/x/run/${++firing}`;
    const chain = [[name, id, bulb.id, Date.now()]];
    return [
      'c',
      'rule',
      bulb.id,
      chain,
      ...(isStep ? [[name, id, `0/t0:${lockId}/on`, 'single', stampOf(Date.now())]] : []),
    ];
  };
  const write = (what: [string, unknown], why: unknown) => ask(bulb, 'writeproperty', [lockId, ...what], why);
  assert.equal(await write(['on', true], null), 'forbidden', 'a lock is for admins and grants');
  assert.deepEqual(await write(['on', true], cause('shut')), { value: null });
  const refused: [string, () => Promise<unknown>][] = [
    ['another value', () => write(['on', false], cause('shut'))],
    ['another property', () => write(['level', 1], cause('shut'))],
    ['no step', () => write(['on', true], cause('shut', false))],
    ['a disabled rule', () => write(['on', true], cause('asleep'))],
    ['a rule that is none', () => write(['on', true], cause('constructor'))],
    ['another operation', () => ask(bulb, 'invokeaction', [lockId, 'on', true], cause('shut'))],
    ['reading what it does not use', () => ask(bulb, 'readproperty', [lockId, 'on'], cause('shut', false))],
  ];
  for (const [what, attempt] of refused) assert.equal(await attempt(), 'forbidden', what);
  assert.deepEqual(await ask(bulb, 'readproperty', [lockId, 'level'], cause('shut', false)), { value: 7 });
  assert.deepEqual(
    lock.writes.map(({ value }) => value),
    [true],
  );
  const desk = deskIdOf(door.id);
  assert.deepEqual(
    await ask(bulb, 'invokeaction', [desk, 'obeyed', { thing: lockId }]),
    { value: [] },
    'what it may not see',
  );
  for (const run of [undefined, 7, [], {}, { start: { rule: 'shut' } }])
    assert.deepEqual(
      await ask(bulb, 'invokeaction', [desk, 'standby', { run }]),
      { value: { kept: false } },
      'nothing is kept that is no run',
    );

  const flood = await Promise.all(
    Array.from({ length: 400 }, () => ask(bulb, 'invokeaction', [desk, 'executions', {}])),
  );
  assert.ok(flood.includes('rate-limited'));
  assert.ok(bulb.isOpen, 'it is told so, and no more');
});

test('a caller that lies in its cause neither stops the device nor hides what it did from why', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const door = await lab.start('door');
  const lamp = await expose(door, 'Lamp');
  const bulb = await lab.traitor(door);
  const write = (input: boolean, cause: unknown) =>
    ask(bulb, 'writeproperty', [lamp.id, 'on', input], cause) as Promise<unknown>;
  await door.request({ thing: lamp.id, op: 'writeproperty', name: 'on', input: false }, {});
  const chain = [['r', 'manual/r/1', bulb.id, Number.MAX_SAFE_INTEGER]];
  assert.equal(await write(true, ['c', 'program', bulb.id, chain]), 'bad-input');
  assert.deepEqual(await write(true, ['c', 'program', 'x']), { value: null });
  const { commands } = await door.rules.why('Lamp');
  assert.deepEqual([commands[0]?.input, commands[0]?.began], [true, bulb.id]);
});
