/**
 * Byte strings: joining, comparing, hexadecimal.
 * Relies on the language alone (no Buffer), so that browsers and pure code can use it.
 */

const encoder = new TextEncoder();

/** A string as UTF-8. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** The parts, one after the other, in a new array. */
export const concat = (...parts: Uint8Array[]): Uint8Array => {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

/** Byte-wise lexicographic order: negative, zero or positive. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
};

/** Whether both hold the same bytes. Not in constant time: for public values only. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && compareBytes(a, b) === 0;

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal. */
export const toHex = (bytes: Uint8Array): string => {
  let out = '';
  for (const byte of bytes) out += hexPairs[byte]!;
  return out;
};

/** The bytes of a hexadecimal string with an even number of digits. */
export const fromHex = (hex: string): Uint8Array => {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return out;
};
