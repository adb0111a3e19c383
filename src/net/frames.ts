/**
 * The frames that peers exchange: a 4-byte big-endian length, then a CBOR array [type, ...].
 * Relies on the codec; sizes are checked before a byte of a frame is kept.
 */
import { decode, encode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';

/** Frame types. Gaps leave room; an unknown type is answered with an error and ignored. */
export const frameType = {
  hello: 0,
  welcome: 1,
  redeem: 2,
  admitted: 3,
  refusal: 4,
  present: 5,
  request: 10,
  response: 11,
  error: 12,
  notify: 13,
  missed: 14,
  cancel: 15,
  vector: 20,
  want: 21,
  records: 22,
  frauds: 23,
  wantFraud: 24,
  fraud: 25,
  summary: 26,
  wantHashes: 27,
  hashes: 28,
  wantNamed: 29,
  ping: 30,
  pong: 31,
  rest: 32,
  retire: 33,
} as const;

/** A decoded frame: an array whose first element is a non-negative integer. */
export type Frame = readonly [type: number, ...elements: unknown[]];

/** Largest frame body between members. */
export const maxFrameBytes = 1024 * 1024;
/** Largest frame body before a peer has been accepted. */
export const maxHandshakeFrameBytes = 32 * 1024;
const headerBytes = 4;

/** A frame's bytes. Throws `value-too-large` beyond 1 MiB. */
export const encodeFrame = (frame: Frame): Uint8Array => {
  const body = encode(frame);
  if (body.length > maxFrameBytes)
    throw new AlthingError(
      'value-too-large',
      `A message of ${body.length} bytes does not fit: at most ${maxFrameBytes} bytes go at once.`,
    );
  // Out of the pool: memory of its own costs more than the rest of this function.
  const bytes = Buffer.allocUnsafe(headerBytes + body.length);
  bytes[0] = body.length >>> 24;
  bytes[1] = body.length >>> 16;
  bytes[2] = body.length >>> 8;
  bytes[3] = body.length;
  bytes.set(body, headerBytes);
  return bytes;
};

/** Cuts a byte stream into frames, whatever pieces it comes in. */
export class FrameReader {
  /** Largest body accepted; raised once the other side is known. */
  maxBytes = maxHandshakeFrameBytes;
  /** What has come and was not taken yet: the bytes from `#start` to `#end`. */
  #buffer: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #lastBytes = 0;

  /** The size of the frame that `next` gave last. */
  get lastBytes(): number {
    return this.#lastBytes;
  }

  /** Takes in bytes, which stay the reader's. */
  add(bytes: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#buffer = bytes;
      this.#start = 0;
      this.#end = bytes.length;
      return;
    }
    if (this.#end + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * The next frame that is whole, or undefined. Throws `value-too-large` as soon as a length says so, and
   * `protocol-error` for a body that is no frame; the stream is unusable then.
   */
  next(): Frame | undefined {
    const held = this.#end - this.#start;
    if (held < headerBytes) return undefined;
    const [a, b, c, d] = this.#buffer.subarray(this.#start, this.#start + headerBytes);
    const size = ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
    if (size > this.maxBytes)
      throw new AlthingError(
        'value-too-large',
        `A frame of ${size} bytes was announced: at most ${this.maxBytes} are accepted here.`,
      );
    if (held < headerBytes + size) return undefined;
    const start = this.#start + headerBytes;
    this.#start = start + size;
    this.#lastBytes = headerBytes + size;
    return toFrame(decode(this.#buffer.subarray(start, this.#start)));
  }

  /** Makes room for more; twice as much each time, so that a frame in single bytes costs no more than one in one piece. */
  #grow(moreBytes: number): void {
    const held = this.#buffer.subarray(this.#start, this.#end);
    this.#buffer = new Uint8Array(Math.max(held.length * 2, held.length + moreBytes));
    this.#buffer.set(held);
    this.#start = 0;
    this.#end = held.length;
  }
}

const toFrame = (value: unknown): Frame => {
  if (!Array.isArray(value) || !Number.isSafeInteger(value[0]) || value[0] < 0)
    throw new AlthingError('protocol-error', 'A frame is an array that starts with its type.');
  return value as unknown as Frame;
};
