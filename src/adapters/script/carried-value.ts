/**
 * Values on the channel between host and child: plain data as JSON, bytes apart as base64.
 * Relies on bytes being values on their own (of affordances with a binary content type), never parts of one.
 */

/** A value in a message; neither member means undefined. */
export interface Carried {
  readonly value?: unknown;
  /** Base64 (RFC 4648, section 4). */
  readonly bytes?: string;
}

/** The value as a message carries it. */
export const carry = (value: unknown): Carried => {
  if (value instanceof Uint8Array)
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  return value === undefined ? {} : { value };
};

/** The value that a message carried. */
export const carried = ({ value, bytes }: Carried): unknown =>
  bytes === undefined ? value : new Uint8Array(Buffer.from(bytes, 'base64'));
