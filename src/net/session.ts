/**
 * A session: the one long-lived conversation between two members, over a channel that the handshake accepted.
 * Relies on `incoming.ts` and `outgoing.ts` for calls; itself it keeps watch that the other side is alive, and asks it
 * for the time.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { SyncMessage } from '../replica/sync-messages.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamPosition,
  StreamSink,
  ThingCall,
  ThingServer,
} from '../thing/operations.ts';
import type { AnswerBudget } from './answer-budget.ts';
import { ClockOffset } from './clock-offset.ts';
import type { FrameChannel } from './frame-channel.ts';
import { type Frame, frameType } from './frames.ts';
import type { Visitor } from './handshake.ts';
import { IncomingCalls } from './incoming.ts';
import { OutgoingCalls } from './outgoing.ts';
import { decodeSync, encodeSync, isSyncFrame } from './sync-frames.ts';

/** When nothing else was said for this long, a ping is. */
const pingAfterMs = 1000;
/** However much is said, so often a ping goes, too: it asks for the time. */
const pingAnywayMs = 10_000;
/** When nothing was heard for this long, the other side is taken for dead. */
const deadAfterMs = 1800;
/** A retired session is kept this long after the last request: the other side may not know of it yet. */
const retiredForMs = 1000;
/** A timer this late means that this process stood still, and what was said meanwhile is still to be read. */
const stalledMs = 300;
const maxQueuedPongBytes = 1024 * 1024;
/** Reconciliation messages that wait for their turn at most; reading stops until they are done. */
const maxSyncWaiting = 16;

/** What a session needs from its peer. */
export interface SessionHost {
  /** What the visitor at the other end may call: asked once a session. */
  serverFor(visitor: Visitor): ThingServer;
  /** A reconciliation message; resolves when it has been dealt with. */
  sync(session: Session, message: SyncMessage): Promise<void>;
  /** The wall clock that the other side is told, milliseconds since 1970 (default: `Date.now`). */
  readonly now?: () => number;
}

/** One live session. */
export class Session {
  readonly peer: PeerId;
  readonly visitor: Visitor;
  /** When it began, on the monotonic clock, milliseconds. */
  readonly since = performance.now();
  /** Called once when it has ended. */
  onClose: (session: Session, reason: AlthingError | undefined) => void = () => {};
  /** The other side has no need of this session: where this one has none either, it is to be retired. */
  onRest: (session: Session) => void = () => {};
  /** The other side has retired it, and now it is here, too. */
  onRetired: (session: Session) => void = () => {};
  readonly #frames: FrameChannel;
  readonly #host: SessionHost;
  readonly #incoming: IncomingCalls;
  readonly #outgoing: OutgoingCalls;
  readonly #now: () => number;
  readonly #clock = new ClockOffset();
  #rttMs: number | null = null;
  #heard = performance.now();
  #said = performance.now();
  #pingNumber = 0;
  #pingSent = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #syncWaiting = 0;
  /** When a call or stream was last open here, either way. */
  #used = performance.now();
  #retiring = false;
  /** Whether the other side has said that it asks for nothing more here. */
  #toldRetired = false;
  /** When it was retired, or asked for something after that. */
  #wanted = 0;
  #closed = false;

  /**
   * @param visitor who is at the other end
   * @param budget shared by all sessions of a peer
   */
  constructor(frames: FrameChannel, host: SessionHost, visitor: Visitor, budget?: AnswerBudget) {
    this.visitor = visitor;
    this.peer = frames.channel.remote;
    this.#frames = frames;
    this.#host = host;
    this.#now = host.now ?? Date.now;
    this.#incoming = new IncomingCalls(frames, host.serverFor(visitor), budget);
    this.#outgoing = new OutgoingCalls(frames);
    frames.onDrain = () => this.#incoming.drained();
    frames.onClose = (reason) => this.#ended(reason);
  }

  /** Begins to listen: call it once all that will be told is ready to hear. */
  start(): void {
    if (this.#frames.closed) {
      this.#ended(undefined);
      return;
    }
    this.#frames.handle((frame, sizeBytes) => this.#dispatch(frame, sizeBytes));
    this.#watch();
    this.#ping();
  }

  get dialled(): boolean {
    return this.#frames.channel.dialled;
  }

  get remoteAddress(): string {
    return this.#frames.channel.remoteAddress;
  }

  get localAddress(): string {
    return this.#frames.channel.localAddress;
  }

  /** The last measured round trip in milliseconds, null before the first. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False once it is closed or about to be: new calls go elsewhere. */
  get usable(): boolean {
    return !this.#closed && !this.#retiring;
  }

  /** Their wall clock less ours, milliseconds; undefined while they have told none. */
  get clockOffsetMs(): number | undefined {
    return this.#clock.at({ wallMs: this.#now(), monotonicMs: performance.now() });
  }

  /** For how long neither side has had a call or stream open, milliseconds. */
  get idleMs(): number {
    if (this.#busy || this.#outgoing.streams > 0 || this.#incoming.streams > 0)
      this.#used = performance.now();
    return performance.now() - this.#used;
  }

  /** See `OutgoingCalls.request`. */
  request(call: ThingCall<RequestOperation>, options?: CallOptions): Promise<unknown> {
    this.#use();
    return this.#outgoing.request(call, options);
  }

  /** See `OutgoingCalls.stream`. */
  stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options?: CallOptions & { after?: StreamPosition },
  ): Promise<StreamHandle & { readonly position: StreamPosition }> {
    this.#use();
    return this.#outgoing.stream(call, sink, options);
  }

  /** Queues a reconciliation message. */
  sendSync(message: SyncMessage): void {
    this.#said = performance.now();
    this.#frames.send(encodeSync(message));
  }

  /** Ends the session; `reason` is what `onClose` says. */
  close(reason?: AlthingError, options: { abrupt?: boolean } = {}): void {
    this.#frames.close(reason, options);
  }

  /** Says that this side has no need of the session. */
  rest(): void {
    this.#frames.send([frameType.rest]);
  }

  /**
   * Nothing more is to be asked here, by either side: ends the session once what is under way has been answered. With
   * `tell` the other side is told, and retires it, too.
   */
  retire(options: { tell?: boolean } = {}): void {
    if (this.#retiring || this.#closed) return;
    this.#retiring = true;
    this.#wanted = performance.now();
    if (options.tell) this.#frames.send([frameType.retire]);
    this.#watch();
  }

  get #busy(): boolean {
    return this.#outgoing.busy || this.#incoming.busy;
  }

  #use(): void {
    this.#said = performance.now();
    this.#used = this.#said;
  }

  #dispatch(frame: Frame, sizeBytes: number): void {
    this.#heard = performance.now();
    switch (frame[0]) {
      case frameType.request:
        this.#wanted = this.#heard;
        this.#used = this.#heard;
        this.#incoming.request(frame, sizeBytes);
        break;
      case frameType.response:
        this.#outgoing.response(frame);
        break;
      case frameType.error:
        this.#outgoing.error(frame);
        break;
      case frameType.notify:
        this.#outgoing.notify(frame);
        break;
      case frameType.missed:
        this.#outgoing.missed(frame);
        break;
      case frameType.cancel:
        this.#incoming.cancel(frame[1]);
        break;
      case frameType.ping:
        // Whoever does not read what it is sent has no use for more.
        if (this.#frames.queuedBytes < maxQueuedPongBytes)
          this.#frames.send([frameType.pong, frame[1] ?? 0, this.#now()]);
        break;
      case frameType.pong:
        if (frame[1] === this.#pingNumber) this.#pong(frame[2]);
        break;
      case frameType.rest:
        this.onRest(this);
        break;
      case frameType.retire:
        this.#toldRetired = true;
        this.retire();
        this.onRetired(this);
        break;
      default:
        if (isSyncFrame(frame)) {
          this.#sync(decodeSync(frame));
          break;
        }
        this.#frames.send([
          frameType.error,
          0,
          'protocol-error',
          `Frames of type ${frame[0]} are not known here.`,
          null,
        ]);
    }
  }

  #sync(message: SyncMessage): void {
    this.#syncWaiting += 1;
    if (this.#syncWaiting >= maxSyncWaiting) this.#frames.pause('records');
    this.#host
      .sync(this, message)
      .catch((error: unknown) => this.close(toAlthingError(error), { abrupt: true }))
      .finally(() => {
        this.#syncWaiting -= 1;
        this.#heard = performance.now();
        if (this.#syncWaiting < maxSyncWaiting) this.#frames.resume('records');
      });
  }

  #pong(theirMs: unknown): void {
    const rttMs = this.#heard - this.#pingSent;
    this.#rttMs = rttMs;
    this.#clock.add(theirMs, { rttMs, receivedMs: this.#heard });
  }

  /** One timer does both: pings when it is time, and notices silence. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const now = performance.now();
    let due = Math.min(this.#nextPing, this.#heard + deadAfterMs);
    if (this.#retiring) due = Math.min(due, now + 50);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#tick(), Math.max(5, due - now));
  }

  #tick(): void {
    const now = performance.now();
    const reading = this.#syncWaiting < maxSyncWaiting && !this.#incoming.paused;
    if (!reading || now - this.#timerDue > stalledMs)
      this.#heard = Math.max(this.#heard, now - deadAfterMs / 2);
    if (now - this.#heard >= deadAfterMs) {
      // Timers come before what waits to be read: a process that gets little time looks at that first.
      setImmediate(() => this.#silent());
      return;
    }
    const patienceMs = this.#toldRetired ? 0 : retiredForMs;
    if (this.#retiring && !this.#busy && now - this.#wanted > patienceMs) {
      this.close();
      return;
    }
    if (now >= this.#nextPing) this.#ping();
    this.#watch();
  }

  #silent(): void {
    if (this.#closed) return;
    const silentMs = performance.now() - this.#heard;
    if (silentMs < deadAfterMs) this.#watch();
    else
      this.close(
        new AlthingError('connection-lost', `${this.peer} has been silent for ${Math.round(silentMs)} ms.`),
        { abrupt: true },
      );
  }

  /** When the next ping is due, on the monotonic clock. */
  get #nextPing(): number {
    return Math.min(Math.max(this.#said, this.#pingSent) + pingAfterMs, this.#pingSent + pingAnywayMs);
  }

  #ping(): void {
    this.#pingSent = performance.now();
    this.#frames.send([frameType.ping, ++this.#pingNumber, this.#now()]);
  }

  #ended(reason: AlthingError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#incoming.close();
    this.#outgoing.close();
    this.onClose(this, reason);
  }
}
