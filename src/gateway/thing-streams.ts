/**
 * Observations and subscriptions as HTTP sees them: an SSE stream of values, or the next value by long poll.
 * Relies on the peer to keep the stream over reconnects; ids of messages are the positions that the device gives.
 */
import { AlthingError } from '../core/errors.ts';
import type { StreamHandle, StreamOperation, StreamPosition, ThingCall } from '../thing/operations.ts';
import { callOptions } from './request-input.ts';
import { authorizationOf, type Gateway, type GatewayContext } from './routes.ts';
import { defaultSseLimits, EventStream } from './sse.ts';

/**
 * Answers with the values of an observation or a subscription, each a message named after the affordance (WoT
 * Profile, HTTP SSE) with the id `run:seq`. A reader that comes back with `Last-Event-ID` is told with the first
 * value how many it missed. Throws what the device and the way to it can give.
 */
export const streamValues = async (
  c: GatewayContext,
  gateway: Gateway,
  call: ThingCall<StreamOperation>,
): Promise<Response> => {
  if (c.req.method === 'HEAD') return headOfStream();
  let last = parsePosition(c.req.header('last-event-id'));
  let handle: StreamHandle | undefined;
  let closed = false;
  const stream = gateway.streams.open(() => {
    closed = true;
    handle?.stop();
  }, authorizationOf(c));
  try {
    handle = await gateway.peer.stream(
      call,
      {
        next: (value, position) => {
          if (last) tellGap(stream, last, position);
          last = undefined;
          stream.send({ event: call.name ?? '', id: `${position.run}:${position.seq}`, data: value });
        },
        error: (error) => stream.problem(error),
      },
      callOptions(c, gateway),
    );
  } catch (error) {
    stream.discard();
    throw error;
  }
  // It may have ended while the device was being asked.
  if (closed) handle.stop();
  return stream.response();
};

/** The headers of an event stream, for HEAD: nothing is opened. */
export const headOfStream = (): Response => {
  const stream = new EventStream(defaultSseLimits, () => {});
  stream.end();
  return stream.response();
};

const tellGap = (stream: EventStream, last: StreamPosition, now: StreamPosition): void => {
  const sameRun = now.run === last.run;
  const missed = sameRun ? now.seq - last.seq - 1 : null;
  if (missed !== null && missed <= 0) return;
  stream.problem(
    new AlthingError(
      'values-missed',
      missed === null
        ? 'The device restarted since the last value that was read: some may be missing.'
        : `${missed} values came while nobody was connected.`,
      { details: { missed } },
    ),
  );
};

const parsePosition = (id: string | undefined): StreamPosition | undefined => {
  const match = /^(.{1,128}):(\d{1,15})$/.exec(id ?? '');
  return match ? { run: match[1]!, seq: Number(match[2]) } : undefined;
};

/**
 * The first value that comes after the call (long poll). Takes a place among the open streams while it waits.
 * Throws what the device and the way to it can give, `cancelled` when the gateway closes.
 */
export const nextValue = async (
  c: GatewayContext,
  gateway: Gateway,
  call: ThingCall<StreamOperation>,
): Promise<unknown> => {
  const result = Promise.withResolvers<unknown>();
  // It may fail before it is awaited below, where the failure is thrown: this only keeps it from counting as unhandled.
  result.promise.catch(() => {});
  const options = callOptions(c, gateway);
  const leave = () => result.reject(new AlthingError('cancelled', 'The long poll was given up.'));
  const release = gateway.streams.take(
    (reason) => (reason ? result.reject(reason) : leave()),
    authorizationOf(c),
  );
  options.signal?.addEventListener('abort', leave, { once: true });
  let handle: StreamHandle | undefined;
  try {
    handle = await gateway.peer.stream(
      call,
      {
        next: (value) => result.resolve(value),
        error: (error) => {
          // Whoever polls asks for what comes next, so values lost before it are not news.
          if (error.code !== 'values-missed') result.reject(error);
        },
      },
      options,
    );
    return await result.promise;
  } finally {
    handle?.stop();
    options.signal?.removeEventListener('abort', leave);
    release();
  }
};
