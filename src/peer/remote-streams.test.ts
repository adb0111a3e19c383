/**
 * The promises of lasting streams: over reconnects every value comes once, in order, and every gap is told.
 * Relies on real Things behind real sessions over channels in memory that a test breaks.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import type { Session } from '../net/session.ts';
import type { MemoryChannel } from '../testing/memory-channel.ts';
import { device, sessionPair } from '../testing/session-lab.ts';
import { labThing, RecordingSink } from '../testing/thing-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { ThingCall, ThingServer } from '../thing/operations.ts';
import { RemoteStreams } from './remote-streams.ts';

const observe: ThingCall<'subscribeevent'> = { thing: 'urn:lab:lamp', op: 'subscribeevent', name: 'flicker' };

/** A device and an asker that are connected whenever the test says so. */
class Lab {
  server: ThingServer;
  session: Session | undefined;
  readonly sink = new RecordingSink();
  readonly streams = new RemoteStreams(() => (this.session?.usable ? this.session : undefined));
  #channel: MemoryChannel | undefined;
  #theirs: Session | undefined;

  constructor(server: ThingServer) {
    this.server = server;
  }

  connect(): void {
    const serving: ThingServer = {
      request: (...args) => this.server.request(...args),
      stream: (...args) => this.server.stream(...args),
    };
    const pair = sessionPair(serving);
    this.session = pair.mine;
    this.#theirs = pair.theirs;
    this.#channel = pair.myChannel;
    this.streams.resume(device);
  }

  async cut(): Promise<void> {
    this.#channel?.close({ abrupt: true });
    await waitFor(() => !this.session || (this.session.closed && this.#theirs?.closed), { what: 'the cut' });
  }

  open() {
    return this.streams.open(device, observe, this.sink, {});
  }

  get missed(): (number | null)[] {
    return this.sink.errors.map(({ code, details }) => {
      assert.equal(code, 'values-missed');
      return (details?.missed as number | null) ?? null;
    });
  }

  async values(count: number): Promise<unknown[]> {
    await waitFor(() => this.sink.values.length >= count, {
      what: () => `${count} values; there were ${this.sink.values.length}`,
    });
    return this.sink.values;
  }

  async close(): Promise<void> {
    this.streams.close();
    await this.cut();
  }
}

const lampAt = async (run: string) => {
  let ids = 0;
  const lamp = labThing(undefined, { newId: () => `${run}-${++ids}` });
  await lamp.expose();
  return lamp;
};

test('a stream goes on over reconnects: what was emitted meanwhile comes, each once, in order', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  lab.connect();
  await lab.open();
  let next = 0;
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 10; n++) await lamp.emitEvent('flicker', next++);
    await lab.cut();
    for (let n = 0; n < 10; n++) await lamp.emitEvent('flicker', next++);
    lab.connect();
    await lab.values(next);
  }
  assert.deepEqual(lab.sink.values, [...Array(100).keys()]);
  assert.deepEqual(lab.missed, []);
  await lab.close();
});

test('what the device no longer has is told by number, and nothing of it comes later', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  lab.connect();
  await lab.open();
  await lamp.emitEvent('flicker', 0);
  await lab.values(1);
  await lab.cut();
  for (let n = 1; n <= 1000; n++) await lamp.emitEvent('flicker', n);
  lab.connect();
  await waitFor(() => lab.sink.values.at(-1) === 1000, { what: 'the newest value' });
  assert.equal(lab.missed.length, 1);
  assert.equal(lab.sink.values.length + Number(lab.missed[0]), 1001);
  await lab.close();
});

test('values that were told to be missed do not come again after a reconnect', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  lab.connect();
  await lab.open();
  for (let n = 0; n < 5; n++) await lamp.emitEvent('flicker', n);
  await lab.values(5);
  // As a session tells that dropped two values for a slow reader, which then breaks.
  const inner = lab.server;
  const afters: unknown[] = [];
  lab.server = {
    request: inner.request.bind(inner),
    stream: async (_call, sink, _context, after) => {
      afters.push(after);
      const error = new AlthingError('values-missed', '2 values.', { details: { missed: 2 } });
      if (afters.length === 1) sink.error(error, { run: 'run-x', seq: 7 });
      return { position: after ?? { run: 'run-x', seq: 5 }, stop: () => {} };
    },
  };
  await lab.cut();
  lab.connect();
  await waitFor(() => lab.missed.length === 1, { what: 'the gap to be told' });
  await lab.cut();
  lab.connect();
  await waitFor(() => afters.length === 2, { what: 'the next opening' });
  assert.equal((afters[1] as { seq: number }).seq, 7);
  await lab.close();
});

test('a device that has started anew is told apart: a gap of unknown size, then its values', async () => {
  const before = await lampAt('run-1');
  const lab = new Lab(before);
  lab.connect();
  await lab.open();
  for (let n = 0; n < 3; n++) await before.emitEvent('flicker', n);
  await lab.values(3);
  await lab.cut();
  const after = await lampAt('run-2');
  for (let n = 10; n < 15; n++) await after.emitEvent('flicker', n);
  lab.server = after;
  lab.connect();
  assert.deepEqual(await lab.values(8), [0, 1, 2, 10, 11, 12, 13, 14]);
  assert.deepEqual(lab.missed, [null]);
  await lab.close();
});

test('a Thing that is not back yet is asked for again until it is', async () => {
  const before = await lampAt('run-1');
  const lab = new Lab(before);
  lab.connect();
  await lab.open();
  await lab.cut();
  let asked = 0;
  lab.server = {
    request: before.request.bind(before),
    stream: async () => {
      asked += 1;
      throw new AlthingError('thing-unknown', 'Not yet.');
    },
  };
  lab.connect();
  await waitFor(() => asked >= 2, { what: 'two tries' });
  const after = await lampAt('run-2');
  lab.server = after;
  await after.emitEvent('flicker', 7);
  assert.deepEqual(await lab.values(1), [7]);
  await lab.close();
});

test('a device that ends what it has just opened is not asked without pause', async () => {
  const before = await lampAt('run-1');
  const lab = new Lab(before);
  let opened = 0;
  lab.server = {
    request: before.request.bind(before),
    stream: async (_call, sink) => {
      opened += 1;
      setImmediate(() => sink.error(new AlthingError('handler-failed', 'No.')));
      return { position: { run: 'run', seq: 0 }, stop: () => {} };
    },
  };
  lab.connect();
  await lab.open();
  await waitFor(() => opened >= 2, { what: 'the second try' });
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.equal(opened, 2);
  await lab.close();
});

test('what a device refuses for good ends the stream with its reason', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  lab.connect();
  await lab.open();
  await lab.cut();
  lab.server = {
    request: lamp.request.bind(lamp),
    stream: async () => {
      throw new AlthingError('forbidden', 'Not you.');
    },
  };
  lab.connect();
  await waitFor(() => lab.sink.errors.length > 0, { what: 'the end' });
  assert.deepEqual(
    lab.sink.errors.map(({ code }) => code),
    ['forbidden'],
  );
  await lab.close();
});

test('the first opening fails for its caller: unreachable, unknown, lost meanwhile', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  const code = (expected: string) => (error: unknown) =>
    error instanceof AlthingError && error.code === expected;
  await assert.rejects(lab.open(), code('peer-offline'));
  lab.connect();
  const unknown = { ...observe, name: 'nothing' };
  await assert.rejects(lab.streams.open(device, unknown, lab.sink, {}), code('affordance-unknown'));
  lab.server = { request: lamp.request.bind(lamp), stream: () => new Promise(() => {}) };
  const hanging = assert.rejects(lab.open(), code('outcome-unknown'));
  await lab.cut();
  await hanging;
  lab.server = lamp;
  lab.connect();
  await lamp.emitEvent('flicker', 1);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  assert.deepEqual(lab.sink.values, []);
  await lab.close();
});

test('a stream moves to a newer session at once, and the older one is told to stop', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  lab.connect();
  await lab.open();
  const older = lab.session!;
  lab.connect();
  for (let n = 0; n < 10; n++) await lamp.emitEvent('flicker', n);
  assert.deepEqual(await lab.values(10), [...Array(10).keys()]);
  older.close(undefined, { abrupt: true });
  await lamp.emitEvent('flicker', 10);
  assert.equal((await lab.values(11)).at(-1), 10);
  assert.deepEqual(lab.missed, []);
  await lab.close();
});

test('a stopped stream stays stopped', async () => {
  const lamp = await lampAt('run-1');
  const lab = new Lab(lamp);
  lab.connect();
  const handle = await lab.open();
  await lab.cut();
  handle.stop();
  lab.connect();
  await lamp.emitEvent('flicker', 1);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  assert.deepEqual(lab.sink.values, []);
  await lab.close();
});
