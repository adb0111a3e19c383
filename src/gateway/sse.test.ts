import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../client/sse-parser.ts';
import { AlthingError } from '../core/errors.ts';
import { defaultSseLimits, EventStreams, formatMessage, jsonOf } from './sse.ts';

const limits = { ...defaultSseLimits, maxQueuedBytes: 1000, maxStreams: 2 };

/** Reads a stream's body by hand, so that the test decides when the reader has room. */
const readerOf = (response: Response) => {
  const reader = response.body!.getReader();
  const parser = new SseParser();
  return {
    reader,
    /** The messages of the next chunk; undefined at the end. */
    read: async () => {
      const { done, value } = await reader.read();
      return done
        ? undefined
        : parser.push(value).map(({ event, data }) => ({ event, data: JSON.parse(data) }));
    },
  };
};

test('a slow reader holds a bounded queue, and is told exactly how many values it missed', async () => {
  const stream = new EventStreams(limits).open(() => {});
  const { read } = readerOf(stream.response());
  for (let i = 0; i < 500; i++) stream.send({ event: 'level', data: i });
  const kept = (await read())!.map((message) => message.data);
  assert.ok(kept.length > 10 && kept.length * 20 <= limits.maxQueuedBytes + 20);
  assert.deepEqual(kept, [...kept.keys()]);
  const [told] = (await read())!;
  assert.equal(told?.event, 'althing:problem');
  assert.equal(told?.data.code, 'values-missed');
  assert.equal(told?.data.details.missed, 500 - kept.length);
  stream.send({ event: 'level', data: 'after' });
  assert.deepEqual(await read(), [{ event: 'level', data: 'after' }]);
});

test('values missed before us add to those missed here', async () => {
  const stream = new EventStreams(limits).open(() => {});
  const { read } = readerOf(stream.response());
  for (let i = 0; i < 200; i++) stream.send({ data: i });
  stream.problem(new AlthingError('values-missed', 'Lost.', { details: { missed: 7 } }));
  const kept = (await read())!.length;
  assert.equal((await read())![0]?.data.details.missed, 200 - kept + 7);
});

test('one message larger than the bound still arrives', async () => {
  const stream = new EventStreams(limits).open(() => {});
  const { read } = readerOf(stream.response());
  stream.send({ data: 'x'.repeat(5000) });
  assert.equal((await read())![0]?.data.length, 5000);
});

test('a final problem comes after what was queued, and ends the stream', async () => {
  let closed = 0;
  const stream = new EventStreams(limits).open(() => {
    closed += 1;
  });
  const { read } = readerOf(stream.response());
  stream.send({ data: 1 });
  stream.problem(new AlthingError('peer-offline', 'Away.'));
  stream.send({ data: 2 });
  const messages = (await read())!;
  assert.deepEqual(
    messages.map((message) => message.data.code ?? message.data),
    [1, 'peer-offline'],
  );
  assert.equal(await read(), undefined);
  assert.equal(closed, 1);
});

test('a stream that ends while values are missing says so first', async () => {
  const stream = new EventStreams(limits).open(() => {});
  const { read } = readerOf(stream.response());
  for (let i = 0; i < 200; i++) stream.send({ data: i });
  stream.end();
  const seen: string[] = [];
  for (let messages = await read(); messages; messages = await read())
    seen.push(...messages.map((message) => message.event));
  assert.equal(seen.at(-1), 'althing:problem');
  assert.ok(seen.length < 200);
});

test('places are counted, given back once, and all end together', async () => {
  const streams = new EventStreams(limits);
  const first = streams.open(() => {});
  streams.open(() => {});
  assert.throws(() => streams.open(() => {}), { code: 'too-many' });
  await first.response().body!.cancel();
  assert.equal(streams.size, 1);
  streams.open(() => {});
  streams.closeAll();
  assert.equal(streams.size, 0);
});

test('an idle stream sends comments', async () => {
  const stream = new EventStreams({ ...limits, keepAliveMs: 1 }).open(() => {});
  // The stream's own timer does not keep a process alive, so the test does.
  const awake = setInterval(() => {}, 1000);
  const { reader } = readerOf(stream.response());
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value), ':\n\n');
  await reader.cancel();
  clearInterval(awake);
});

test('messages cannot be broken by what they carry', () => {
  const text = new TextDecoder().decode(formatMessage({ event: 'a\nb', id: 'c\rd', data: 'e\nf' }));
  assert.equal(text, 'event: a b\nid: c d\ndata: "e\\nf"\n\n');
  assert.equal(jsonOf({ bytes: Uint8Array.of(1, 2, 3), none: undefined }), '{"bytes":"AQID"}');
  assert.equal(jsonOf(undefined), 'null');
});
