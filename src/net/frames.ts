/**
 * The frames that peers exchange: a 4-byte big-endian length, then a CBOR array [type, ...].
 * Relies on the codec; sizes are checked before a byte of a frame is kept.
 */
import { concat } from '../core/bytes.ts';
import { decode, encode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';

/** Frame types. Gaps leave room; an unknown type is answered with an error and ignored. */
export const frameType = {
  hello: 0,
  welcome: 1,
  redeem: 2,
  admitted: 3,
  refusal: 4,
  request: 10,
  response: 11,
  error: 12,
  notify: 13,
  missed: 14,
  cancel: 15,
  vector: 20,
  want: 21,
  records: 22,
  ping: 30,
  pong: 31,
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
  const bytes = new Uint8Array(headerBytes + body.length);
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
  #parts: Uint8Array[] = [];
  #held = 0;
  #needed = headerBytes;

  /**
   * The frames that these bytes complete. Throws `value-too-large` as soon as a length says so, and `protocol-error`
   * for a body that is no frame; the stream is unusable then.
   */
  *push(bytes: Uint8Array): Generator<Frame> {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    if (this.#held < this.#needed) return;
    let data = this.#parts.length === 1 ? bytes : concat(...this.#parts);
    this.#parts = [];
    while (data.length >= headerBytes) {
      const size = ((data[0]! << 24) | (data[1]! << 16) | (data[2]! << 8) | data[3]!) >>> 0;
      if (size > this.maxBytes)
        throw new AlthingError(
          'value-too-large',
          `A frame of ${size} bytes was announced: at most ${this.maxBytes} are accepted here.`,
        );
      this.#needed = headerBytes + size;
      if (data.length < this.#needed) break;
      const body = data.subarray(headerBytes, this.#needed);
      data = data.subarray(this.#needed);
      this.#needed = headerBytes;
      yield toFrame(decode(body));
    }
    this.#held = data.length;
    if (data.length > 0) this.#parts.push(data);
  }
}

const toFrame = (value: unknown): Frame => {
  if (!Array.isArray(value) || !Number.isSafeInteger(value[0]) || value[0] < 0)
    throw new AlthingError('protocol-error', 'A frame is an array that starts with its type.');
  return value as unknown as Frame;
};
