/**
 * The requests and streams that this peer has asked of the other side of a session.
 * Relies on the session's frames; every request has a deadline and an end, whatever the other side does.
 */
import { AlthingError, type ErrorCode, isErrorCode } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamPosition,
  StreamSink,
  ThingCall,
} from '../thing/operations.ts';
import type { Cause } from '../thing/scripting-api.ts';
import { Deadlines } from './deadlines.ts';
import type { FrameChannel } from './frame-channel.ts';
import { type Frame, frameType } from './frames.ts';
import { wireCauseOf } from './wire-cause.ts';

const defaultTimeoutMs = 10_000;
/** The answer is waited for a little longer than the device was given, so that its own word comes first. */
const graceMs = 250;
/** Devices give nothing more time than this. */
const maxTimeoutMs = 600_000;
const maxPending = 4096;
/** Nothing more is queued for a peer that is this far behind. */
const maxQueuedBytes = 8 * 1024 * 1024;

interface Pending {
  readonly id: number;
  readonly deadline: number;
  resolve(value: unknown): void;
  reject(error: AlthingError): void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
}

interface ActiveStream {
  readonly sink: StreamSink;
  run: string;
}

/** What this side has asked in one session. */
export class OutgoingCalls {
  readonly #peer: PeerId;
  readonly #frames: FrameChannel;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<number, ActiveStream>();
  readonly #deadlines: Deadlines<Pending>;
  #nextId = 1;

  constructor(frames: FrameChannel) {
    this.#peer = frames.channel.remote;
    this.#frames = frames;
    this.#deadlines = new Deadlines(
      () => this.#pending.values(),
      (pending) =>
        this.#giveUp(
          pending,
          new AlthingError('timeout', `${this.#peer} did not answer in time: what it did is not known.`),
        ),
    );
  }

  get busy(): boolean {
    return this.#pending.size > 0;
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Asks. Throws the device's codes, `timeout`, `cancelled`, `too-many`, `value-too-large`, `outcome-unknown`. */
  request(call: ThingCall<RequestOperation>, options: CallOptions = {}): Promise<unknown> {
    return this.#ask(this.#nextId++, call, options, undefined);
  }

  /** Opens a stream, continuing after a position. It ends with the session: `sink.error` says `connection-lost`. */
  async stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options: CallOptions & { after?: StreamPosition } = {},
  ): Promise<StreamHandle & { readonly position: StreamPosition }> {
    const id = this.#nextId++;
    const active: ActiveStream = { sink, run: '' };
    this.#streams.set(id, active);
    try {
      const answer = await this.#ask(id, call, options, options.after);
      const [run, seq] = answer as [string, number];
      return { position: { run, seq }, stop: () => this.#stop(id) };
    } catch (error) {
      this.#streams.delete(id);
      throw error;
    }
  }

  /** [11, id, value] */
  response(frame: Frame): void {
    const pending = this.#pending.get(frame[1] as number);
    if (!pending) return;
    const stream = this.#streams.get(pending.id);
    if (stream) {
      const [run, seq] = Array.isArray(frame[2]) ? frame[2] : [];
      if (typeof run !== 'string' || !Number.isSafeInteger(seq))
        throw new AlthingError('protocol-error', `${this.#peer} opened a stream without its position.`);
      stream.run = run;
    }
    this.#settle(pending);
    pending.resolve(frame[2]);
  }

  /** [12, id, code, message, details] */
  error(frame: Frame): void {
    const [, id, code, message, details] = frame;
    const error = new AlthingError(
      isErrorCode(code) ? (code as ErrorCode) : 'handler-failed',
      typeof message === 'string' ? message.slice(0, 1000) : 'The other side gave no reason.',
      typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {},
    );
    const pending = this.#pending.get(id as number);
    if (pending) {
      this.#settle(pending);
      pending.reject(error);
      return;
    }
    const stream = this.#streams.get(id as number);
    this.#streams.delete(id as number);
    stream?.sink.error(error);
  }

  /** [13, id, seq, value] */
  notify(frame: Frame): void {
    const stream = this.#streams.get(frame[1] as number);
    if (!stream) return;
    if (!Number.isSafeInteger(frame[2]))
      throw new AlthingError('protocol-error', `${this.#peer} sent a value without its number.`);
    stream.sink.next(frame[3], { run: stream.run, seq: frame[2] as number });
  }

  /** [14, id, missed or null, seq] */
  missed(frame: Frame): void {
    const stream = this.#streams.get(frame[1] as number);
    if (!stream) return;
    const missed = typeof frame[2] === 'number' ? frame[2] : null;
    const said = missed === null ? 'Some values' : missed === 1 ? 'A value' : `${missed} values`;
    stream.sink.error(
      new AlthingError('values-missed', `${said} did not arrive.`, { details: { missed } }),
      Number.isSafeInteger(frame[3]) ? { run: stream.run, seq: frame[3] as number } : undefined,
    );
  }

  /** The session has ended. */
  close(): void {
    this.#deadlines.close();
    for (const pending of [...this.#pending.values()]) {
      this.#settle(pending);
      pending.reject(
        new AlthingError(
          'outcome-unknown',
          `The connection to ${this.#peer} ended before the answer: it may have acted or not.`,
        ),
      );
    }
    const lost = new AlthingError('connection-lost', `The connection to ${this.#peer} ended.`);
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const { sink } of streams) sink.error(lost);
  }

  #ask(
    id: number,
    call: ThingCall,
    options: CallOptions,
    after: StreamPosition | undefined,
  ): Promise<unknown> {
    const { signal, cause } = options;
    const timeoutMs = boundedTimeout(options.timeoutMs);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new AlthingError('cancelled', 'The call was given up before it was sent.'));
        return;
      }
      if (this.#frames.closed) {
        reject(new AlthingError('connection-lost', `The connection to ${this.#peer} has ended.`));
        return;
      }
      if (this.#pending.size >= maxPending || this.#frames.channel.queuedBytes > maxQueuedBytes) {
        reject(new AlthingError('too-many', `${this.#peer} is behind with what was asked of it already.`));
        return;
      }
      this.#frames.send(requestFrame(id, call, timeoutMs, cause, after));
      const onAbort =
        signal && (() => this.#giveUp(pending, new AlthingError('cancelled', 'The caller gave up.')));
      const pending: Pending = {
        id,
        deadline: performance.now() + timeoutMs + graceMs,
        resolve,
        reject,
        signal,
        onAbort,
      };
      this.#pending.set(id, pending);
      this.#deadlines.watch(pending.deadline);
      if (onAbort) signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #giveUp(pending: Pending, error: AlthingError): void {
    this.#settle(pending);
    this.#frames.send([frameType.cancel, pending.id]);
    pending.reject(error);
  }

  #stop(id: number): void {
    if (this.#streams.delete(id)) this.#frames.send([frameType.cancel, id]);
  }

  #settle(pending: Pending): void {
    this.#pending.delete(pending.id);
    if (pending.onAbort) pending.signal?.removeEventListener('abort', pending.onAbort);
  }
}

const boundedTimeout = (timeoutMs: number = defaultTimeoutMs): number =>
  Number.isNaN(timeoutMs) ? defaultTimeoutMs : Math.min(Math.max(timeoutMs, 1), maxTimeoutMs);

const requestFrame = (
  id: number,
  call: ThingCall,
  timeoutMs: number,
  cause: Cause | undefined,
  after: StreamPosition | undefined,
): Frame => {
  const extra =
    call.uriVariables || after
      ? { ...(call.uriVariables && { u: call.uriVariables }), ...(after && { a: [after.run, after.seq] }) }
      : null;
  const why = wireCauseOf(cause);
  const frame: Frame = [frameType.request, id, call.op, call.thing, call.name ?? null, timeoutMs, why, extra];
  return call.input === undefined ? frame : [...frame, call.input];
};
