/**
 * A session: the one long-lived conversation between two members, over a channel that the handshake accepted.
 * Relies on `incoming.ts` and `outgoing.ts` for calls; itself it keeps watch that the other side is alive.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { SyncMessage } from '../replica/reconciler.ts';
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
import type { FrameChannel } from './frame-channel.ts';
import { type Frame, frameType } from './frames.ts';
import type { Visitor } from './handshake.ts';
import { IncomingCalls } from './incoming.ts';
import { OutgoingCalls } from './outgoing.ts';
import { decodeSync, encodeSync } from './sync-frames.ts';

/** When nothing else was said for this long, a ping is. */
const pingAfterMs = 1000;
/** When nothing was heard for this long, the other side is taken for dead. */
const deadAfterMs = 1800;
/** A retired session is kept this long after the last request: the other side may not know yet of the new one. */
const retiredForMs = 300;
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
}

/** One live session. */
export class Session {
  readonly peer: PeerId;
  readonly visitor: Visitor;
  /** When it began, on the monotonic clock, milliseconds. */
  readonly since = performance.now();
  /** Called once when it has ended. */
  onClose: (session: Session, reason: AlthingError | undefined) => void = () => {};
  readonly #frames: FrameChannel;
  readonly #host: SessionHost;
  readonly #incoming: IncomingCalls;
  readonly #outgoing: OutgoingCalls;
  #rttMs: number | null = null;
  #heard = performance.now();
  #said = performance.now();
  #pingNumber = 0;
  #pingSent = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #syncWaiting = 0;
  #retiring = false;
  /** When it was retired, or asked for something after that. */
  #wanted = 0;
  #closed = false;

  /** @param visitor who is at the other end */
  constructor(frames: FrameChannel, host: SessionHost, visitor: Visitor) {
    this.visitor = visitor;
    this.peer = frames.channel.remote;
    this.#frames = frames;
    this.#host = host;
    this.#incoming = new IncomingCalls(frames, host.serverFor(visitor));
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

  /** See `OutgoingCalls.request`. */
  request(call: ThingCall<RequestOperation>, options?: CallOptions): Promise<unknown> {
    this.#said = performance.now();
    return this.#outgoing.request(call, options);
  }

  /** See `OutgoingCalls.stream`. */
  stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options?: CallOptions & { after?: StreamPosition },
  ): Promise<StreamHandle & { readonly position: StreamPosition }> {
    this.#said = performance.now();
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

  /** Another session with the same peer takes over: ends this one once what is under way here has been answered. */
  retire(): void {
    if (this.#retiring || this.#closed) return;
    this.#retiring = true;
    this.#wanted = performance.now();
    this.#watch();
  }

  #dispatch(frame: Frame, sizeBytes: number): void {
    this.#heard = performance.now();
    switch (frame[0]) {
      case frameType.request:
        this.#wanted = this.#heard;
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
      case frameType.summary:
      case frameType.vector:
      case frameType.want:
      case frameType.records:
        this.#sync(decodeSync(frame));
        break;
      case frameType.ping:
        // Whoever does not read what it is sent has no use for more.
        if (this.#frames.queuedBytes < maxQueuedPongBytes) this.#frames.send([frameType.pong, frame[1] ?? 0]);
        break;
      case frameType.pong:
        if (frame[1] === this.#pingNumber) this.#rttMs = this.#heard - this.#pingSent;
        break;
      default:
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

  /** One timer does both: pings when it is time, and notices silence. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const now = performance.now();
    const nextPing = Math.max(this.#said, this.#pingSent) + pingAfterMs;
    let due = Math.min(nextPing, this.#heard + deadAfterMs);
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
      const silent = Math.round(now - this.#heard);
      this.close(new AlthingError('connection-lost', `${this.peer} has been silent for ${silent} ms.`), {
        abrupt: true,
      });
      return;
    }
    const busy = this.#outgoing.busy || this.#incoming.busy;
    if (this.#retiring && !busy && now - this.#wanted > retiredForMs) {
      this.close();
      return;
    }
    if (now - Math.max(this.#said, this.#pingSent) >= pingAfterMs) this.#ping();
    this.#watch();
  }

  #ping(): void {
    this.#pingSent = performance.now();
    this.#frames.send([frameType.ping, ++this.#pingNumber]);
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
