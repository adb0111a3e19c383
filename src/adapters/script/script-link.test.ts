import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { AlthingError, type ErrorCode } from '../../core/errors.ts';
import { waitFor } from '../../testing/wait-for.ts';
import { encodeFrame } from './script-frames.ts';
import { type LinkOptions, ScriptLink } from './script-link.ts';
import { channelLimits, type Message } from './script-messages.ts';

type Request = { op: string; params: { n: number } };
type Notice = { topic: string; params: { n: number } };
type Options = LinkOptions<Request, Notice>;

const pair = (left: Partial<Options>, right: Partial<Options>) => {
  const [a, b] = duplexPair();
  const defaults: Options = {
    maxInBytes: 10_000,
    maxOutBytes: 10_000,
    maxWaiting: 0,
    lost: new AlthingError('script-failed', 'gone'),
    check: (raw) => raw as Message<Request, Notice>,
    onRequest: async ({ params }) => params.n,
    onNotice: () => {},
    onBroken: () => {},
  };
  const link = (stream: typeof a, options: Partial<Options>) =>
    new ScriptLink<Request, Notice, Request, Notice>(stream, { ...defaults, ...options });
  return { left: link(a, left), right: link(b, right), rawLeft: a, rawRight: b };
};

const ask = (n: number): Request => ({ op: 'ask', params: { n } });
const fails = (code: ErrorCode) => (error: unknown) => error instanceof AlthingError && error.code === code;
const never = new Promise<never>(() => {});

test('answers find their requests, errors keep their code, other errors become handler-failed', async () => {
  const { left } = pair(
    {},
    {
      onRequest: async ({ params }) => {
        if (params.n === 1) throw new AlthingError('value-invalid', 'no', { details: { at: '/x' } });
        if (params.n === 2) throw new Error('broken');
        return { n: params.n };
      },
    },
  );
  const [zero, one, two] = await Promise.allSettled([0, 1, 2].map((n) => left.request(ask(n))));
  assert.deepEqual(zero, { status: 'fulfilled', value: { n: 0 } });
  assert.ok(
    one?.status === 'rejected' && fails('value-invalid')(one.reason) && one.reason.details.at === '/x',
  );
  assert.ok(two?.status === 'rejected' && fails('handler-failed')(two.reason));
});

test('an abort reaches the other side, and the caller does not wait for it', async () => {
  let served: AbortSignal | undefined;
  const { left } = pair(
    {},
    {
      onRequest: (_request, signal) => {
        served = signal;
        return never;
      },
    },
  );
  const controller = new AbortController();
  const asked = left.request(ask(1), controller.signal);
  await waitFor(() => served, { what: 'the request' });
  controller.abort();
  await assert.rejects(asked, fails('cancelled'));
  await waitFor(() => served?.aborted, { what: 'the abort' });
});

test('without credit left requests wait where they may, and are refused where not', async () => {
  const go = Promise.withResolvers<void>();
  const slow: Partial<Options> = {
    onRequest: async ({ params }) => {
      await go.promise;
      return params.n;
    },
  };
  const { left, right } = pair({ maxWaiting: 10, ...slow }, slow);
  const numbers = Array.from({ length: channelLimits.openRequests + 5 }, (_, n) => n);
  const asked = Promise.all(numbers.map((n) => left.request(ask(n))));
  const refused = numbers.map((n) => right.request(ask(n)));
  const outcomes = Promise.allSettled(refused);
  go.resolve();
  assert.deepEqual(await asked, numbers);
  const rejected = (await outcomes).filter(({ status }) => status === 'rejected');
  assert.equal(rejected.length, 5);
});

test('too many waiting requests are told as an overflow', async () => {
  let overflowed = false;
  const { left } = pair(
    {
      maxWaiting: 1,
      onOverflow: () => {
        overflowed = true;
      },
    },
    { onRequest: () => never },
  );
  // They are never answered; the lab's end breaks the link, which is no news to anybody.
  for (let n = 0; n <= channelLimits.openRequests; n++) void Promise.allSettled([left.request(ask(n))]);
  await assert.rejects(left.request(ask(0)), fails('too-many'));
  assert.equal(overflowed, true);
});

test('a side that ignores its credit breaks the link', async () => {
  const broken = Promise.withResolvers<AlthingError | undefined>();
  const { rawLeft } = pair({}, { onRequest: () => never, onBroken: broken.resolve });
  for (let id = 1; id <= channelLimits.openRequests + 1; id++)
    rawLeft.write(encodeFrame({ kind: 'request', id, ...ask(id) }, 10_000));
  assert.equal((await broken.promise)?.code, 'rate-limited');
});

test('a frame that is too long breaks the link, and what is open fails as lost', async () => {
  const broken = Promise.withResolvers<AlthingError | undefined>();
  const { rawRight, left } = pair({ onBroken: broken.resolve }, { onRequest: () => never });
  const asked = left.request(ask(1));
  rawRight.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  await assert.rejects(asked, fails('script-failed'));
  assert.equal((await broken.promise)?.code, 'value-too-large');
});

test('a value that cannot be sent fails its request alone', async () => {
  const { left } = pair(
    {},
    { onRequest: async ({ params }) => (params.n === 1 ? 'x'.repeat(20_000) : 'ok') },
  );
  await assert.rejects(left.request(ask(1)), fails('value-too-large'));
  assert.equal(await left.request(ask(2)), 'ok');
});

test('messages above the rate are taken later, none is lost', async () => {
  const seen: number[] = [];
  const { left } = pair({}, { onNotice: ({ params }) => seen.push(params.n), delayMs: () => 1 });
  for (let n = 0; n < 20; n++) left.notify({ topic: 'count', params: { n } });
  await waitFor(() => seen.length === 20, { what: 'all notices' });
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, n) => n),
  );
});
