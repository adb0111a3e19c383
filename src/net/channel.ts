/**
 * The seam under sessions: an authenticated, ordered byte stream between two keys.
 * Relies on nothing; `tls-channel.ts` is the first way to make one, `testing/` has one in memory.
 */
import type { PeerId } from '../core/ids.ts';

/** An open channel. The remote key has been proven by the channel's own handshake. */
export interface Channel {
  readonly remote: PeerId;
  /** True where this side dialled. */
  readonly dialled: boolean;
  /** `host:port` of the other end, for people and for address memory. */
  readonly remoteAddress: string;
  /** The address of this end, without port: when the machine loses it the channel is dead. */
  readonly localAddress: string;
  /** Queues bytes; false means that the other side is behind: wait for `onDrain` before sending bulk. */
  send(bytes: Uint8Array): boolean;
  /** Bytes queued here and not yet taken by the network. */
  readonly queuedBytes: number;
  /** Stops and resumes reading: the other side is pushed back. */
  pause(): void;
  resume(): void;
  /** Ends the channel: at once when `abrupt`, else after what was sent. Idempotent. */
  close(options?: { abrupt?: boolean }): void;
  /** Set by the owner before the first byte is delivered (within the same turn in which it gets the channel). */
  onData: (bytes: Uint8Array) => void;
  onDrain: () => void;
  /** Called exactly once. */
  onClose: (reason: Error | undefined) => void;
}

/** An IP address and a TCP port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}
