/** The promise that rules do what they say on devices that come and go, and say what became of each firing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '../../core/codec.ts';
import type { Step, Trigger } from '../../rules/rule.ts';
import { RuleLab } from '../../testing/rule-lab.ts';
import type { LabPeer } from '../../testing/rule-lab-peer.ts';

const write = (thing: string, value: unknown, property = 'on'): Step => ({
  write: { thing, property, value: { literal: value } },
});
const becomes = (thing: string, value: unknown, more: object = {}): Trigger => ({
  property: { thing, name: 'motion', becomes: value, ...more },
});

/** A hall with a sensor and a kitchen with a lamp. */
const home = async () => {
  const lab = new RuleLab();
  const hall = await lab.start('hall');
  const kitchen = await lab.start('kitchen');
  const sensor = hall.expose('sensor', { motion: false });
  const lamp = kitchen.expose('lamp', { on: false });
  return { lab, hall, kitchen, sensor, lamp };
};

const minute = 60_000;

test('a light goes off five minutes after the last motion, however often there was some before', async () => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('light', {
    mode: 'restart',
    triggers: [becomes(sensor.id, true)],
    steps: [write(lamp.id, true), { delay: 5 * minute }, write(lamp.id, false)],
  });
  await lab.pass(1000);
  for (let time = 0; time < 3; time++) {
    hall.emit(sensor, 'motion', true);
    await lab.pass(1000);
    hall.emit(sensor, 'motion', false);
    await lab.pass(2 * minute);
  }
  assert.deepEqual(lab.done, ['lamp.on=true', 'lamp.on=true', 'lamp.on=true']);
  await lab.pass(3 * minute - 2000);
  assert.equal(lab.done.length, 3, 'not yet');
  await lab.pass(2000);
  assert.deepEqual(lab.done.slice(3), ['lamp.on=false']);
  assert.deepEqual(hall.outcomes('light'), ['cancelled', 'cancelled', 'done']);
  await lab.close();
});

test('a runner that restarts during a delay goes on with it', async () => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('light', {
    triggers: [becomes(sensor.id, true)],
    steps: [write(lamp.id, true), { delay: 5 * minute }, write(lamp.id, false)],
  });
  await lab.pass(1000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(minute);
  hall.crash();
  await lab.pass(minute);
  hall.start();
  await lab.pass(3 * minute - 1000);
  assert.deepEqual(lab.done, ['lamp.on=true']);
  await lab.pass(2000);
  assert.deepEqual(lab.done, ['lamp.on=true', 'lamp.on=false']);
  assert.deepEqual(hall.outcomes('light'), ['done']);
  await lab.close();
});

/** The hall went down a second after a rule of its began to wait for a minute, to switch the lamp off. */
const crashedInDelay = async (stepsOf: (waiting: Step[]) => Step[] = (waiting) => waiting) => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('light', {
    triggers: [becomes(sensor.id, true)],
    steps: stepsOf([{ delay: minute }, write(lamp.id, false)]),
  });
  await lab.pass(1000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(1000);
  hall.crash();
  return { lab, hall };
};

test('a run that chose before it waits is on disk while it waits', async () => {
  const { lab, hall } = await crashedInDelay((steps) => [
    { choose: [{ if: 'trigger.kind == "property"', steps }] },
  ]);
  hall.start();
  await lab.pass(2 * minute);
  assert.deepEqual(lab.done, ['lamp.on=false']);
  assert.deepEqual(hall.outcomes('light'), ['done']);
  await lab.close();
});

test('what was due too long before the runner came back is told as lost', async () => {
  const { lab, hall } = await crashedInDelay();
  await lab.pass(10 * minute);
  hall.start();
  await lab.pass(minute);
  assert.deepEqual(lab.done, []);
  assert.deepEqual(hall.outcomes('light'), ['lost']);
  assert.match(hall.executions('light')[0]!.message!, /was due at/);
  await lab.close();
});

test('a run of which what was kept cannot be read is told as lost', async () => {
  const { lab, hall } = await crashedInDelay();
  const [key] = [...hall.disk.local.keys()].filter((one) => one.includes('/run/'));
  hall.disk.local.set(key!, encode({ version: 7 }));
  hall.start();
  await lab.pass(2 * minute);
  assert.deepEqual(hall.outcomes('light'), ['lost']);
  assert.deepEqual(lab.done, []);
  await lab.close();
});

test('a condition that is false or unknown keeps a rule from running, and its trace says why', async () => {
  const { lab, hall, kitchen, sensor, lamp } = await home();
  const fire = async (): Promise<void> => {
    hall.emit(sensor, 'motion', true);
    await lab.pass(100);
    hall.emit(sensor, 'motion', false);
    await lab.pass(5000);
  };
  lab.rule('light', {
    triggers: [becomes(sensor.id, true)],
    conditions: [`thing("${lamp.id}").on == false`],
    steps: [write(lamp.id, true)],
  });
  await lab.pass(1000);
  await fire();
  await fire();
  lab.link(hall, kitchen, false);
  await fire();
  assert.deepEqual(hall.outcomes('light'), ['done', 'not-run', 'not-run']);
  const [away, off] = hall.executions('light');
  assert.match(off!.message!, /is false/);
  assert.deepEqual(off!.conditions[0]!.values, [
    { what: 'lamp.on', thing: lamp.id, value: true, ageMs: null },
  ]);
  assert.match(away!.message!, /not known.*lamp\.on/);
  await lab.close();
});

test('a rule that is disabled or removed stops what it runs', async () => {
  const { lab, hall, sensor, lamp } = await home();
  const rule = { triggers: [becomes(sensor.id, true)], steps: [{ delay: minute }, write(lamp.id, true)] };
  for (const end of [{ ...rule, enabled: false }, null]) {
    lab.rule('light', rule);
    await lab.pass(1000);
    hall.emit(sensor, 'motion', true);
    await lab.pass(1000);
    lab.rule('light', end);
    hall.emit(sensor, 'motion', false);
    await lab.pass(2 * minute);
  }
  assert.deepEqual(lab.done, []);
  assert.deepEqual(
    hall.executions('light').map(({ message }) => message),
    ['the rule was removed', 'the rule was disabled'],
  );
  await lab.close();
});

test('a rule that changes while it runs is changed for the next firing', async () => {
  const { lab, hall, sensor, lamp } = await home();
  const triggers = [becomes(sensor.id, true)];
  lab.rule('light', { triggers, steps: [{ delay: 1000 }, write(lamp.id, 'old')] });
  await lab.pass(1000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(100);
  lab.rule('light', { triggers, steps: [{ delay: 1000 }, write(lamp.id, 'new')] });
  hall.emit(sensor, 'motion', false);
  await lab.pass(2000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(2000);
  assert.deepEqual(lab.done, ['lamp.on="old"', 'lamp.on="new"']);
  await lab.close();
});

test('two rules that answer one another across devices are stopped, and both are named', async () => {
  const { lab, hall, kitchen, sensor, lamp } = await home();
  const follow = (from: string, property: string): Trigger => ({
    property: { thing: from, name: property, changes: true },
  });
  lab.rule('there', {
    triggers: [follow(sensor.id, 'motion')],
    steps: [{ write: { thing: lamp.id, property: 'on', value: { cel: 'trigger.value' } } }],
  });
  lab.rule('back', {
    triggers: [follow(lamp.id, 'on')],
    steps: [{ write: { thing: sensor.id, property: 'motion', value: { cel: '!trigger.value' } } }],
  });
  await lab.pass(1000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(minute);
  assert.ok(lab.done.length <= 3, lab.done.join(' '));
  const refused = [...hall.executions(), ...kitchen.executions()].filter(
    ({ outcome }) => outcome === 'refused',
  );
  assert.match(refused[0]!.message!, /circle: there -> back -> there/);
  await lab.close();
});

test('a rule fires at most so often a minute, and is told once a second that it does not', async () => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('bell', {
    maxPerMinute: 3,
    mode: 'parallel',
    triggers: [{ event: { thing: sensor.id, name: 'bell' } }],
    steps: [write(lamp.id, true)],
  });
  await lab.pass(1000);
  for (let time = 0; time < 20; time++) {
    hall.emit(sensor, 'bell', time);
    await lab.pass(50);
  }
  assert.equal(lab.done.length, 3);
  assert.equal(hall.told.filter(({ kind }) => kind === 'rule-refused').length, 1);
  await lab.close();
});

test('firings of one rule queue up, and wait on over a restart', async () => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('bell', {
    mode: 'queued',
    max: 2,
    triggers: [{ event: { thing: sensor.id, name: 'bell' } }],
    steps: [
      { delay: 10_000 },
      { write: { thing: lamp.id, property: 'on', value: { cel: 'trigger.event' } } },
    ],
  });
  await lab.pass(1000);
  for (const event of [1, 2, 3, 4]) hall.emit(sensor, 'bell', event);
  await lab.pass(3000);
  hall.crash();
  await lab.pass(1000);
  hall.start();
  await lab.pass(minute);
  assert.deepEqual(lab.done, ['lamp.on=1', 'lamp.on=2', 'lamp.on=3']);
  assert.deepEqual(hall.outcomes('bell').sort(), ['done', 'done', 'done', 'refused']);
  await lab.close();
});

test('a property that stays so for a while fires once, also over a restart of its device', async () => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('empty', {
    triggers: [becomes(sensor.id, false, { forMs: 10 * minute })],
    steps: [write(lamp.id, false)],
  });
  await lab.pass(1000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(minute);
  hall.emit(sensor, 'motion', false);
  await lab.pass(6 * minute);
  hall.crash();
  await lab.pass(minute);
  hall.start();
  await lab.pass(3 * minute - 5000);
  assert.deepEqual(lab.done, []);
  await lab.pass(minute);
  assert.deepEqual(lab.done, ['lamp.on=false']);
  await lab.pass(20 * minute);
  assert.equal(lab.done.length, 1);
  await lab.close();
});

test('a run waits for what an expression says, and no longer than it may', async () => {
  const { lab, hall, kitchen, sensor, lamp } = await home();
  lab.rule('wait', {
    mode: 'parallel',
    triggers: [{ event: { thing: sensor.id, name: 'bell' } }],
    steps: [
      { wait: { until: `thing("${lamp.id}").on == 7`, timeoutMs: minute } },
      { set: { name: 'seen', value: { cel: 'trigger.event' } } },
    ],
  });
  await lab.pass(1000);
  hall.emit(sensor, 'bell', 'first');
  await lab.pass(10_000);
  assert.equal(hall.book.value('seen'), undefined);
  kitchen.emit(lamp, 'on', 7);
  await lab.pass(100);
  assert.equal(hall.book.value('seen'), 'first');
  kitchen.emit(lamp, 'on', 8);
  hall.emit(sensor, 'bell', 'second');
  await lab.pass(2 * minute);
  assert.equal(hall.book.value('seen'), 'first');
  assert.deepEqual(hall.outcomes('wait'), ['done', 'stopped']);
  await lab.close();
});

/** Who of the lab ran a rule, by what its peer told. */
const runners = (peers: readonly LabPeer[]): string[] =>
  peers.flatMap(({ name, told }) => told.filter(({ kind }) => kind === 'rule-fired').map(() => name));

test('a timed rule is run by one peer, one of those that host what it commands', async () => {
  const { lab, kitchen, lamp } = await home();
  await lab.start('attic');
  await lab.pass(minute);
  lab.rule('night', { triggers: [{ time: { cron: '* * * * *' } }], steps: [write(lamp.id, false)] });
  await lab.pass(5 * minute);
  assert.deepEqual(runners(lab.peers), Array(5).fill('kitchen'));
  assert.equal(lab.done.length, 5);
  kitchen.crash();
  await lab.pass(minute);
  assert.equal(
    runners(lab.peers).filter((name) => name !== 'kitchen').length,
    1,
    'another one, for the trace',
  );
  await lab.close();
});

test('a peer that stands by goes on in the middle of a delay, and the one that comes back lets it', async () => {
  const lab = new RuleLab();
  const peers = [await lab.start('a'), await lab.start('b'), await lab.start('c')];
  const lamps = peers.map((peer) => peer.expose('lamp', { on: 0 }));
  const all = { every: { type: 'Lab' }, property: 'on' };
  lab.rule('night', {
    triggers: [{ time: { at: '08:01' } }],
    steps: [
      { write: { ...all, value: { literal: 1 } }, onFailure: 'continue' },
      { delay: 5 * minute },
      { write: { ...all, value: { literal: 2 } }, onFailure: 'continue' },
    ],
  });
  lab.clock.set(Date.UTC(2027, 0, 15, 8, 0, 30));
  await lab.pass(2 * minute);
  assert.equal(lab.done.length, 3, lab.done.join(' '));
  const [runner] = peers.filter(({ told }) => told.some(({ kind }) => kind === 'rule-fired'));
  runner!.crash();
  await lab.pass(5 * minute);
  const others = lamps.filter((_, index) => peers[index] !== runner);
  assert.deepEqual(
    others.map(({ values }) => values.on),
    [2, 2],
    'what can be reached is done',
  );
  assert.equal(lab.done.length, 5);
  runner!.start();
  await lab.pass(5 * minute);
  assert.equal(lab.done.length, 5, 'nothing is done again');
  assert.deepEqual(runner!.outcomes('night'), ['cancelled']);
  assert.match(runner!.executions('night')[0]!.message!, /taken over by [abc]/);
  await lab.close();
});

test('a copy of a run that ended when nobody could say so is let go when its peer is back', async () => {
  const lab = new RuleLab();
  const [a, b] = [await lab.start('a'), await lab.start('b')];
  const lamps = [a, b].map((peer) => peer.expose('lamp', { on: 0 }).id);
  lab.rule('night', {
    triggers: [{ time: { at: '08:01' } }],
    steps: [{ delay: 30_000 }, ...lamps.map((lamp): Step => ({ ...write(lamp, 1), onFailure: 'continue' }))],
  });
  await lab.pass(minute + 29_800);
  const runner = [a, b].find(({ told }) => told.length > 0)!;
  const other = runner === a ? b : a;
  // What it does last it does alone, and the two meet again before the other takes it for lost.
  lab.link(a, b, false);
  await lab.pass(500);
  assert.deepEqual(runner.outcomes('night'), ['done']);
  lab.link(a, b, true);
  await lab.pass(5 * minute);
  runner.crash();
  await lab.pass(minute);
  assert.deepEqual(other.executions('night'), []);
  await lab.close();
});

test('a device that goes fires once, at one of the others, and not for a peer that has just started', async () => {
  const lab = new RuleLab();
  const peers = [await lab.start('a'), await lab.start('b'), await lab.start('phone')];
  const [a, b, phone] = peers as [LabPeer, LabPeer, LabPeer];
  const lamp = a.expose('lamp', { on: true });
  lab.rule('gone', {
    mode: 'parallel',
    triggers: [
      { peer: { name: phone.id, goes: 'offline' } },
      { peer: { name: phone.id, goes: 'online', forMs: 5000 } },
    ],
    steps: [{ write: { thing: lamp.id, property: 'on', value: { cel: 'trigger.goes' } } }],
  });
  await lab.pass(minute);
  assert.deepEqual(lab.done, [], 'it was there');
  phone.crash();
  await lab.pass(minute);
  assert.deepEqual(lab.done, ['lamp.on="offline"']);
  phone.start();
  await lab.pass(4000);
  assert.equal(lab.done.length, 1, 'it has to stay');
  await lab.pass(minute);
  assert.deepEqual(lab.done, ['lamp.on="offline"', 'lamp.on="online"']);
  a.crash();
  a.start();
  await lab.pass(minute);
  assert.equal(lab.done.length, 2);
  assert.deepEqual(runners(peers), ['a', 'a']);
  assert.equal(b.executions().length, 0);
  await lab.close();
});

test('a step whose answer is lost is asked about, and never done twice', async () => {
  const { lab, hall, kitchen, sensor, lamp } = await home();
  lab.rule('light', { triggers: [becomes(sensor.id, true)], steps: [write(lamp.id, true)] });
  await lab.pass(1000);
  lamp.acting = async () => {
    // The device does it; the network breaks before it can say so.
    lab.link(hall, kitchen, false);
  };
  hall.emit(sensor, 'motion', true);
  await lab.pass(3000);
  assert.equal(hall.outcomes('light')[0], 'running');
  lab.link(hall, kitchen, true);
  await lab.pass(3000);
  assert.deepEqual(hall.outcomes('light'), ['done']);
  assert.deepEqual(lab.done, ['lamp.on=true']);
  await lab.close();
});

test('a last known value stands in for a device that is away, where the rule allows one so old', async () => {
  const { lab, hall, kitchen, sensor } = await home();
  const lux = kitchen.expose('lux', { level: 5 });
  const local = hall.expose('fan', { on: 0 });
  lab.link(hall, kitchen, false);
  lab.lastKnown.set(`${lux.id} level`, { value: 3, ageMs: 5 * minute });
  for (const [key, staleMs] of [
    ['older', 4 * minute],
    ['younger', 6 * minute],
  ] as const)
    lab.rule(key, {
      ...{ staleMs, triggers: [becomes(sensor.id, true)] },
      conditions: [`thing("${lux.id}").level < 4`],
      steps: [write(local.id, key)],
    });
  await lab.pass(1000);
  hall.emit(sensor, 'motion', true);
  await lab.pass(5000);
  assert.deepEqual(lab.done, ['fan.on="younger"']);
  assert.equal(hall.executions('younger')[0]!.conditions[0]!.values[0]!.ageMs, 5 * minute);
  assert.deepEqual(hall.outcomes('older'), ['not-run']);
  await lab.close();
});

test('a property that cannot be observed is read every two seconds, and triggers as any other', async () => {
  const { lab, hall, lamp } = await home();
  const meter = hall.expose('meter', { watt: 10 }, false);
  lab.rule('much', {
    triggers: [{ property: { thing: meter.id, name: 'watt', above: 100 } }],
    steps: [write(lamp.id, true)],
  });
  await lab.pass(3000);
  meter.values.watt = 200;
  await lab.pass(2500);
  meter.values.watt = 300;
  await lab.pass(minute);
  assert.deepEqual(lab.done, ['lamp.on=true']);
  await lab.close();
});

test('a disk that takes nothing does not stop a rule, and what it did is in its trace while it runs', async () => {
  const { lab, hall, sensor, lamp } = await home();
  lab.rule('light', {
    triggers: [becomes(sensor.id, true)],
    steps: [write(lamp.id, true), { delay: minute }, write(lamp.id, false)],
  });
  await lab.pass(1000);
  hall.failDisk();
  hall.emit(sensor, 'motion', true);
  await lab.pass(1000);
  assert.deepEqual(hall.outcomes('light'), ['running']);
  await lab.pass(2 * minute);
  assert.deepEqual(lab.done, ['lamp.on=true', 'lamp.on=false']);
  await lab.close();
});
