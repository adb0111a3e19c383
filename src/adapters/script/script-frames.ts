/**
 * Messages on the pipe between host and child: a 4-byte big-endian length, then one JSON value in UTF-8.
 * Relies on JSON, so that the child needs no library; a length above the limit is refused before its bytes are kept.
 */
import { utf8 } from '../../core/bytes.ts';
import { AlthingError } from '../../core/errors.ts';

const headerBytes = 4;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A message as a frame. Throws `value-too-large` above `maxBytes`, `value-invalid` for what JSON cannot carry. */
export const encodeFrame = (message: object, maxBytes: number): Uint8Array => {
  let body: Uint8Array;
  try {
    body = utf8(JSON.stringify(message));
  } catch (error) {
    throw new AlthingError('value-invalid', `The value is not plain data: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (body.length > maxBytes)
    throw new AlthingError(
      'value-too-large',
      `The message has ${body.length} bytes, at most ${maxBytes} are allowed: send less at once.`,
    );
  const frame = new Uint8Array(headerBytes + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, headerBytes);
  return frame;
};

/** Cuts a stream of bytes into messages; holds at most one frame and one chunk. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  /** @param maxBytes the largest message accepted */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes in what arrived; call `next` until it gives undefined before the next `push`. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** The next whole message, or undefined. Throws `value-too-large`, and `protocol-error` for bad JSON. */
  next(): unknown {
    if (this.#held < headerBytes) return undefined;
    const head = this.#peek(headerBytes);
    const size = new DataView(head.buffer, head.byteOffset, headerBytes).getUint32(0);
    if (size > this.#maxBytes)
      throw new AlthingError('value-too-large', `A message of ${size} bytes, at most ${this.#maxBytes} go.`);
    if (this.#held < headerBytes + size) return undefined;
    const frame = this.#peek(headerBytes + size);
    this.#held -= frame.length;
    const first = this.#chunks[0]!;
    if (first.length === frame.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(frame.length);
    return parse(frame.subarray(headerBytes));
  }

  /** The first `size` bytes in one piece; joins chunks only when a frame spans them. */
  #peek(size: number): Uint8Array {
    let first = this.#chunks[0]!;
    if (first.length < size) {
      first = Buffer.concat(this.#chunks);
      this.#chunks = [first];
    }
    return first.subarray(0, size);
  }
}

const parse = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(decoder.decode(body));
  } catch (error) {
    throw new AlthingError('protocol-error', `A message is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
};
