/**
 * The parts that schemas of statements share: byte strings of one size, times.
 * Relies on valibot.
 */
import * as v from 'valibot';

/** A byte string of exactly this size. */
export const bytesOf = (sizeBytes: number) =>
  v.pipe(
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be a byte string'),
    v.check((bytes) => bytes.length === sizeBytes, `must have ${sizeBytes} bytes`),
  );

/** Milliseconds since 1970. */
export const timeMs = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
