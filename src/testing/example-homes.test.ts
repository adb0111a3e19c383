/**
 * The promise of the example homes: each can be applied as it stands, and does what its first line says.
 * Relies on the rules and scripts in `examples/`; long times pass on a simulated clock.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseAllDocuments } from 'yaml';
import { ruleKeyOf } from '../peer/rules/rule-key.ts';
import { type RuleLookup, resolveRule } from '../rules/resolve.ts';
import { ruleProblem } from '../rules/rule.ts';
import { ruleJsonSchema } from '../rules/rule-json-schema.ts';
import { readRules } from '../rules/rule-yaml.ts';
import { exampleHomes, exampleRules, exampleThings } from './example-homes.ts';
import { memoryPeer } from './memory-wot.ts';
import { RuleLab } from './rule-lab.ts';

const demo = '../home/rules.yaml';
const minute = 60_000;

test('the five homes and that of the demo can be applied as they are, without a warning', async () => {
  assert.deepEqual(exampleHomes, [
    'camera-door.yaml',
    'goodnight.yaml',
    'motion-light.yaml',
    'presence.yaml',
    'thermostat-window.yaml',
  ]);
  const fitsSchema = new Ajv2020({ strict: false }).compile(ruleJsonSchema());
  const things = await exampleThings();
  const lookup: RuleLookup = {
    thing: (name) => {
      const td = things.get(name);
      return td ? { kind: 'found', id: td.id } : { kind: 'unknown' };
    },
    peer: (name) => (name.startsWith('phone-') ? { kind: 'found', id: memoryPeer } : { kind: 'unknown' }),
    td: (id) => [...things.values()].find((td) => td.id === id),
    hasScene: (name) => ['away', 'evening'].includes(name),
  };
  for (const home of [...exampleHomes, demo]) {
    const text = exampleRules(home);
    for (const document of parseAllDocuments(text)) {
      const plain = (document as { toJS(): unknown }).toJS();
      assert.ok(fitsSchema(plain), `${home}: ${JSON.stringify(fitsSchema.errors)}`);
    }
    for (const draft of readRules(text)) {
      const { rule, warnings } = resolveRule(draft, lookup);
      assert.deepEqual([home, rule.name, warnings, ruleProblem(rule)], [home, rule.name, [], undefined]);
    }
  }
});

/** A home's rules, given to the simulated peers as an admin gives them to real ones. */
const apply = (lab: RuleLab, home: string): void => {
  const things = new Map(lab.peers.flatMap((peer) => [...peer.things].map(([id, { td }]) => [td.title, id])));
  const peers = new Map(lab.peers.map(({ name, id }) => [name, id]));
  const foundIn = (ids: ReadonlyMap<string, string>, name: string): ReturnType<RuleLookup['thing']> => {
    const id = ids.get(name);
    return id === undefined ? { kind: 'unknown' } : { kind: 'found', id };
  };
  const lookup: RuleLookup = {
    thing: (name) => foundIn(things, name),
    peer: (name) => foundIn(peers, name),
    td: () => undefined,
  };
  for (const draft of readRules(exampleRules(home))) {
    const { rule } = resolveRule(draft, lookup);
    lab.rule(ruleKeyOf(rule.name), rule);
  }
};

const startLab = (): RuleLab => {
  const lab = new RuleLab();
  after(() => lab.close());
  return lab;
};

test('the light goes off five minutes after the last motion, whichever sensor saw it', async () => {
  const lab = startLab();
  const [hall, stairs, ceiling] = [
    await lab.start('hall'),
    await lab.start('stairs'),
    await lab.start('ceiling'),
  ];
  const hallSensor = hall.expose('hall-sensor', { motion: false, illuminance: 5 });
  const stairsSensor = stairs.expose('stairs-sensor', { motion: false });
  const lamp = ceiling.expose('hall-lamp', { on: false, brightness: 50 });
  apply(lab, 'motion-light.yaml');
  await lab.pass(1000);
  const moves = async (peer: typeof hall, sensor: typeof hallSensor, forMs: number): Promise<void> => {
    peer.emit(sensor, 'motion', true);
    await lab.pass(forMs);
    peer.emit(sensor, 'motion', false);
    await lab.settle();
  };

  await moves(hall, hallSensor, 2 * minute);
  assert.equal(lamp.values.on, true);
  await lab.pass(4 * minute);
  await moves(stairs, stairsSensor, 10_000);
  await lab.pass(5 * minute - 1000);
  assert.equal(lamp.values.on, true, 'off too early: the five minutes begin after the last motion');
  await lab.pass(2000);
  assert.equal(lamp.values.on, false);
  assert.deepEqual(
    lab.done.filter((deed) => deed.startsWith('hall-lamp.on')),
    ['hall-lamp.on=true', 'hall-lamp.on=true', 'hall-lamp.on=false'],
  );

  // In daylight nobody needs it.
  hall.emit(hallSensor, 'illuminance', 900);
  await moves(hall, hallSensor, 1000);
  assert.equal(lamp.values.on, false);
});

test('a window that is open for two minutes turns the heating down until it is closed; a shorter airing does not', async () => {
  const lab = startLab();
  const [bedroom, boiler] = [await lab.start('bedroom'), await lab.start('boiler')];
  const sensor = bedroom.expose('room-sensor', { temperature: 21, window: 'closed' });
  const thermostat = boiler.expose('thermostat', { target: 20.5, measured: null });
  apply(lab, 'thermostat-window.yaml');
  await lab.pass(1000);

  bedroom.emit(sensor, 'window', 'open');
  await lab.pass(1.5 * minute);
  bedroom.emit(sensor, 'window', 'closed');
  await lab.pass(5 * minute);
  assert.equal(thermostat.values.target, 20.5);

  bedroom.emit(sensor, 'window', 'open');
  await lab.pass(3 * minute);
  assert.equal(thermostat.values.target, 12);
  await lab.pass(60 * minute);
  bedroom.emit(sensor, 'window', 'closed');
  await lab.pass(2000);
  assert.equal(thermostat.values.target, 20.5);

  bedroom.emit(sensor, 'temperature', 15.5);
  await lab.settle();
  assert.equal(thermostat.values.measured, 15.5);
  bedroom.crash();
  await lab.pass(minute);
  assert.equal(thermostat.values.measured, null, 'heated by what a dead sensor once said');
});

test('when the last phone has been gone for ten minutes the house is put away, and not before', async () => {
  const lab = startLab();
  const hall = await lab.start('hall');
  const door = hall.expose('door', { locked: false });
  const lamp = hall.expose('hall-lamp', { on: true });
  const thermostat = hall.expose('thermostat', { target: 21 });
  const [anna, ben] = [await lab.start('phone-anna'), await lab.start('phone-ben')];
  lab.scene('away', {
    name: 'away',
    values: [
      { thing: lamp.id, property: 'on', value: false },
      { thing: thermostat.id, property: 'target', value: 16 },
    ],
  });
  apply(lab, 'presence.yaml');
  await lab.pass(minute);

  anna.crash();
  await lab.pass(60 * minute);
  ben.crash();
  await lab.pass(9 * minute);
  ben.start();
  await lab.pass(60 * minute);
  assert.deepEqual([lamp.values.on, thermostat.values.target], [true, 21]);

  ben.crash();
  await lab.pass(11 * minute);
  assert.deepEqual([lamp.values.on, thermostat.values.target], [false, 16]);
  assert.ok(lab.deeds.some(({ thing, name }) => thing === door.id && name === 'lock'));
  assert.equal(hall.book.value('somebody-home'), false);

  anna.start();
  await lab.pass(minute);
  assert.equal(hall.book.value('somebody-home'), true);
});
