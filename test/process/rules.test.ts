/**
 * The promise of rules without a hub, seen by a person at the command line: applied on one device, run on others, told why.
 * Relies on real processes on loopback, each with a script that exposes Things.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import type { DryRunInfo, RuleInfo, TraceInfo, WhyInfo } from '../../src/core/rule-shapes.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
after(() => lab.close());
const patience = { timeoutMs: 30_000 };

/** A device that exposes Things with these titles and properties, all of which can be written and observed. */
const startDevice = async (
  name: string,
  things: Readonly<Record<string, Readonly<Record<string, boolean | number>>>>,
): Promise<LabPeer> => {
  const home = await lab.makeHome();
  const script = join(home, 'things.js');
  await writeFile(
    script,
    `export default async (wot) => {
      for (const [title, values] of Object.entries(${JSON.stringify(things)})) {
        const properties = {};
        for (const [name, value] of Object.entries(values)) properties[name] = { type: typeof value, observable: true };
        const thing = await wot.produce({ title, properties });
        for (const name of Object.keys(values)) {
          thing.setPropertyReadHandler(name, async () => values[name]);
          thing.setPropertyWriteHandler(name, async (input) => {
            values[name] = await input.value();
            await thing.emitPropertyChange(name);
          });
        }
        await thing.expose();
      }
    };\n`,
  );
  return lab.startPeer({ home, name, args: ['--things', script] });
};

const rules = `name: Hall light on motion
mode: restart
triggers:
  - property: { thing: hall-motion, name: motion, becomes: true }
conditions:
  - thing("hall-lux").illuminance < 50
steps:
  - write: { thing: hall-lamp, property: on, value: true }
---
name: Stairs follow the hall
triggers:
  - property: { thing: hall-lamp, name: on, becomes: true }
steps:
  - write: { thing: stairs-lamp, property: on, value: true }
`;

let sensor: LabPeer;
let ceiling: LabPeer;
let file: string;

before(async () => {
  [sensor, ceiling] = await Promise.all([
    startDevice('hall-sensor', {
      'Hall motion': { motion: false },
      'Hall lux': { illuminance: 12 },
      'Stairs lamp': { on: false },
    }),
    startDevice('ceiling', { 'Hall lamp': { on: false } }),
  ]);
  const { ticket } = (await sensor.cli('invite')) as { ticket: string };
  await ceiling.cli('join', ticket);
  await waitFor(async () => (await clientOf(sensor).things()).length === 4, {
    ...patience,
    what: 'all Things to be known',
  });
  file = join(sensor.home, 'rules.yaml');
  await writeFile(file, rules);
});

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

const isOn = async (peer: LabPeer, lamp: string): Promise<boolean> => {
  const client = clientOf(peer);
  return (await client.readProperty((await client.resolve(lamp)).id, 'on')) === true;
};

test('rules that are applied on one device are known on all, and only an admin applies them', async () => {
  assert.equal((await ceiling.run('rules', 'apply', file)).error?.code, 'not-admin');
  assert.equal(((await sensor.cli('rules', 'apply', file)) as unknown[]).length, 2);
  await waitFor(async () => (await clientOf(ceiling).rules.list()).length === 2, {
    ...patience,
    what: 'the rules to arrive',
  });
  const [hall, stairs] = (await ceiling.cli('rules')) as RuleInfo[];
  assert.deepEqual([hall!.watchedBy, stairs!.watchedBy], [[sensor.id], [ceiling.id]]);
});

test('a dry run says what would be done, and does nothing', async () => {
  const dry = (await ceiling.cli('rules', 'test', 'Hall light on motion')) as DryRunInfo;
  assert.deepEqual(
    [dry.runs, dry.outcome, dry.conditions[0]!.result, dry.steps.map(({ text }) => text)],
    [true, 'done', 'true', ['write on = true to Hall lamp']],
  );
  assert.equal(await isOn(ceiling, 'hall-lamp'), false);
});

test('a firing is told of: why, through a chain of rules over two devices, and by trace', async () => {
  await sensor.cli('write', 'hall-motion', 'motion', 'true');
  await waitFor(() => isOn(sensor, 'stairs-lamp'), {
    ...patience,
    what: 'the stairs to be lit',
  });
  await waitFor(
    async () =>
      (await clientOf(sensor).rules.trace('stairs-follow-the-hall')).executions[0]?.outcome === 'done',
    { ...patience, what: 'the second rule to have ended' },
  );
  const why = (await ceiling.cli('why', 'stairs-lamp')) as WhyInfo;
  const [deed, led, saw, ...more] = why.sentences;
  assert.match(
    deed!,
    /^Stairs lamp was switched on \(on = true\) at \d\d:\d\d:\d\d.* by the rule "Stairs follow the hall", which ran on ceiling because Hall lamp went on\.$/,
  );
  assert.match(
    led!,
    /^That came from the rule "Hall light on motion", which ran on hall-sensor because the motion of Hall motion became true at /,
  );
  assert.match(saw!, /Hall lux\.illuminance was 12 \(condition: thing\("Hall lux"\)\.illuminance < 50\)\.$/);
  assert.deepEqual(more, []);
  const [execution] = ((await ceiling.cli('rules', 'trace', 'Hall light on motion')) as TraceInfo).executions;
  assert.deepEqual(
    [execution!.peer, execution!.outcome, execution!.steps.map(({ what, name }) => [what, name])],
    [sensor.id, 'done', [['done', 'on']]],
  );
  const lines = await clientOf(ceiling).rules.activity();
  assert.deepEqual(lines.map(({ kind, rule }) => [kind, rule]).sort(), [
    ['obeyed', 'hall-light-on-motion'],
    ['rule-ended', 'stairs-follow-the-hall'],
  ]);
});

test('a condition that is false keeps a rule from running, and the trace says so', async () => {
  const client = clientOf(sensor);
  await client.writeProperty((await client.resolve('hall-lux')).id, 'illuminance', 900);
  await sensor.cli('rules', 'run', 'Hall light on motion');
  const [last] = await waitFor(
    async () => {
      const { executions } = await clientOf(sensor).rules.trace('Hall light on motion');
      return executions.length === 2 && executions;
    },
    { ...patience, what: 'the refusal to be kept' },
  );
  assert.deepEqual([last!.outcome, last!.trigger.kind], ['not-run', 'manual']);
  assert.equal(last!.conditions[0]!.values[0]!.value, 900);
});

test('a device that is off is named where it could not be asked', async () => {
  await ceiling.kill();
  await waitFor(
    async () => ((await sensor.cli('peers')) as { state: string }[]).some(({ state }) => state === 'offline'),
    { ...patience, what: 'the ceiling to be missed' },
  );
  const lamp = await clientOf(sensor).rules.why('hall-lamp');
  assert.match(lamp.sentences[0]!, /^ceiling could not be asked \(peer-offline\)/);
  const stairs = (await sensor.cli('why', 'stairs-lamp')) as WhyInfo;
  assert.match(stairs.sentences[0]!, /by the rule "stairs-follow-the-hall", which ran on ceiling/);
  assert.match(stairs.sentences.at(-1)!, /^ceiling could not be asked/);
});
