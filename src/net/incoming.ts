/**
 * The requests and streams that the other side of a session has asked of this peer.
 * Relies on a host that executes them; bounds how many run at once and what waits to be sent.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { ThingServer } from '../thing/operations.ts';
import {
  type Operation,
  type RequestOperation,
  requestOperations,
  type StreamHandle,
  type StreamOperation,
  type StreamPosition,
  streamOperations,
  type ThingCall,
} from '../thing/operations.ts';
import type { Cause, InteractionContext } from '../thing/scripting-api.ts';
import { Deadlines } from './deadlines.ts';
import type { FrameChannel } from './frame-channel.ts';
import { type Frame, frameType } from './frames.ts';

/** Requests of one session that run at once; reading stops until some have ended. */
const maxRunning = 256;
const maxStreams = 1024;
/** Values of one stream that wait for its opening to be answered. */
const maxEarly = 256;
/** Values for a slow reader are dropped, and said to be, beyond this. */
const maxQueuedBytes = 1024 * 1024;
const maxTimeoutMs = 600_000;
const defaultTimeoutMs = 10_000;
const origins: ReadonlySet<unknown> = new Set(['cli', 'http', 'script', 'program', 'rule']);
const requests: ReadonlySet<unknown> = new Set(requestOperations);
const streams: ReadonlySet<unknown> = new Set(streamOperations);

const empty: Readonly<Record<string, unknown>> = Object.freeze({});

/** One request while it runs. The signal is made only for handlers that look at it. */
class Incoming implements InteractionContext {
  readonly id: number;
  readonly peer: PeerId;
  readonly deadline: number;
  readonly cause: Cause;
  readonly uriVariables: Readonly<Record<string, unknown>>;
  /** On the monotonic clock. */
  readonly expires: number;
  #controller: AbortController | undefined;
  #reason: AlthingError | undefined;

  constructor(
    id: number,
    peer: PeerId,
    options: { timeoutMs: number; cause: Cause; uriVariables: Readonly<Record<string, unknown>> },
  ) {
    this.id = id;
    this.peer = peer;
    this.deadline = Date.now() + options.timeoutMs;
    this.expires = performance.now() + options.timeoutMs;
    this.cause = options.cause;
    this.uriVariables = options.uriVariables;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: AlthingError): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}

interface OpenStream {
  handle: StreamHandle | undefined;
  stopped: boolean;
  /** Values held back until the opening has been answered. */
  early: Frame[] | undefined;
  dropped: number;
  last: StreamPosition | undefined;
}

/** What one session's other side has running here. */
export class IncomingCalls {
  readonly #peer: PeerId;
  readonly #frames: FrameChannel;
  readonly #server: ThingServer;
  readonly #running = new Map<number, Incoming>();
  readonly #streams = new Map<number, OpenStream>();
  readonly #deadlines: Deadlines<{ deadline: number; call: Incoming }>;
  #paused = false;

  constructor(frames: FrameChannel, server: ThingServer) {
    this.#peer = frames.channel.remote;
    this.#frames = frames;
    this.#server = server;
    this.#deadlines = new Deadlines(
      () => [...this.#running.values()].map((call) => ({ deadline: call.expires, call })),
      ({ call }) =>
        this.#abort(call, new AlthingError('timeout', 'The deadline passed before the device had answered.')),
    );
  }

  get busy(): boolean {
    return this.#running.size > 0;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** A request frame: [10, id, op, thing, name, timeoutMs, cause, extra, input?]. Throws `protocol-error`. */
  request(frame: Frame): void {
    const [, id, op, thing, name, timeoutMs, cause, extra] = frame;
    if (
      !isId(id) ||
      typeof op !== 'string' ||
      typeof thing !== 'string' ||
      thing.length > 256 ||
      !(name === null || (typeof name === 'string' && name.length <= 256)) ||
      (extra !== null && (typeof extra !== 'object' || Array.isArray(extra)))
    )
      throw new AlthingError('protocol-error', `${this.#peer} sent a request that does not fit.`);
    if (this.#running.has(id) || this.#streams.has(id))
      throw new AlthingError('protocol-error', `${this.#peer} used the request id ${id} twice.`);
    const variables = (extra as { u?: unknown } | null)?.u;
    const incoming = new Incoming(id, this.#peer, {
      timeoutMs: validTimeout(timeoutMs),
      cause: validCause(cause) ?? { id: `${this.#peer}/${id}`, origin: 'program', peer: this.#peer },
      uriVariables: isPlainObject(variables) ? variables : empty,
    });
    const call: ThingCall = {
      thing,
      op: op as Operation,
      ...(name === null ? {} : { name: name as string }),
      ...(frame.length > 8 ? { input: frame[8] } : {}),
    };
    if (requests.has(op)) this.#run(call as ThingCall<RequestOperation>, incoming);
    else if (streams.has(op)) {
      const after = validPosition((extra as { a?: unknown } | null)?.a);
      this.#open(call as ThingCall<StreamOperation>, incoming, after);
    } else
      this.#fail(id, new AlthingError('operation-unsupported', `The operation "${op}" is not known here.`));
  }

  /** The other side no longer wants this request or stream. */
  cancel(id: unknown): void {
    if (typeof id !== 'number') return;
    const running = this.#running.get(id);
    if (running) this.#abort(running, new AlthingError('cancelled', 'The caller gave up.'));
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.delete(id);
    stream.stopped = true;
    stream.handle?.stop();
  }

  /** The other side reads again: tells what it missed. */
  drained(): void {
    for (const [id, stream] of this.#streams) if (stream.dropped > 0) this.#tellMissed(id, stream);
  }

  /** The session has ended. */
  close(): void {
    this.#deadlines.close();
    const gone = new AlthingError('cancelled', 'The connection to the caller was lost.');
    for (const call of this.#running.values()) call.abort(gone);
    for (const stream of this.#streams.values()) {
      stream.stopped = true;
      stream.handle?.stop();
    }
    this.#running.clear();
    this.#streams.clear();
  }

  #run(call: ThingCall<RequestOperation>, incoming: Incoming): void {
    this.#begin(incoming);
    this.#server.request(call, incoming).then(
      (value) =>
        this.#end(incoming, () => this.#frames.send([frameType.response, incoming.id, value ?? null])),
      (error: unknown) => this.#end(incoming, () => this.#fail(incoming.id, error)),
    );
  }

  #begin(incoming: Incoming): void {
    this.#running.set(incoming.id, incoming);
    this.#deadlines.watch(incoming.expires);
    if (this.#running.size >= maxRunning && !this.#paused) {
      this.#paused = true;
      this.#frames.channel.pause();
    }
  }

  #end(incoming: Incoming, answer: () => void): void {
    if (!this.#running.delete(incoming.id)) return;
    try {
      answer();
    } catch (error) {
      // The answer did not fit into a frame, or is no data.
      this.#fail(incoming.id, error);
    }
    if (this.#paused && this.#running.size < maxRunning / 2) {
      this.#paused = false;
      this.#frames.channel.resume();
    }
  }

  #abort(call: Incoming, reason: AlthingError): void {
    call.abort(reason);
    this.#end(call, () => this.#fail(call.id, reason));
  }

  #open(call: ThingCall<StreamOperation>, incoming: Incoming, after: StreamPosition | undefined): void {
    const { id } = incoming;
    if (this.#streams.size >= maxStreams) {
      this.#fail(id, new AlthingError('too-many', `A session may hold ${maxStreams} subscriptions open.`));
      return;
    }
    const stream: OpenStream = {
      handle: undefined,
      stopped: false,
      early: [],
      dropped: 0,
      last: undefined,
    };
    this.#streams.set(id, stream);
    this.#begin(incoming);
    const sink = {
      next: (value: unknown, position: StreamPosition) => this.#notify(id, stream, value, position),
      error: (error: AlthingError) => this.#streamError(id, stream, error),
    };
    this.#server.stream(call, sink, incoming, after).then(
      (handle) => {
        stream.handle = handle;
        if (stream.stopped) handle.stop();
        this.#end(incoming, () => {
          const { run, seq } = handle.position;
          this.#frames.send([frameType.response, id, [run, seq]]);
          const early = stream.early ?? [];
          stream.early = undefined;
          for (const frame of early) this.#frames.send(frame);
          if (stream.dropped > 0) this.#tellMissed(id, stream);
        });
      },
      (error: unknown) => {
        this.#streams.delete(id);
        this.#end(incoming, () => this.#fail(id, error));
      },
    );
  }

  #notify(id: number, stream: OpenStream, value: unknown, position: StreamPosition): void {
    if (stream.stopped) return;
    stream.last = position;
    const frame: Frame = [frameType.notify, id, position.seq, value ?? null];
    if (stream.early && stream.early.length < maxEarly) stream.early.push(frame);
    else if (stream.early || stream.dropped > 0 || this.#frames.channel.queuedBytes > maxQueuedBytes)
      stream.dropped += 1;
    else this.#send(id, frame);
  }

  #streamError(id: number, stream: OpenStream, error: AlthingError): void {
    if (stream.stopped) return;
    if (error.code !== 'values-missed') {
      this.#streams.delete(id);
      stream.stopped = true;
      this.#fail(id, error);
      return;
    }
    const missed = error.details?.missed;
    const frame: Frame = [frameType.missed, id, typeof missed === 'number' ? missed : null];
    if (stream.early) stream.early.push(frame);
    else this.#send(id, frame);
  }

  #tellMissed(id: number, stream: OpenStream): void {
    const missed = stream.dropped;
    stream.dropped = 0;
    this.#send(id, [frameType.missed, id, missed, stream.last?.seq ?? 0]);
  }

  #send(id: number, frame: Frame): void {
    try {
      this.#frames.send(frame);
    } catch (error) {
      // One value that cannot be sent must not end the others' session.
      this.#fail(id, error);
    }
  }

  #fail(id: number, thrown: unknown): void {
    const error = toAlthingError(thrown, 'handler-failed');
    const details = error.details && JSON.stringify(error.details).length < 4096 ? error.details : null;
    this.#frames.send([frameType.error, id, error.code, error.message.slice(0, 1000), details]);
  }
}

const isId = (id: unknown): id is number => Number.isSafeInteger(id) && (id as number) > 0;

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

const validTimeout = (timeoutMs: unknown): number =>
  typeof timeoutMs === 'number' && timeoutMs >= 1 ? Math.min(timeoutMs, maxTimeoutMs) : defaultTimeoutMs;

const validCause = (cause: unknown): Cause | undefined => {
  if (!Array.isArray(cause)) return undefined;
  const [id, origin, peer] = cause;
  if (typeof id !== 'string' || id.length > 64 || !origins.has(origin)) return undefined;
  if (typeof peer !== 'string' || peer.length > 64) return undefined;
  return { id, origin, peer };
};

const validPosition = (after: unknown): StreamPosition | undefined => {
  if (!Array.isArray(after)) return undefined;
  const [run, seq] = after;
  return typeof run === 'string' && run.length <= 64 && Number.isSafeInteger(seq) ? { run, seq } : undefined;
};
