/**
 * Channels in memory, for tests of all that is written on channels: ordered, asynchronous, with push-back, breakable.
 * Relies on nothing but timers of the event loop; whoever makes a pair says when its bytes travel.
 */
import type { PeerId } from '../core/ids.ts';
import type { Channel } from '../net/channel.ts';

/** How a pair behaves. */
export interface MemoryChannelOptions {
  /** Carries out a delivery later, in the order of the calls (default: `setImmediate`). */
  readonly schedule?: (deliver: () => void) => void;
  /** Bytes under way from which on `send` says false (default 16 KiB, as sockets). */
  readonly highWaterBytes?: number;
  /** Where the dialler comes from, as the acceptor sees it (default `127.0.0.1:50000`). */
  readonly diallerAddress?: string;
  /** Largest piece that is delivered at once (default 64 KiB). */
  readonly pieceBytes?: number;
}

/** One end, with what a test wants to know of it beside the channel. */
export interface MemoryChannel extends Channel {
  readonly closed: boolean;
  readonly paused: boolean;
}

/** The two ends of a new channel: first the end of `dialler`, whose other side is `acceptor`; then the other. */
export const memoryChannelPair = (
  dialler: PeerId,
  acceptor: PeerId,
  options: MemoryChannelOptions = {},
): [MemoryChannel, MemoryChannel] => {
  const one = new End(acceptor, true, options);
  const two = new End(dialler, false, options);
  one.other = two;
  two.other = one;
  return [one, two];
};

class End implements MemoryChannel {
  readonly remote: PeerId;
  readonly dialled: boolean;
  readonly remoteAddress: string;
  readonly localAddress = '127.0.0.1';
  other!: End;
  onData: (bytes: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (reason: Error | undefined) => void = () => {};
  closed = false;
  paused = false;
  readonly #schedule: (deliver: () => void) => void;
  readonly #highWaterBytes: number;
  readonly #pieceBytes: number;
  #outgoing: Uint8Array[] = [];
  #queuedBytes = 0;
  #carrying = false;
  #behind = false;
  #ending = false;

  constructor(remote: PeerId, dialled: boolean, options: MemoryChannelOptions) {
    this.remote = remote;
    this.dialled = dialled;
    this.remoteAddress = dialled ? '127.0.0.1:7421' : (options.diallerAddress ?? '127.0.0.1:50000');
    this.#schedule = options.schedule ?? ((deliver) => void setImmediate(deliver));
    this.#highWaterBytes = options.highWaterBytes ?? 16 * 1024;
    this.#pieceBytes = options.pieceBytes ?? 64 * 1024;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  send(bytes: Uint8Array): boolean {
    if (this.closed || this.#ending) return false;
    for (let at = 0; at < bytes.length; at += this.#pieceBytes)
      this.#outgoing.push(bytes.slice(at, at + this.#pieceBytes));
    this.#queuedBytes += bytes.length;
    this.#carry();
    const behind = this.#queuedBytes >= this.#highWaterBytes;
    this.#behind ||= behind;
    return !behind;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.other.#carry();
  }

  close({ abrupt = false } = {}): void {
    if (this.closed || (this.#ending && !abrupt)) return;
    this.#ending = true;
    if (!abrupt && this.#outgoing.length > 0) return;
    this.#end();
  }

  /** Both ends see the end, the other one a little later. */
  #end(): void {
    if (this.closed) return;
    this.closed = true;
    this.#outgoing = [];
    this.#queuedBytes = 0;
    this.#schedule(() => this.onClose(undefined));
    this.#schedule(() => this.other.#end());
  }

  #carry(): void {
    if (this.#carrying) return;
    this.#carrying = true;
    this.#schedule(() => {
      this.#carrying = false;
      if (this.closed || this.other.closed || this.other.paused) return;
      const piece = this.#outgoing.shift();
      if (!piece) return;
      this.#queuedBytes -= piece.length;
      this.other.onData(piece);
      if (this.#outgoing.length > 0) this.#carry();
      else if (this.#ending) this.#end();
      else if (this.#behind) {
        this.#behind = false;
        this.onDrain();
      }
    });
  }
}
