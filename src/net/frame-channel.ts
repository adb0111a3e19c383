/**
 * A channel that speaks frames: what the handshake and then the session are written on.
 * Relies on a channel; many frames sent in one turn go out in one write.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { Channel } from './channel.ts';
import { encodeFrame, type Frame, FrameReader, maxFrameBytes } from './frames.ts';

/** More than this is not kept for an end that does not read: whatever it asks for, it is cut off. */
const maxQueuedBytes = 32 * 1024 * 1024;

/** Takes a frame, and how many bytes it has. */
export type FrameHandler = (frame: Frame, sizeBytes: number) => void;

/** Frames over a channel. The owner sets the callbacks; a frame that is none ends the channel. */
export class FrameChannel {
  readonly channel: Channel;
  /** Called once, with the reason where there was one. */
  onClose: (reason: AlthingError | undefined) => void = () => {};
  onDrain: () => void = () => {};
  readonly #reader = new FrameReader();
  #handler: FrameHandler | undefined;
  /** Why reading has stopped at the moment. */
  readonly #pauses = new Set<string>();
  #reading = false;
  #fault: AlthingError | undefined;
  #ending = false;

  constructor(channel: Channel) {
    this.channel = channel;
    channel.onData = (bytes) => {
      if (this.#ending) return;
      this.#reader.add(bytes);
      this.#read();
    };
    channel.onDrain = () => this.onDrain();
    channel.onClose = (reason) => {
      this.#ending = true;
      this.onClose(this.#fault ?? (reason && toAlthingError(reason, 'connection-lost')));
    };
  }

  /** Nothing can be sent any more: it has ended, or is about to. */
  get closed(): boolean {
    return this.#ending;
  }

  /** Bytes that were sent and that the network has not taken yet. */
  get queuedBytes(): number {
    return this.channel.queuedBytes;
  }

  /**
   * Hands frames to `handler`, first those that came while there was none; with undefined, they wait unread.
   * A throw of the handler ends the channel with that error.
   */
  handle(handler: FrameHandler | undefined): void {
    this.#handler = handler;
    if (!handler) return;
    this.resume('unhandled');
    this.#read();
  }

  /** From now on the other side is a member: full-sized frames are accepted. */
  trust(): void {
    this.#reader.maxBytes = maxFrameBytes;
  }

  /** Stops reading for a reason of the caller's; the other side is pushed back until each reason is gone. */
  pause(reason: string): void {
    if (this.#pauses.size === 0) this.channel.pause();
    this.#pauses.add(reason);
  }

  /** The reason is gone. What was read meanwhile is handled in a turn of its own. */
  resume(reason: string): void {
    if (!this.#pauses.delete(reason) || this.#pauses.size > 0) return;
    this.channel.resume();
    queueMicrotask(() => this.#read());
  }

  /** Sends a frame; false means that the other side is behind. Throws `value-too-large`, `value-invalid`. */
  send(frame: Frame): boolean {
    return this.sendEncoded(encodeFrame(frame));
  }

  /** The same with what `encodeFrame` gave. */
  sendEncoded(bytes: Uint8Array): boolean {
    if (this.#ending) return false;
    if (this.channel.queuedBytes > maxQueuedBytes) {
      const { remote } = this.channel;
      this.close(new AlthingError('connection-lost', `${remote} does not take what it is sent.`), {
        abrupt: true,
      });
      return false;
    }
    return this.channel.send(bytes);
  }

  /** Ends the channel, and hands out nothing more; `fault` is what `onClose` will say. */
  close(fault?: AlthingError, options: { abrupt?: boolean } = {}): void {
    this.#fault ??= fault;
    this.#ending = true;
    this.channel.close(options);
  }

  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (!this.#ending && this.#handler && this.#pauses.size === 0) {
        const frame = this.#reader.next();
        if (!frame) break;
        this.#handler(frame, this.#reader.lastBytes);
      }
    } catch (error) {
      this.close(toAlthingError(error, 'protocol-error'), { abrupt: true });
    } finally {
      this.#reading = false;
    }
    if (!this.#handler && !this.#ending) this.pause('unhandled');
  }
}
