/**
 * The requests and streams that the other side of a session has asked of this peer.
 * Relies on a host that executes them; bounds how many run at once and what waits to be sent.
 */
import { encode } from '../core/codec.ts';
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
  type StreamSink,
  streamOperations,
  type ThingCall,
} from '../thing/operations.ts';
import type { Cause, InteractionContext } from '../thing/scripting-api.ts';
import { AnswerBudget, type AnswerHolder } from './answer-budget.ts';
import { Deadlines } from './deadlines.ts';
import type { FrameChannel } from './frame-channel.ts';
import { encodeFrame, type Frame, frameType } from './frames.ts';
import { causeIn } from './wire-cause.ts';

/** Requests of one session that run at once; the others wait for their turn. */
const maxRunning = 256;
/**
 * Requests that wait; only beyond this does reading stop. It must not stop earlier: what runs may itself be waiting for
 * an answer of the other side, which is read here.
 */
const maxWaiting = 4096;
const maxWaitingBytes = 4 * 1024 * 1024;
const maxStreams = 1024;
/** Values for a slow reader are dropped, and said to be, beyond this. */
const maxQueuedBytes = 1024 * 1024;
/** Beyond this no request is begun, and answers are held back until the other side has taken some. */
const maxAnswerBytes = 4 * 1024 * 1024;
/** What is held back of answers to reading; more is not kept, for it can be read again. */
const maxHeldReadBytes = 16 * 1024 * 1024;
/** Values held back until the opening of their stream has been answered. */
const maxEarly = 1024;
/** Details of an error that are passed on at most. */
const maxDetailsBytes = 4096;
const maxTimeoutMs = 600_000;
const defaultTimeoutMs = 10_000;
const readings: ReadonlySet<unknown> = new Set([
  'readproperty',
  'readallproperties',
  'readmultipleproperties',
]);
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
  /** Begins it, when its turn comes. */
  begin: () => void = () => {};
  readonly sizeBytes: number;
  #controller: AbortController | undefined;
  #reason: AlthingError | undefined;

  constructor(
    id: number,
    peer: PeerId,
    options: {
      timeoutMs: number;
      cause: Cause;
      uriVariables: Readonly<Record<string, unknown>>;
      sizeBytes: number;
    },
  ) {
    this.id = id;
    this.peer = peer;
    this.deadline = Date.now() + options.timeoutMs;
    this.expires = performance.now() + options.timeoutMs;
    this.cause = options.cause;
    this.uriVariables = options.uriVariables;
    this.sizeBytes = options.sizeBytes;
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
  /** Values that the other side had no room for and has not been told of. */
  dropped: number;
  /** The last value that was sent, dropped or said to be missed. */
  seq: number;
}

/** What one session's other side has running here. */
export class IncomingCalls implements AnswerHolder {
  readonly #peer: PeerId;
  readonly #frames: FrameChannel;
  readonly #server: ThingServer;
  /** All that has not been answered, and of these those whose turn has not come. */
  readonly #calls = new Map<number, Incoming>();
  readonly #waiting = new Map<number, Incoming>();
  #waitingBytes = 0;
  /** Answers that the other side has no room for yet, as frames, by the request's id. */
  readonly #held = new Map<number, { readonly incoming: Incoming; readonly bytes: Uint8Array }>();
  #heldBytes = 0;
  readonly #budget: AnswerBudget;
  readonly #streams = new Map<number, OpenStream>();
  readonly #deadlines: Deadlines<{ deadline: number; call: Incoming }>;
  #paused = false;

  /** @param budget shared by all sessions of a peer */
  constructor(frames: FrameChannel, server: ThingServer, budget = new AnswerBudget()) {
    budget.add(this);
    this.#budget = budget;
    this.#peer = frames.channel.remote;
    this.#frames = frames;
    this.#server = server;
    this.#deadlines = new Deadlines(
      () => [...this.#calls.values()].map((call) => ({ deadline: call.expires, call })),
      ({ call }) =>
        this.#abort(call, new AlthingError('timeout', 'The deadline passed before the device had answered.')),
    );
  }

  get busy(): boolean {
    return this.#calls.size > 0;
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  get waitingBytes(): number {
    return this.#heldBytes + this.#frames.queuedBytes;
  }

  cutOff(): void {
    this.#frames.close(
      new AlthingError('connection-lost', `${this.#peer} does not take the answers that it asked for.`),
      { abrupt: true },
    );
  }

  /** Whether reading has stopped because too much waits already. */
  get paused(): boolean {
    return this.#paused;
  }

  /** A request frame: [10, id, op, thing, name, timeoutMs, cause, extra, input?]. Throws `protocol-error`. */
  request(frame: Frame, sizeBytes: number): void {
    const [, id, op, thing, name, timeoutMs, cause, extra] = frame;
    if (
      !isId(id) ||
      typeof op !== 'string' ||
      typeof thing !== 'string' ||
      !(name === null || typeof name === 'string') ||
      !(extra === null || isPlainObject(extra))
    )
      throw new AlthingError('protocol-error', `${this.#peer} sent a request that does not fit.`);
    if (this.#calls.has(id) || this.#streams.has(id))
      throw new AlthingError('protocol-error', `${this.#peer} used the request id ${id} twice.`);
    let why: Cause | undefined;
    try {
      why = causeIn(cause);
    } catch (error) {
      this.#fail(id, error);
      return;
    }
    const incoming = new Incoming(id, this.#peer, {
      timeoutMs: validTimeout(timeoutMs),
      cause: why ?? { id: `${this.#peer}/${id}`, origin: 'program', peer: this.#peer },
      uriVariables: isPlainObject(extra?.u) ? extra.u : empty,
      sizeBytes,
    });
    const call: ThingCall = {
      thing,
      op: op as Operation,
      ...(name === null ? {} : { name }),
      ...(frame.length > 8 ? { input: frame[8] } : {}),
    };
    if (requests.has(op)) incoming.begin = () => this.#run(call as ThingCall<RequestOperation>, incoming);
    else if (streams.has(op))
      incoming.begin = () =>
        this.#open(call as ThingCall<StreamOperation>, incoming, validPosition(extra?.a));
    else {
      const known = op.slice(0, 100);
      this.#fail(
        id,
        new AlthingError('operation-unsupported', `The operation "${known}" is not known here.`),
      );
      return;
    }
    this.#calls.set(id, incoming);
    this.#waiting.set(id, incoming);
    this.#waitingBytes += sizeBytes;
    this.#deadlines.watch(incoming.expires);
    this.#next();
  }

  /** The other side no longer wants this request or stream. */
  cancel(id: unknown): void {
    if (typeof id !== 'number') return;
    const call = this.#calls.get(id);
    if (call) this.#abort(call, new AlthingError('cancelled', 'The caller gave up.'));
    else this.#stop(id);
  }

  /** The other side reads again: what was held back goes on. */
  drained(): void {
    for (const { incoming, bytes } of this.#held.values()) {
      if (!this.#hasRoom()) break;
      this.#end(incoming, () => this.#frames.sendEncoded(bytes));
    }
    for (const [id, stream] of this.#streams) if (stream.dropped > 0) this.#tellMissed(id, stream);
    this.#next();
  }

  /** The session has ended. */
  close(): void {
    this.#deadlines.close();
    const gone = new AlthingError('cancelled', 'The connection to the caller was lost.');
    const running = [...this.#calls.values()];
    this.#calls.clear();
    this.#waiting.clear();
    this.#held.clear();
    this.#heldBytes = 0;
    this.#budget.remove(this);
    for (const call of running) call.abort(gone);
    for (const id of [...this.#streams.keys()]) this.#stop(id);
  }

  #hasRoom(): boolean {
    return this.#frames.queuedBytes <= maxAnswerBytes;
  }

  /** Begins what may begin, in the order in which it came, and stops or resumes reading. */
  #next(): void {
    for (const [id, incoming] of this.#waiting) {
      if (this.#calls.size - this.#waiting.size >= maxRunning || !this.#hasRoom()) break;
      this.#dequeue(id, incoming);
      incoming.begin();
    }
    const full = this.#waiting.size >= maxWaiting || this.#waitingBytes >= maxWaitingBytes;
    if (full && !this.#paused) {
      this.#paused = true;
      this.#frames.pause('requests');
    } else if (this.#paused && !full) {
      this.#paused = false;
      this.#frames.resume('requests');
    }
  }

  #dequeue(id: number, incoming: Incoming): void {
    if (this.#waiting.delete(id)) this.#waitingBytes -= incoming.sizeBytes;
  }

  #run(call: ThingCall<RequestOperation>, incoming: Incoming): void {
    this.#server.request(call, incoming).then(
      (value) => {
        if (this.#hasRoom()) this.#end(incoming, () => this.#respond(incoming.id, value));
        else if (this.#calls.has(incoming.id)) this.#hold(call, incoming, value);
      },
      (error: unknown) => this.#end(incoming, () => this.#fail(incoming.id, error)),
    );
  }

  /** Keeps an answer until the other side has taken some of those before. */
  #hold(call: ThingCall, incoming: Incoming, value: unknown): void {
    let bytes: Uint8Array;
    try {
      bytes = encodeFrame([frameType.response, incoming.id, value ?? null]);
    } catch (error) {
      this.#end(incoming, () => this.#fail(incoming.id, error));
      return;
    }
    if (readings.has(call.op) && this.#heldBytes + bytes.length > maxHeldReadBytes) {
      const error = new AlthingError(
        'too-many',
        'Too much that was read here waits to be taken: ask for less at once.',
      );
      this.#end(incoming, () => this.#fail(incoming.id, error));
      return;
    }
    this.#held.set(incoming.id, { incoming, bytes });
    this.#heldBytes += bytes.length;
    this.#budget.check();
  }

  #end(incoming: Incoming, answer: () => void): void {
    if (!this.#calls.delete(incoming.id)) return;
    this.#dequeue(incoming.id, incoming);
    const held = this.#held.get(incoming.id);
    if (held) {
      this.#held.delete(incoming.id);
      this.#heldBytes -= held.bytes.length;
    }
    answer();
    this.#next();
  }

  #abort(call: Incoming, reason: AlthingError): void {
    call.abort(reason);
    this.#stop(call.id);
    this.#end(call, () => this.#fail(call.id, reason));
  }

  #stop(id: number): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.delete(id);
    stream.stopped = true;
    stream.early = undefined;
    stream.handle?.stop();
  }

  #open(call: ThingCall<StreamOperation>, incoming: Incoming, after: StreamPosition | undefined): void {
    const { id } = incoming;
    if (this.#streams.size >= maxStreams) {
      const error = new AlthingError('too-many', `A session may hold ${maxStreams} subscriptions open.`);
      this.#end(incoming, () => this.#fail(id, error));
      return;
    }
    const stream: OpenStream = {
      handle: undefined,
      stopped: false,
      early: [],
      dropped: 0,
      seq: 0,
    };
    this.#streams.set(id, stream);
    const sink: StreamSink = {
      next: (value, position) => this.#notify(id, stream, value, position),
      error: (error, position) => this.#streamError(id, stream, error, position),
    };
    this.#server.stream(call, sink, incoming, after).then(
      (handle) => {
        if (stream.stopped) {
          handle.stop();
          return;
        }
        stream.handle = handle;
        this.#end(incoming, () => {
          const { run, seq } = handle.position;
          this.#frames.send([frameType.response, id, [run, seq]]);
          const early = stream.early ?? [];
          stream.early = undefined;
          for (const frame of early) this.#send(id, frame);
          if (stream.dropped > 0) this.#tellMissed(id, stream);
        });
      },
      (error: unknown) => {
        this.#streams.delete(id);
        this.#end(incoming, () => this.#fail(id, error));
      },
    );
  }

  #notify(id: number, stream: OpenStream, value: unknown, { seq }: StreamPosition): void {
    if (stream.stopped) return;
    stream.seq = seq;
    const frame: Frame = [frameType.notify, id, seq, value ?? null];
    const full = stream.early ? stream.early.length >= maxEarly : this.#frames.queuedBytes > maxQueuedBytes;
    // Once one is dropped all are, until the other side has been told: the order stays.
    if (full || stream.dropped > 0) stream.dropped += 1;
    else if (stream.early) stream.early.push(frame);
    else this.#send(id, frame);
  }

  #streamError(
    id: number,
    stream: OpenStream,
    error: AlthingError,
    position: StreamPosition | undefined,
  ): void {
    if (stream.stopped) return;
    if (error.code !== 'values-missed') {
      this.#streams.delete(id);
      stream.stopped = true;
      // Where it was still being opened, that is what fails.
      const opening = this.#calls.get(id);
      if (opening) this.#end(opening, () => this.#fail(id, error));
      else this.#fail(id, error);
      return;
    }
    if (position) stream.seq = position.seq;
    const missed = error.details?.missed;
    const frame: Frame = [frameType.missed, id, typeof missed === 'number' ? missed : null, stream.seq];
    if (stream.early) stream.early.push(frame);
    else this.#send(id, frame);
  }

  #tellMissed(id: number, stream: OpenStream): void {
    const missed = stream.dropped;
    stream.dropped = 0;
    this.#send(id, [frameType.missed, id, missed, stream.seq]);
  }

  #send(id: number, frame: Frame): void {
    try {
      this.#frames.send(frame);
    } catch {
      // A value that does not fit into a frame never will: the other side is told that it missed it.
      this.#frames.send([frameType.missed, id, 1, frame[2]]);
    }
  }

  #respond(id: number, value: unknown): void {
    try {
      this.#frames.send([frameType.response, id, value ?? null]);
    } catch (error) {
      // The answer does not fit into a frame, or is no data.
      this.#fail(id, error);
    }
  }

  #fail(id: number, thrown: unknown): void {
    const { code, message, details } = toAlthingError(thrown, 'handler-failed');
    this.#frames.send([frameType.error, id, code, wellFormed(message), plainDetails(details)]);
  }
}

const wellFormed = (message: string): string => message.slice(0, 1000).toWellFormed();

const plainDetails = (details: AlthingError['details']): unknown => {
  if (!details) return null;
  try {
    return encode(details).length <= maxDetailsBytes ? details : null;
  } catch {
    // A handler may put anything there; code and message are what counts.
    return null;
  }
};

const isId = (id: unknown): id is number => Number.isSafeInteger(id) && (id as number) > 0;

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

const validTimeout = (timeoutMs: unknown): number =>
  typeof timeoutMs === 'number' && timeoutMs >= 1 ? Math.min(timeoutMs, maxTimeoutMs) : defaultTimeoutMs;

const validPosition = (after: unknown): StreamPosition | undefined => {
  if (!Array.isArray(after)) return undefined;
  const [run, seq] = after;
  return typeof run === 'string' && run.length <= 64 && Number.isSafeInteger(seq) ? { run, seq } : undefined;
};
