/**
 * CBOR (RFC 8949) for everything signed, stored or sent: deterministic to write, strict to read.
 * Relies on `cborg`, with the options that refuse every form but the shortest.
 */
import { decode as cborDecode, encode as cborEncode, type EncodeOptions } from 'cborg';
import { AlthingError, type ErrorCode } from './errors.ts';

const decodeOptions = {
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  strict: true,
  rejectDuplicateMapKeys: true,
};

/** Deepest nesting that `decode` accepts; the decoder recurses once a level. */
const maxDepth = 64;

const refuse = (what: string): never => {
  throw new AlthingError('value-invalid', `${what} cannot be sent or stored: only plain data can.`);
};

/** Whatever `decode` would refuse is refused here already: the other side must not suffer for our slip. */
const encodeOptions: EncodeOptions = {
  ignoreUndefinedProperties: true,
  typeEncoders: {
    undefined: () => refuse('undefined'),
    bigint: () => refuse('A bigint'),
    Map: () => refuse('A Map'),
    number: (value: number) => (Number.isFinite(value) ? null : refuse(String(value))),
    string: (value: string) =>
      value.isWellFormed() ? null : refuse('Text with half a character (a lone surrogate)'),
  },
};

/**
 * Plain data as CBOR, map keys in the length-first order of RFC 7049 section 3.9; `undefined` members are left out.
 * Throws `value-invalid` for anything that is no plain data, or nested deeper than `decode` accepts.
 */
export const encode = (value: unknown): Uint8Array => {
  try {
    const bytes = cborEncode(value, encodeOptions);
    checkDepth(bytes);
    return bytes;
  } catch (error) {
    if (error instanceof AlthingError) throw error;
    throw new AlthingError(
      'value-invalid',
      `The value cannot be sent or stored: ${(error as Error).message}.`,
      { cause: error },
    );
  }
};

/**
 * Plain data out of CBOR. Throws `code` (default `protocol-error`) for anything that is not exactly one value
 * in its shortest form, nested at most 64 deep.
 */
export const decode = (bytes: Uint8Array, code: ErrorCode = 'protocol-error'): unknown => {
  try {
    checkDepth(bytes);
    return cborDecode(bytes, decodeOptions);
  } catch (error) {
    throw new AlthingError(code, `The bytes are not valid CBOR: ${(error as Error).message}`, {
      cause: error,
    });
  }
};

/** Walks the heads without recursion, so that a small hostile input cannot exhaust the decoder's stack. */
const checkDepth = (bytes: Uint8Array): void => {
  const open: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const head = bytes[at++]!;
    const major = head >> 5;
    const info = head & 31;
    let length = info;
    if (info >= 24 && info <= 27) {
      const size = 1 << (info - 24);
      length = 0;
      for (let i = 0; i < size; i++) length = length * 256 + (bytes[at++] ?? 0);
    } else if (info > 27) return; // The decoder itself refuses these.
    let children = 0;
    if (major === 2 || major === 3) at += length;
    else if (major === 4) children = length;
    else if (major === 5) children = length * 2;
    else if (major === 6) children = 1;
    if (children > 0) {
      open.push(children);
      if (open.length > maxDepth) throw new Error(`nested deeper than ${maxDepth}`);
      continue;
    }
    while (open.length > 0) {
      open[open.length - 1]! -= 1;
      if (open[open.length - 1]! > 0) break;
      open.pop();
    }
  }
};
