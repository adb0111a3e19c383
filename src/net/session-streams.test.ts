/**
 * The promises of a session's streams: every value once and in order, and a word where one is missing.
 * Relies on sessions over channels in memory; waits for conditions, never for times.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noServer, rawAsker, sessionPair } from '../testing/session-lab.ts';
import { RecordingSink } from '../testing/thing-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { StreamPosition, StreamSink, ThingCall, ThingServer } from '../thing/operations.ts';
import type { InteractionContext } from '../thing/scripting-api.ts';
import { frameType, maxFrameBytes } from './frames.ts';

const observe: ThingCall<'observeproperty'> = { thing: 'urn:lab:lamp', op: 'observeproperty', name: 'on' };

/** A server with one stream, in the test's hands. */
class StreamServer implements ThingServer {
  sink: StreamSink | undefined;
  after: (StreamPosition | undefined)[] = [];
  stopped = 0;
  seq = 0;
  request = noServer.request;
  async stream(_call: ThingCall, sink: StreamSink, _context: InteractionContext, after?: StreamPosition) {
    this.sink = sink;
    this.after.push(after);
    return { position: { run: 'run-1', seq: this.seq }, stop: () => void this.stopped++ };
  }
  emit(value: unknown): void {
    this.sink!.next(value, { run: 'run-1', seq: ++this.seq });
  }
}

test('a stream brings every value once, in order, those that came before its opening was answered included', async () => {
  const server = new StreamServer();
  const open = server.stream.bind(server);
  server.stream = async (...args) => {
    const opened = await open(...args);
    server.emit('early');
    return opened;
  };
  const { mine } = sessionPair(server);
  const sink = new RecordingSink();
  const after = { run: 'run-0', seq: 4 };
  const { position, stop } = await mine.stream(observe, sink, { after });
  assert.deepEqual(position, { run: 'run-1', seq: 0 });
  assert.deepEqual(server.after, [after]);
  for (let n = 0; n < 100; n++) server.emit(n);
  await waitFor(() => sink.values.length === 101, { what: 'the values' });
  assert.deepEqual(sink.values, ['early', ...Array(100).keys()]);
  assert.deepEqual(sink.positions[100], { run: 'run-1', seq: 101 });
  stop();
  await waitFor(() => server.stopped === 1, { what: 'the stop to arrive' });
  mine.close();
});

test('a stream ends with its session, on both sides', async () => {
  const server = new StreamServer();
  const { mine } = sessionPair(server);
  const sink = new RecordingSink();
  await mine.stream(observe, sink);
  mine.close(undefined, { abrupt: true });
  await waitFor(() => server.stopped === 1, { what: 'the device to be freed' });
  assert.deepEqual(
    sink.errors.map((error) => error.code),
    ['connection-lost'],
  );
});

test('a slow reader is told how many values it missed: none is dropped in silence, none is hoarded', async () => {
  const server = new StreamServer();
  const { mine, myChannel, theirChannel } = sessionPair(server);
  const sink = new RecordingSink();
  await mine.stream(observe, sink);
  myChannel.pause();
  const value = 'v'.repeat(10_000);
  for (let n = 0; n < 1000; n++) server.emit(value);
  assert.ok(theirChannel.queuedBytes < 3 * 1024 * 1024, `${theirChannel.queuedBytes} bytes are queued`);
  myChannel.resume();
  const missed = () => sink.errors.reduce((sum, error) => sum + Number(error.details?.missed), 0);
  await waitFor(() => sink.values.length + missed() === 1000, { what: 'every value to be accounted for' });
  assert.ok(missed() > 0 && sink.values.length > 50);
  server.emit('after');
  await waitFor(() => sink.values.at(-1) === 'after', { what: 'the stream to go on' });
  assert.equal(sink.positions.at(-1)?.seq, 1001);
  mine.close();
});

test('a value that does not fit into a frame is reported as missed, and the stream goes on', async () => {
  const server = new StreamServer();
  const { mine } = sessionPair(server);
  const sink = new RecordingSink();
  await mine.stream(observe, sink);
  server.emit(1);
  server.emit('x'.repeat(maxFrameBytes + 1));
  server.emit(2);
  await waitFor(() => sink.values.length === 2, { what: 'the values that fit' });
  assert.deepEqual(sink.values, [1, 2]);
  assert.deepEqual(
    sink.errors.map(({ code, details }) => [code, details?.missed]),
    [['values-missed', 1]],
  );
  mine.close();
});

test('a stream whose opening ran out of time is gone at the device, however long it takes there', async () => {
  const server = new StreamServer();
  const open = server.stream.bind(server);
  let letOpen = () => {};
  const gate = new Promise<void>((resolve) => {
    letOpen = resolve;
  });
  server.stream = async (...args) => {
    await gate;
    return open(...args);
  };
  const { raw } = rawAsker(server);
  raw.send([frameType.request, 1, 'observeproperty', 't', 'on', 20, null, null]);
  const [, , said] = await raw.frame('the error', ([type]) => type === frameType.error);
  assert.equal(said, 'timeout');
  letOpen();
  await waitFor(() => server.stopped === 1, { what: 'the late stream to be stopped' });
  server.emit('nobody’s');
  // The id is free again.
  raw.send([frameType.request, 1, 'observeproperty', 't', 'on', 1000, null, null]);
  await raw.frame('the second opening', ([type]) => type === frameType.response);
  assert.ok(!raw.frames.some(([type]) => type === frameType.notify));
  raw.channel.close();
});
