/**
 * The promises of the homes in `examples/rules/`, in one house in which all five live, each device a process of its own.
 * Relies on the rules and scripts as a person finds them; only their long times are short here (the long ones pass on a
 * simulated clock in `src/testing/example-homes.test.ts`).
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { thingIdOf } from '../../src/core/ids.ts';
import type { ExecutionInfo } from '../../src/core/rule-shapes.ts';
import { exampleHomes, exampleRules, exampleScript } from '../../src/testing/example-homes.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

/** The devices, and what hangs on each. The computer is the only admin. */
const cast = {
  computer: ['kitchen-lamp.js'],
  hall: ['hall-sensor.js', 'camera.js'],
  stairs: ['stairs-sensor.js', 'thermostat.js'],
  'living-room': ['hall-lamp.js', 'speaker.js'],
  porch: ['door.js'],
  bedroom: ['sensor.js', 'button.js'],
  'phone-anna': [],
  'phone-ben': [],
} as const;
type DeviceName = keyof typeof cast;

/** What lasts long, and how long here. */
const shorter: readonly (readonly [home: string, long: string, short: string])[] = [
  ['motion-light.yaml', 'delay: 5m', 'delay: 4s'],
  ['camera-door.yaml', 'delay: 30s', 'delay: 2s'],
  ['thermostat-window.yaml', 'for: 2m', 'for: 1s'],
  ['presence.yaml', 'for: 10m', 'for: 1s'],
];

const timeoutMs = 60_000;
const lab = new ProcessLab();
after(() => lab.close());
const devices = new Map<DeviceName, Device>();

/** A device of the house, used through its own gateway. */
class Device {
  readonly peer: LabPeer;
  readonly client: GatewayClient;

  constructor(peer: LabPeer) {
    this.peer = peer;
    const { gateway } = peer.ready;
    this.client = new GatewayClient(unixTransport({ socketPath: gateway.socket, home: peer.home }));
  }

  /** The id of a Thing that hangs on it. */
  thing(name: string): string {
    return thingIdOf(this.peer.id, name);
  }

  read(thing: string, property: string): Promise<unknown> {
    return this.client.readProperty(this.thing(thing), property);
  }

  write(thing: string, property: string, value: unknown): Promise<void> {
    return this.client.writeProperty(this.thing(thing), property, value);
  }

  invoke(thing: string, action: string, input?: unknown): Promise<unknown> {
    return this.client.invokeAction(this.thing(thing), action, input);
  }

  /** Waits until a property is as it should be. */
  async shows(thing: string, property: string, value: unknown): Promise<void> {
    let last: unknown;
    await waitFor(
      async () => {
        last = await this.read(thing, property);
        return last === value;
      },
      { timeoutMs, what: () => `${thing}.${property} to be ${value}; it is ${last}` },
    );
  }
}

const device = (name: DeviceName): Device => devices.get(name)!;

/** Waits until what a rule did, as a device hears it of all, has come so far; newest first. */
const traced = (
  asker: DeviceName,
  rule: string,
  isSo: (executions: readonly ExecutionInfo[]) => boolean,
): Promise<readonly ExecutionInfo[]> => {
  let executions: readonly ExecutionInfo[] = [];
  return waitFor(
    async () => {
      ({ executions } = await device(asker).client.rules.trace(rule));
      return isSo(executions) && executions;
    },
    { timeoutMs, what: () => `"${rule}" to have come so far: ${JSON.stringify(executions)}` },
  );
};

before(async () => {
  await Promise.all(
    (Object.keys(cast) as DeviceName[]).map(async (name) => {
      const args = cast[name].flatMap((script) => ['--things', exampleScript(script)]);
      devices.set(name, new Device(await lab.startPeer({ name, args })));
    }),
  );
  const { client } = device('computer');
  const guests = [...devices.values()].filter((one) => one.client !== client);
  const { ticket } = await client.invite({ uses: guests.length });
  await Promise.all(guests.map((guest) => guest.client.join(ticket)));
  await waitFor(async () => (await client.things()).filter(({ online }) => online).length === 10, {
    timeoutMs,
    what: 'the computer to know all Things',
  });
  const [lamp, thermostat] = [device('living-room').thing('hall-lamp'), device('stairs').thing('thermostat')];
  await client.governance.rename(lamp, { room: 'hall' });
  for (const [scene, target] of [
    ['evening', 22],
    ['away', 16],
  ] as const) {
    await client.writeProperty(thermostat, 'target', target);
    await client.rules.saveScene(scene, { things: [lamp, thermostat] });
  }
  await client.writeProperty(thermostat, 'target', 20);
});

test('all five homes are applied without a warning, and known on every device', async () => {
  const texts = exampleHomes.map((home) =>
    shorter
      .filter(([of]) => of === home)
      .reduce((text, [, long, short]) => {
        assert.ok(text.includes(long), `${home} says no "${long}" any more`);
        return text.replaceAll(long, short);
      }, exampleRules(home)),
  );
  const applied = await device('computer').client.rules.apply(texts.join('\n---\n'));
  assert.deepEqual(
    applied.flatMap(({ warnings }) => warnings),
    [],
  );
  for (const [name, { client }] of devices)
    await waitFor(async () => (await client.rules.list()).length === applied.length, {
      timeoutMs,
      what: `the rules to arrive at ${name}`,
    });
});

test('the light goes off after the last motion, whichever sensor saw it', async () => {
  const lights: unknown[] = [];
  const stop = new AbortController();
  const living = device('living-room');
  const changes = await living.client.observeProperty(living.thing('hall-lamp'), 'on', {
    signal: stop.signal,
  });
  const listening = (async () => {
    for await (const on of changes) lights.push(on);
  })().catch((error: unknown) => {
    // Being stopped is how it ends.
    if (!stop.signal.aborted) throw error;
  });
  await device('hall').invoke('hall-sensor', 'pretend');
  await living.shows('hall-lamp', 'on', true);
  await device('stairs').invoke('stairs-sensor', 'pretend');
  const [last, first] = await traced(
    'phone-anna',
    'light-on-motion',
    (executions) => executions.length === 2 && executions.every(({ ended }) => ended !== null),
  );
  assert.deepEqual(
    [first!.peer, first!.outcome, last!.peer, last!.outcome],
    [device('hall').peer.id, 'superseded', device('stairs').peer.id, 'done'],
  );
  await waitFor(() => lights.includes(false), { timeoutMs, what: 'the light to go off' });
  stop.abort();
  await listening;
  assert.deepEqual(lights, [true, false]);
});

test('the camera tells the door who is there, and the door opens only for whom it may', async () => {
  const [hall, porch] = [device('hall'), device('porch')];
  await hall.invoke('camera', 'pretend', 'Eve');
  await porch.shows('door', 'visitor', 'Eve');
  const opens = 'the-door-opens-for-those-who-live-here';
  const [eve] = await traced('porch', opens, (executions) => executions.length === 1);
  assert.deepEqual([eve!.outcome, eve!.steps], ['not-run', []]);
  assert.equal(await porch.read('door', 'locked'), true);

  await hall.invoke('camera', 'pretend', 'Anna');
  await porch.shows('door', 'visitor', 'Anna');
  await traced('porch', opens, ([newest]) => newest?.steps.some(({ name }) => name === 'unlock') === true);
  await porch.shows('door', 'locked', true);
  await device('living-room').shows('hall-lamp', 'on', true);
  assert.deepEqual(
    (await traced('porch', opens, ([newest]) => newest?.outcome === 'done'))[0]!.steps
      .filter(({ thing }) => thing === porch.thing('door'))
      .map(({ name, what }) => [name, what]),
    [
      ['unlock', 'done'],
      ['lock', 'done'],
    ],
  );
  // The rule is the permission: its device may do nothing else with the door, nor may anybody else.
  for (const name of ['hall', 'phone-anna'] as const)
    await assert.rejects(device(name).client.invokeAction(porch.thing('door'), 'unlock'), {
      code: 'forbidden',
    });
});

test('the heating goes down while a window is open and comes back, also when the only admin dies meanwhile', async () => {
  const [bedroom, stairs] = [device('bedroom'), device('stairs')];
  await bedroom.write('room-sensor', 'window', 'open');
  await stairs.shows('thermostat', 'target', 12);
  await device('computer').peer.kill();
  await bedroom.write('room-sensor', 'window', 'closed');
  await stairs.shows('thermostat', 'target', 20);
});

test('good night switches off everything in the house, and tells what it could not reach', async () => {
  const [living, stairs, porch] = [device('living-room'), device('stairs'), device('porch')];
  // Neither the camera's device nor the admin's is needed for it.
  await device('hall').peer.kill();
  await living.write('hall-lamp', 'on', true);
  await device('bedroom').invoke('bed-button', 'press');
  await living.shows('speaker', 'answer', 'Good night. The kitchen lamp does not answer.');
  assert.deepEqual(
    [
      await living.read('hall-lamp', 'on'),
      await porch.read('door', 'locked'),
      await stairs.read('thermostat', 'target'),
    ],
    [false, true, 17],
  );
});

test('when the last phone leaves, the house is put away, and not before', async () => {
  const [living, stairs, porch] = [device('living-room'), device('stairs'), device('porch')];
  await living.write('hall-lamp', 'on', true);
  await device('phone-ben').peer.kill();
  const [early] = await traced('porch', 'nobody-at-home', (executions) => executions.length === 1);
  assert.equal(early!.outcome, 'not-run');
  assert.deepEqual(
    [await living.read('hall-lamp', 'on'), await stairs.read('thermostat', 'target')],
    [true, 17],
  );
  await device('phone-anna').peer.kill();
  await living.shows('hall-lamp', 'on', false);
  await stairs.shows('thermostat', 'target', 16);
  const [away] = await traced('bedroom', 'nobody-at-home', ([newest]) => newest?.outcome === 'done');
  assert.deepEqual(away!.steps.map(({ thing, name, what }) => [thing, name, what]).at(-1), [
    porch.thing('door'),
    'lock',
    'done',
  ]);
});
