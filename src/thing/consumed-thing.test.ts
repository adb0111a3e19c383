import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import { directConnector, labLamp, labPeer, labThing } from '../testing/thing-lab.ts';
import { completeTd } from './complete-td.ts';
import { ConsumedThing } from './consumed-thing.ts';
import { InteractionOutput } from './interaction-output.ts';
import type { CallOptions, StreamSink, ThingCall, ThingConnector } from './operations.ts';
import type { ActionStatus } from './scripting-api.ts';

const td = completeTd(labLamp, { id: 'urn:lab:lamp', peer: labPeer, name: 'lamp' });

const connected = (prepare: (thing: ReturnType<typeof labThing>) => void = () => {}) => {
  const exposed = labThing(td);
  prepare(exposed);
  return { exposed, thing: new ConsumedThing(td, directConnector(exposed)) };
};

/** A way to nowhere, that remembers what it was asked. */
const recorder = (answer: unknown = null) => {
  const calls: [ThingCall, CallOptions | undefined][] = [];
  let sink: StreamSink | undefined;
  let stopped = 0;
  const connector: ThingConnector = {
    request: async (call, options) => {
      calls.push([call, options]);
      return answer;
    },
    stream: async (call, given, options) => {
      calls.push([call, options]);
      sink = given;
      return { stop: () => void stopped++ };
    },
  };
  return { calls, connector, sink: () => sink!, stopped: () => stopped };
};

test('properties are read and written, one or several at a time', async () => {
  let level = 1;
  const { thing } = connected((exposed) =>
    exposed
      .setPropertyReadHandler('level', () => level)
      .setPropertyReadHandler('on', () => true)
      .setPropertyWriteHandler('level', async (input) => {
        level = (await input.value()) as number;
      }),
  );
  await thing.writeProperty('level', 5);
  assert.equal(await (await thing.readProperty('level')).value(), 5);
  await thing.writeMultipleProperties({ level: 6 });
  await thing.writeMultipleProperties(new Map([['level', () => level + 1]]));
  const all = await thing.readAllProperties();
  assert.deepEqual([...all.keys()], ['on', 'level']);
  assert.equal(await (await thing.readMultipleProperties(['level'])).get('level')!.value(), 7);
});

test('functions, promises and outputs of other Things are taken as input', async () => {
  const written: unknown[] = [];
  const { thing } = connected((exposed) =>
    exposed.setPropertyWriteHandler('level', async (input) => void written.push(await input.value())),
  );
  for (const input of [1, () => 2, async () => 3, Promise.resolve(4), new InteractionOutput(5)])
    await thing.writeProperty('level', input);
  assert.deepEqual(written, [1, 2, 3, 4, 5]);
});

test('actions are invoked, and long-running ones followed', async () => {
  const { thing } = connected((exposed) =>
    exposed
      .setActionHandler('fade', async (input) => ((await input.value()) as { to: number }).to)
      .setActionHandler('toggle', () => {})
      .setActionHandler('sunrise', () => new Promise(() => {})),
  );
  const faded = await thing.invokeAction('fade', { to: 4 });
  assert.equal(await faded.value(), 4);
  assert.deepEqual(faded.schema, { type: 'integer' });
  assert.equal(await (await thing.invokeAction('toggle')).value(), null);
  const started = (await (await thing.invokeAction('sunrise')).value()) as ActionStatus;
  assert.equal((await thing.queryAction('sunrise', started.id)).status, 'running');
  await thing.cancelAction('sunrise', started.id);
  assert.equal((await thing.queryAction('sunrise', started.id)).status, 'cancelled');
});

test('each listener gets a copy of its own', async () => {
  const { connector, sink } = recorder();
  const thing = new ConsumedThing(td, connector);
  let got: { a: number } | undefined;
  await thing.observeProperty('on', async (data) => {
    got = (await data.value()) as { a: number };
  });
  const shared = { a: 1 };
  sink().next(shared, { run: 'r', seq: 1 });
  await new Promise(setImmediate);
  got!.a = 2;
  assert.deepEqual(shared, { a: 1 });
});

test('listeners get values until they stop', async () => {
  const { exposed, thing } = connected();
  const seen: unknown[] = [];
  const one = await thing.observeProperty('level', async (data) => void seen.push(await data.value()));
  const two = await thing.observeProperty('level', async (data) => void seen.push(await data.value()));
  await exposed.emitPropertyChange('level', 1);
  await one.stop();
  await one.stop();
  assert.deepEqual([one.active, two.active], [false, true]);
  await exposed.emitPropertyChange('level', 2);
  await new Promise(setImmediate);
  assert.deepEqual(seen, [1, 1, 2]);
});

test('what the TD does not offer is refused before anything is asked', async () => {
  const { calls, connector } = recorder();
  const thing = new ConsumedThing(td, connector);
  const refused: [() => Promise<unknown>, string][] = [
    [() => thing.readProperty('toString'), 'affordance-unknown'],
    [() => thing.readProperty('pin'), 'operation-unsupported'],
    [() => thing.readMultipleProperties(['on', 'pin']), 'operation-unsupported'],
    [() => thing.writeProperty('serial', 'x'), 'operation-unsupported'],
    [() => thing.writeMultipleProperties({ on: true, serial: 'x' }), 'operation-unsupported'],
    [() => thing.writeProperty('on', Number.NaN), 'value-invalid'],
    [() => thing.invokeAction('explode'), 'affordance-unknown'],
    [() => thing.queryAction('toggle', 'x'), 'operation-unsupported'],
    [() => thing.cancelAction('toggle', 'x'), 'operation-unsupported'],
    [() => thing.observeProperty('color', () => {}), 'operation-unsupported'],
    [() => thing.subscribeEvent('on', () => {}), 'affordance-unknown'],
  ];
  for (const [call, code] of refused) await assert.rejects(call(), { code });
  assert.deepEqual(calls, []);
});

test('what a call says goes along: variables, deadline, signal, cause', async () => {
  const { calls, connector } = recorder();
  const cause = { id: 'c', origin: 'program', peer: labPeer } as const;
  const own = { id: 'own', origin: 'rule', peer: labPeer } as const;
  const { signal } = new AbortController();
  const thing = new ConsumedThing(td, connector, { newCause: () => cause });
  await thing.writeProperty('on', true);
  await thing.readProperty('forecast', { uriVariables: { days: 2 }, timeoutMs: 5, signal, cause: own });
  await thing.subscribeEvent('overheated', () => {}, undefined, { data: { above: 3 } });
  assert.deepEqual(calls, [
    [{ thing: 'urn:lab:lamp', op: 'writeproperty', name: 'on', input: true }, { cause }],
    [
      { thing: 'urn:lab:lamp', op: 'readproperty', name: 'forecast', uriVariables: { days: 2 } },
      { timeoutMs: 5, signal, cause: own },
    ],
    [{ thing: 'urn:lab:lamp', op: 'subscribeevent', name: 'overheated', input: { above: 3 } }, { cause }],
  ]);
});

test('missed values are told and the subscription stays; any other error ends it', async () => {
  const { connector, sink, stopped } = recorder();
  const thing = new ConsumedThing(td, connector);
  const values: unknown[] = [];
  const codes: string[] = [];
  const subscription = await thing.subscribeEvent(
    'flicker',
    async (data) => void values.push(await data.value()),
    ({ code }) => void codes.push(code),
  );
  const position = { run: 'r', seq: 1 };
  sink().error(new AlthingError('values-missed', 'some'));
  assert.equal(subscription.active, true);
  sink().next(1, position);
  sink().error(new AlthingError('thing-unknown', 'gone'));
  assert.equal(subscription.active, false);
  sink().next(2, position);
  sink().error(new AlthingError('values-missed', 'some'));
  await new Promise(setImmediate);
  assert.deepEqual([values, codes], [[1], ['values-missed', 'thing-unknown']]);
  assert.equal(stopped(), 1);
});

test('a subscription that its device ends while it opens is closed', async () => {
  let stopped = 0;
  const connector: ThingConnector = {
    request: async () => null,
    stream: async (_, sink) => {
      sink.error(new AlthingError('thing-unknown', 'gone'));
      return { stop: () => void stopped++ };
    },
  };
  const subscription = await new ConsumedThing(td, connector).subscribeEvent('flicker', () => {});
  assert.deepEqual([subscription.active, stopped], [false, 1]);
});

test('a listener that throws, now or later, is logged and gets the next value all the same', async () => {
  const { connector, sink } = recorder();
  let failures = 0;
  const logger = { ...silentLogger, error: () => void failures++ };
  const seen: string[] = [];
  const thing = new ConsumedThing(td, connector, { logger });
  await thing.observeProperty('on', () => {
    seen.push('now');
    throw new Error('now');
  });
  sink().next(true, { run: 'r', seq: 1 });
  sink().next(true, { run: 'r', seq: 2 });
  await thing.observeProperty('on', async () => {
    seen.push('later');
    throw new Error('later');
  });
  sink().next(true, { run: 'r', seq: 3 });
  await new Promise(setImmediate);
  assert.deepEqual([seen, failures], [['now', 'now', 'later'], 3]);
});

test('an answer of the wrong shape is a protocol error', async () => {
  const thing = new ConsumedThing(td, recorder('nonsense').connector);
  await assert.rejects(thing.readAllProperties(), { code: 'protocol-error' });
  await assert.rejects(thing.queryAction('sunrise', 'x'), { code: 'protocol-error' });
});
