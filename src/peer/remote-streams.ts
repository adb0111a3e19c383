/**
 * Observations and subscriptions of other peers' Things: they outlive the session and go on with the next one.
 * Relies on positions that devices number: nothing is passed on twice, and what is missing is said.
 */
import { AlthingError, type ErrorCode, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Session } from '../net/session.ts';
import type {
  CallOptions,
  StreamHandle,
  StreamOperation,
  StreamPosition,
  StreamSink,
  ThingCall,
} from '../thing/operations.ts';

const maxStreams = 10_000;
/** A device may have come back before its Things have: asked again after this, doubling up to the second one. */
const firstRetryMs = 250;
const maxRetryMs = 15_000;
/** Answers that will not change by asking again. */
const final: ReadonlySet<ErrorCode> = new Set([
  'affordance-unknown',
  'operation-unsupported',
  'forbidden',
  'value-invalid',
  'uri-variable-invalid',
]);

/** One stream that is to go on until it is stopped. */
interface Lasting {
  /** The peer in the Thing's id. */
  readonly owner: PeerId;
  readonly call: ThingCall<StreamOperation>;
  readonly sink: StreamSink;
  readonly options: CallOptions;
  position: StreamPosition | undefined;
  /** The session that it was opened over last. */
  session: Session | undefined;
  /** The opening that counts: values of an earlier one are ignored. */
  current: object | undefined;
  handle: StreamHandle | undefined;
  timer: NodeJS.Timeout | undefined;
  retryMs: number;
  stopped: boolean;
}

/** All lasting streams of this peer. */
export class RemoteStreams {
  readonly #session: (owner: PeerId) => Session | undefined;
  readonly #streams = new Set<Lasting>();

  /** @param session the session with whoever speaks for this owner's Things now */
  constructor(session: (owner: PeerId) => Session | undefined) {
    this.#session = session;
  }

  /** Opens a stream; resolves once the device has accepted, throws what it refuses with. */
  async open(
    owner: PeerId,
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options: CallOptions,
  ): Promise<StreamHandle> {
    if (this.#streams.size >= maxStreams)
      throw new AlthingError('too-many', `A peer keeps at most ${maxStreams} subscriptions.`);
    const stream: Lasting = {
      owner,
      call,
      sink,
      // Later openings have nobody waiting: only the first can be given up by the caller's signal.
      options,
      position: undefined,
      session: undefined,
      current: undefined,
      handle: undefined,
      timer: undefined,
      retryMs: firstRetryMs,
      stopped: false,
    };
    this.#streams.add(stream);
    try {
      await this.#start(stream, options);
    } catch (error) {
      this.#end(stream);
      throw error;
    }
    return { stop: () => this.#end(stream) };
  }

  /**
   * A session with this peer has begun, or (without one) any may have taken another's place: its streams go on over the
   * session that there is now. They do not wait for the end of an older one, which may be dead without knowing it yet.
   */
  resume(peer?: PeerId): void {
    for (const stream of this.#streams) {
      const session = this.#session(stream.owner);
      if (!session || !stream.position || session.peer !== (peer ?? session.peer)) continue;
      if (stream.current && stream.session === session) continue;
      stream.retryMs = firstRetryMs;
      this.#again(stream);
    }
  }

  /** The peers whose values are to come for as long as somebody wants them. */
  owners(): Set<PeerId> {
    return new Set([...this.#streams].map(({ owner }) => owner));
  }

  close(): void {
    for (const stream of [...this.#streams]) this.#end(stream);
  }

  #end(stream: Lasting): void {
    stream.stopped = true;
    clearTimeout(stream.timer);
    this.#streams.delete(stream);
    stream.current = undefined;
    stream.handle?.stop();
  }

  async #start(stream: Lasting, options: CallOptions): Promise<void> {
    const session = this.#session(stream.owner);
    if (!session)
      throw new AlthingError(
        'peer-offline',
        `The device of ${stream.call.thing} cannot be reached at the moment.`,
      );
    const opening = {};
    const older = stream.handle;
    stream.session = session;
    stream.current = opening;
    stream.handle = undefined;
    older?.stop();
    const sink: StreamSink = {
      next: (value, position) => {
        if (stream.current !== opening) return;
        const last = stream.position;
        if (last && last.run === position.run && position.seq <= last.seq) return;
        stream.position = position;
        stream.retryMs = firstRetryMs;
        stream.sink.next(value, position);
      },
      error: (error, position) => {
        if (stream.current !== opening) return;
        if (error.code === 'values-missed') {
          // What was said to be missed is not asked for again.
          if (position) stream.position = position;
          stream.sink.error(error, position);
        } else this.#lost(stream, error);
      },
    };
    try {
      const after = stream.position;
      const handle = await session.stream(stream.call, sink, { ...options, ...(after && { after }) });
      if (stream.current !== opening) {
        handle.stop();
        return;
      }
      stream.handle = handle;
      // Where the run is another one, its count begins anew.
      if (stream.position?.run !== handle.position.run) stream.position = handle.position;
    } catch (error) {
      if (stream.current === opening) stream.current = undefined;
      throw error;
    }
  }

  /** The device or the way to it is gone for now, or the stream has ended for good. */
  #lost(stream: Lasting, error: AlthingError): void {
    stream.current = undefined;
    stream.handle = undefined;
    if (stream.stopped) return;
    // A device that ends what it has just opened is not asked again at once.
    if (error.code === 'connection-lost') this.#again(stream);
    else this.#failed(stream, error);
  }

  #failed(stream: Lasting, error: AlthingError): void {
    if (final.has(error.code)) {
      this.#end(stream);
      stream.sink.error(error);
      return;
    }
    stream.timer = setTimeout(() => this.#again(stream), stream.retryMs);
    stream.timer.unref();
    stream.retryMs = Math.min(stream.retryMs * 2, maxRetryMs);
  }

  #again(stream: Lasting): void {
    clearTimeout(stream.timer);
    // Without a session there is nothing to do: `resume` begins anew.
    if (stream.stopped || !this.#session(stream.owner)) return;
    this.#start(stream, { ...(stream.options.cause && { cause: stream.options.cause }) }).catch(
      (thrown: unknown) => {
        if (!stream.stopped && !stream.current) this.#failed(stream, toAlthingError(thrown));
      },
    );
  }
}
