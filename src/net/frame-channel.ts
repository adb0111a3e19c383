/**
 * A channel that speaks frames: what the handshake and then the session are written on.
 * Relies on a channel; many frames sent in one turn go out in one write.
 */
import type { AlthingError } from '../core/errors.ts';
import { toAlthingError } from '../core/errors.ts';
import type { Channel } from './channel.ts';
import { encodeFrame, type Frame, FrameReader, maxFrameBytes } from './frames.ts';

/** Frames over a channel. The owner sets the callbacks; a frame that is none ends the channel. */
export class FrameChannel {
  readonly channel: Channel;
  /** Called once, with the reason where there was one. */
  onClose: (reason: AlthingError | undefined) => void = () => {};
  onDrain: () => void = () => {};
  readonly #reader = new FrameReader();
  #handler: ((frame: Frame) => void) | undefined;
  /** Frames that came between one handler and the next. Reading is paused meanwhile, so it stays short. */
  #held: Frame[] = [];
  #fault: AlthingError | undefined;
  #closed = false;
  constructor(channel: Channel) {
    this.channel = channel;
    channel.onData = (bytes) => this.#read(bytes);
    channel.onDrain = () => this.onDrain();
    channel.onClose = (reason) => {
      this.#closed = true;
      this.onClose(this.#fault ?? (reason && toAlthingError(reason, 'connection-lost')));
    };
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Hands frames to `handler`, first those that came while there was none; with undefined, holds them back.
   * A throw of the handler ends the channel with that error.
   */
  handle(handler: ((frame: Frame) => void) | undefined): void {
    this.#handler = handler;
    if (!handler) return;
    const held = this.#held;
    this.#held = [];
    for (const frame of held) this.#deliver(frame);
    if (this.#handler) this.channel.resume();
  }

  /** From now on the other side is a member: full-sized frames are accepted. */
  trust(): void {
    this.#reader.maxBytes = maxFrameBytes;
  }

  /** Sends a frame; false means that the other side is behind. Throws `value-too-large`. */
  send(frame: Frame): boolean {
    const bytes = encodeFrame(frame);
    return this.#closed ? false : this.channel.send(bytes);
  }

  /** Ends the channel; `fault` is what `onClose` will say. */
  close(fault?: AlthingError, options: { abrupt?: boolean } = {}): void {
    this.#fault ??= fault;
    this.channel.close(options);
  }

  #read(bytes: Uint8Array): void {
    try {
      for (const frame of this.#reader.push(bytes)) this.#deliver(frame);
    } catch (error) {
      this.close(toAlthingError(error, 'protocol-error'), { abrupt: true });
    }
  }

  #deliver(frame: Frame): void {
    if (this.#closed || this.#fault) return;
    if (!this.#handler) {
      this.#held.push(frame);
      this.channel.pause();
      return;
    }
    try {
      this.#handler(frame);
    } catch (error) {
      this.close(toAlthingError(error, 'protocol-error'), { abrupt: true });
    }
  }
}
