/**
 * The promises of a session: every request ends, once, with what became of it; nobody can make the other side fail.
 * Relies on sessions over channels in memory; waits for conditions, never for times.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, type ErrorCode } from '../core/errors.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import {
  asker,
  device,
  noServer,
  RawEnd,
  rawAsker,
  rawDevice,
  sessionOver,
  sessionPair,
} from '../testing/session-lab.ts';
import { RecordingSink } from '../testing/thing-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { ThingCall, ThingServer } from '../thing/operations.ts';
import type { InteractionContext } from '../thing/scripting-api.ts';
import { FrameChannel } from './frame-channel.ts';
import { frameType, maxFrameBytes } from './frames.ts';

const read: ThingCall<'readproperty'> = { thing: 'urn:lab:lamp', op: 'readproperty', name: 'on' };
const invoke: ThingCall<'invokeaction'> = { thing: 'urn:lab:lamp', op: 'invokeaction', name: 'fade' };
const observe: ThingCall<'observeproperty'> = { thing: 'urn:lab:lamp', op: 'observeproperty', name: 'on' };

const code = (expected: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof AlthingError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

const serving = (request: ThingServer['request']): ThingServer => ({ ...noServer, request });

/** A server whose requests wait until they are let go or given up. */
class SlowServer implements ThingServer {
  readonly calls: { call: ThingCall; context: InteractionContext; answer: (value: unknown) => void }[] = [];
  request(call: ThingCall, context: InteractionContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
      this.calls.push({ call, context, answer: resolve });
    });
  }
  stream = noServer.stream;
}

test('a request arrives whole, and its answer comes back', async () => {
  let seen: { call: ThingCall; context: InteractionContext } | undefined;
  const { mine } = sessionPair(
    serving(async (call, context) => {
      seen = { call, context };
      return { level: [1, 2.5, 'three', null, true] };
    }),
  );
  const call = { ...invoke, input: { to: 7 }, uriVariables: { days: 3 } };
  const cause = { id: 'cause-7', origin: 'rule' as const, peer: asker };
  const before = Date.now();
  const answer = await mine.request(call, { cause, timeoutMs: 5000 });
  assert.deepEqual(answer, { level: [1, 2.5, 'three', null, true] });
  assert.deepEqual(seen?.call, { thing: call.thing, op: call.op, name: 'fade', input: { to: 7 } });
  assert.deepEqual(seen?.context.uriVariables, { days: 3 });
  assert.deepEqual(seen?.context.cause, cause);
  assert.equal(seen?.context.peer, asker);
  assert.ok(seen.context.deadline >= before + 5000 && seen.context.deadline <= Date.now() + 5000);
  mine.close();
});

test('an error of the device comes with its code, message and details', async () => {
  const { mine } = sessionPair(
    serving(async () => {
      throw new AlthingError('name-ambiguous', 'Which one?', { details: { candidates: ['a', 'b'] } });
    }),
  );
  await assert.rejects(mine.request(read), (error) => {
    code('name-ambiguous')(error);
    assert.equal((error as AlthingError).message, 'Which one?');
    assert.deepEqual((error as AlthingError).details, { candidates: ['a', 'b'] });
    return true;
  });
  mine.close();
});

test('whatever a handler throws or gives fails its own call only', async () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const bad: (() => unknown)[] = [
    () => {
      throw new AlthingError('handler-failed', 'cyclic', { details: cyclic });
    },
    () => {
      throw new AlthingError('handler-failed', 'function', { details: { f: () => {} } });
    },
    () => {
      throw new AlthingError('handler-failed', 'big', { details: { n: 1n } });
    },
    () => Promise.reject(undefined),
    () => () => 'a function',
    () => Number.NaN,
    () => [undefined],
    () => 2n ** 70n,
    () => 'x'.repeat(maxFrameBytes + 1),
    () => {
      let deep: unknown = 1;
      for (let i = 0; i < 100; i++) deep = [deep];
      return deep;
    },
  ];
  const { mine, theirs } = sessionPair(
    serving(async ({ input }) => (typeof input === 'number' ? bad[input]!() : 'fine')),
  );
  for (let input = 0; input < bad.length; input++)
    await assert.rejects(mine.request({ ...invoke, input }), AlthingError, `number ${input}`);
  assert.equal(await mine.request(invoke), 'fine');
  assert.ok(mine.usable && theirs.usable);
  mine.close();
});

test('what cannot be sent fails at the asker, and the session goes on', async () => {
  const { mine } = sessionPair(serving(async () => 'fine'));
  await assert.rejects(mine.request({ ...invoke, input: () => {} }), AlthingError);
  await assert.rejects(mine.request({ ...invoke, input: Number.NaN }), AlthingError);
  await assert.rejects(mine.request({ ...invoke, input: [undefined] }), AlthingError);
  await assert.rejects(
    mine.request({ ...invoke, input: 'x'.repeat(maxFrameBytes) }),
    code('value-too-large'),
  );
  for (const timeoutMs of [Number.POSITIVE_INFINITY, Number.NaN, 1e12])
    assert.equal(await mine.request(read, { timeoutMs }), 'fine');
  assert.ok(mine.usable);
  mine.close();
});

test('no name, however long, ends the session', async () => {
  const { mine } = sessionPair(
    serving(async ({ name }) => {
      throw new AlthingError('affordance-unknown', `There is no ${name}.`);
    }),
  );
  await assert.rejects(mine.request({ ...read, name: 'n'.repeat(5000) }), code('affordance-unknown'));
  await assert.rejects(mine.request(read), code('affordance-unknown'));
  mine.close();
});

test('a deadline ends the call on both sides, and aborts the handler', async () => {
  const server = new SlowServer();
  const { mine } = sessionPair(server);
  await assert.rejects(mine.request(invoke, { timeoutMs: 30 }), code('timeout'));
  const { context } = server.calls[0]!;
  assert.ok(context.signal.aborted);
  code('timeout')(context.signal.reason);
  mine.close();
});

test('a device that never answers is given up by the asker alone', async () => {
  const { raw, session } = rawDevice();
  const asked = session.request(invoke, { timeoutMs: 20 });
  await assert.rejects(asked, code('timeout'));
  const [, id] = await raw.frame('the request', ([type]) => type === frameType.request);
  await raw.frame('its cancel', (frame) => frame[0] === frameType.cancel && frame[1] === id);
  // A late answer is nobody's.
  raw.send([frameType.response, id, 'late']);
  assert.ok(session.usable);
  session.close();
});

test('a cancel travels to the handler', async () => {
  const server = new SlowServer();
  const { mine } = sessionPair(server);
  const controller = new AbortController();
  const asked = mine.request(invoke, { signal: controller.signal });
  await waitFor(() => server.calls.length === 1, { what: 'the call' });
  const { context } = server.calls[0]!;
  assert.equal(context.signal.aborted, false);
  controller.abort();
  await assert.rejects(asked, code('cancelled'));
  await waitFor(() => context.signal.aborted, { what: 'the handler to be told' });
  await assert.rejects(mine.request(invoke, { signal: controller.signal }), code('cancelled'));
  mine.close();
});

test('what is in flight on a lost channel has an unknown outcome; what was not sent is lost', async () => {
  const server = new SlowServer();
  const { mine, theirs, theirChannel } = sessionPair(server);
  const asked = mine.request(invoke);
  await waitFor(() => server.calls.length === 1, { what: 'the call' });
  theirChannel.close({ abrupt: true });
  await assert.rejects(asked, code('outcome-unknown'));
  await assert.rejects(mine.request(read), code('connection-lost'));
  assert.ok(server.calls[0]!.context.signal.aborted);
  assert.ok(mine.closed && theirs.closed);
});

test('256 calls run at once, more wait for their turn, and none is lost', async () => {
  const server = new SlowServer();
  const { mine, theirs } = sessionPair(server);
  const asked = Array.from({ length: 600 }, (_, input) => mine.request({ ...invoke, input }));
  await waitFor(() => server.calls.length >= 256, { what: '256 calls' });
  assert.equal(server.calls.length, 256);
  for (let next = 0; next < 600; next++) {
    await waitFor(() => server.calls[next], { what: `call ${next}` });
    assert.ok(server.calls.length <= 256 + next);
    server.calls[next]!.answer(next);
  }
  assert.deepEqual(await Promise.all(asked), Array.from(asked.keys()));
  assert.ok(mine.usable && theirs.usable);
  mine.close();
});

test('calls that wait for calls of the other direction do not wait for ever', async () => {
  // Every call of the device calls back, more of them than run at once.
  const pair = sessionPair(
    serving(async ({ input }) => pair.theirs.request({ ...read, input }, { timeoutMs: 5000 })),
    { mineServer: serving(async ({ input }) => input) },
  );
  const asked = Array.from({ length: 1000 }, (_, input) => pair.mine.request({ ...invoke, input }));
  assert.deepEqual(await Promise.all(asked), Array.from(asked.keys()));
  pair.mine.close();
});

test('a call that waits for its turn can be given up and times out, without ever running', async () => {
  const server = new SlowServer();
  const { raw, session } = rawAsker(server);
  const request = (id: number, timeoutMs: number) =>
    raw.send([frameType.request, id, 'invokeaction', 't', 'a', timeoutMs, null, null]);
  for (let id = 1; id <= 256; id++) request(id, 60_000);
  request(257, 60_000);
  request(258, 20);
  raw.send([frameType.cancel, 257]);
  const answer = (id: number) => raw.frame(`an answer to ${id}`, (frame) => frame[1] === id);
  assert.equal((await answer(257))[2], 'cancelled');
  assert.equal((await answer(258))[2], 'timeout');
  server.calls[0]!.answer('done');
  assert.equal((await answer(1))[2], 'done');
  request(259, 60_000);
  await waitFor(() => server.calls.length === 257, { what: 'the next call' });
  session.close();
});

test('an asker that reads nothing of what it asks for costs a bounded amount of memory', async () => {
  const value = 'x'.repeat(900_000);
  let answered = 0;
  const { raw, channel } = rawAsker(
    serving(async () => {
      answered += 1;
      return value;
    }),
  );
  raw.channel.pause();
  const request = (id: number) =>
    [frameType.request, id, 'readproperty', read.thing, 'on', 10_000, null, null] as const;
  for (let id = 1; id <= 2000; id++) raw.send([...request(id)]);
  await waitFor(() => answered >= 5, { what: 'some answers' });
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  assert.ok(channel.queuedBytes < 16 * 1024 * 1024, `${channel.queuedBytes} bytes are queued`);
  raw.channel.close({ abrupt: true });
});

test('pings that are never read cost a bounded amount of memory', async () => {
  const { raw, channel } = rawAsker(noServer);
  raw.channel.pause();
  const ping = [frameType.ping, 'p'.repeat(10_000)] as const;
  for (let number = 0; number < 2000; number++) raw.send([...ping]);
  await waitFor(() => raw.channel.queuedBytes === 0, { what: 'the pings to arrive' });
  assert.ok(channel.queuedBytes < 2 * 1024 * 1024, `${channel.queuedBytes} bytes were queued`);
  raw.channel.close({ abrupt: true });
});

test('who takes nothing at all is cut off before much is kept for it', async () => {
  const { raw, session, channel } = rawAsker(noServer);
  raw.channel.pause();
  const author = new Uint8Array(32);
  const zero = { epoch: 0, seq: 0 };
  const records = [new Uint8Array(100_000)];
  for (let number = 0; number < 1000; number++) {
    session.sendSync({ kind: 'records', stream: 'data', author, from: zero, to: zero, records });
    assert.ok(channel.queuedBytes < 40 * 1024 * 1024, `${channel.queuedBytes} bytes were queued`);
  }
  await waitFor(() => session.closed, { what: 'the end' });
});

test('an unknown frame is answered and ignored, unknown trailing elements are ignored', async () => {
  const { raw, session } = rawAsker(serving(async () => 'fine'));
  raw.send([77, 'whatever', { a: 1 }]);
  const [, id, said] = await raw.frame('the answer', ([type]) => type === frameType.error);
  assert.deepEqual([id, said], [0, 'protocol-error']);
  raw.send([frameType.request, 1, 'readproperty', read.thing, 'on', 1000, null, null, null, 'new', [1]]);
  await raw.frame('the response', (frame) => frame[0] === frameType.response && frame[2] === 'fine');
  raw.send([frameType.ping, 5, 'new']);
  await raw.frame('the pong', (frame) => frame[0] === frameType.pong && frame[1] === 5);
  assert.ok(session.usable);
  session.close();
});

test('an id that is in use is refused, and so are malformed frames of every type: all is freed', async () => {
  const { request, response, notify, vector, want, records } = frameType;
  const bad: (readonly [number, ...unknown[]])[][] = [
    [
      [request, 1, 'invokeaction', 't', 'a', 1000, null, null],
      [request, 1, 'invokeaction', 't', 'a', 1000, null, null],
    ],
    [[request]],
    [[request, 0, 'readproperty', 't', 'a', 1000, null, null]],
    [[request, 1.5, 'readproperty', 't', 'a', 1000, null, null]],
    [[request, 'one', 'readproperty', 't', 'a', 1000, null, null]],
    [[request, 2, 7, 't', 'a', 1000, null, null]],
    [[request, 2, 'readproperty', 7, 'a', 1000, null, null]],
    [[request, 2, 'readproperty', 't', 7, 1000, null, null]],
    [[request, 2, 'readproperty', 't', 'a', 1000, null, 'extra']],
    [[vector]],
    [[vector, [[0, new Uint8Array(3), 1, 1, new Uint8Array(32)]]]],
    [[vector, [[9, new Uint8Array(32), 1, 1, new Uint8Array(32)]]]],
    [[want, 0, new Uint8Array(32), [1, -1]]],
    [[records, 0, new Uint8Array(32), [0, 0], [1, 1], []]],
    [[records, 0, new Uint8Array(32), [0, 0], [1, 1], ['x']]],
  ];
  for (const frames of bad) {
    const server = new SlowServer();
    const { raw, session } = rawAsker(server);
    let reason: AlthingError | undefined;
    session.onClose = (_, why) => {
      reason = why;
    };
    raw.send([request, 99, 'invokeaction', 't', 'a', 60_000, null, null]);
    await waitFor(() => server.calls.length === 1, { what: 'the running call' });
    raw.send(...(frames as [number, ...unknown[]][]));
    await waitFor(() => session.closed && raw.closed, { what: `${JSON.stringify(frames)} to be refused` });
    code('protocol-error')(reason);
    for (const { context } of server.calls) assert.ok(context.signal.aborted);
  }
  // The other way round: answers that do not fit.
  for (const frame of [
    [response, 1, 'no position'],
    [notify, 1, 'no number', 7],
  ] as [number, ...unknown[]][]) {
    const { raw, session } = rawDevice();
    const opening = session.stream(observe, new RecordingSink());
    // Its failure, which is what the test is about, may come before it is waited for below.
    opening.catch(() => {});
    const [, id] = await raw.frame('the request', ([type]) => type === request);
    assert.equal(id, 1);
    raw.send(frame);
    await assert.rejects(opening, code('outcome-unknown'));
    assert.ok(session.closed);
  }
});

test('bytes that are no frame end the session', async () => {
  for (const bytes of [
    Uint8Array.of(0, 0, 0, 0),
    Uint8Array.of(0, 0, 0, 1, 0xf6),
    Uint8Array.of(0, 0, 0, 2, 0x81, 0x20),
    Uint8Array.of(0, 0, 0, 3, 0x9f, 0x01, 0xff),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff),
    new TextEncoder().encode('GET / HTTP/1.1\r\nHost: lamp\r\n\r\n'),
  ]) {
    const { raw, session } = rawAsker(noServer);
    raw.sendBytes(bytes);
    await waitFor(() => session.closed && raw.closed, { what: `${bytes} to be refused` });
  }
});

test('a retired session drains: what is under way is answered, then it ends', async () => {
  const server = new SlowServer();
  const { mine, theirs } = sessionPair(server);
  const asked = mine.request(invoke);
  await waitFor(() => server.calls.length === 1, { what: 'the call' });
  mine.retire();
  theirs.retire();
  assert.ok(!mine.usable && !mine.closed);
  // Longer than the time that a retired session is given at least.
  await waitFor(() => performance.now() - theirs.since > 500, { what: 'half a second' });
  assert.ok(!mine.closed && !theirs.closed);
  server.calls[0]!.answer('done');
  assert.equal(await asked, 'done');
  await waitFor(() => mine.closed && theirs.closed, { what: 'both ends to close' });
});

test('a session that one side has retired still answers those whom the news has not reached', async () => {
  const { mine, theirs } = sessionPair(serving(async () => 'fine'));
  await waitFor(() => performance.now() - theirs.since > 400, { what: 'a session that is not young' });
  theirs.retire();
  const retired = performance.now();
  let asked = 0;
  while (performance.now() - retired < 200) {
    assert.equal(await mine.request(read), 'fine');
    asked += 1;
  }
  assert.ok(asked > 10);
  mine.retire();
  await waitFor(() => mine.closed && theirs.closed, { what: 'both ends to close' });
});

test('reconciliation messages are dealt with sixteen at a time: the other side is pushed back, calls or no calls', async () => {
  const [mine, theirs] = memoryChannelPair(asker, device, { pieceBytes: 512 });
  const waiting: (() => void)[] = [];
  let most = 0;
  const server = new SlowServer();
  const session = sessionOver(
    theirs,
    server,
    () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        most = Math.max(most, waiting.length);
      }),
  );
  const raw = new RawEnd(mine);
  for (let n = 1; n <= 1000; n++)
    raw.send(
      [frameType.request, n, 'invokeaction', 't', 'a', 60_000, null, null],
      [frameType.want, 0, new Uint8Array(32), [1, n]],
    );
  let done = 0;
  await waitFor(
    () => {
      for (const { answer } of server.calls) answer(null);
      if (waiting.length > 0) {
        waiting.shift()!();
        done += 1;
      }
      // A turn without an end of its own lets the event loop read as much as it may.
      return done === 200;
    },
    { timeoutMs: 20_000, what: '200 messages to be dealt with' },
  );
  assert.equal(most, 16);
  session.close(undefined, { abrupt: true });
});

test(`the peer's id is the channel's key`, () => {
  const { mine, theirs } = sessionPair(noServer);
  assert.deepEqual([mine.peer, theirs.peer], [device, asker]);
  mine.close();
});

test('a process that gets little time reads what has come before it takes the other side for dead', async () => {
  const [mine, theirs] = memoryChannelPair(asker, device);
  const session = sessionOver(mine);
  const other = new FrameChannel(theirs);
  other.trust();
  const { promise: wasBusy, resolve: done } = Promise.withResolvers<void>();
  // The session waits for nothing but a sign of life after its second ping: its timer is due 1800 ms after it began.
  other.handle(([type, number]) => {
    if (type === frameType.request) other.send([frameType.response, number, 'alive']);
    if (type !== frameType.ping || number !== 2) return;
    while (performance.now() - session.since < 1900) {
      // No time for anything else.
    }
    other.send([frameType.pong, number]);
    done();
  });
  await wasBusy;
  assert.equal(await session.request(read), 'alive');
  session.close();
});
