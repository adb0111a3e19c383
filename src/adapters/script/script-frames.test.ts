import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../../core/errors.ts';
import { encodeFrame, FrameReader } from './script-frames.ts';

const limit = 10_000;
const all = (reader: FrameReader): unknown[] => {
  const out: unknown[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) out.push(next);
  return out;
};
const code = (expected: string) => (error: unknown) =>
  error instanceof AlthingError && error.code === expected;

test('messages arrive whole and in order, however the stream is cut', () => {
  const message = fc.record(
    { id: fc.nat(), text: fc.string({ maxLength: 50 }), json: fc.jsonValue() },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), (messages, size) => {
      const wire = Buffer.concat(messages.map((item) => encodeFrame(item, limit)));
      const reader = new FrameReader(limit);
      const out: unknown[] = [];
      for (let at = 0; at < wire.length; at += size) {
        reader.push(wire.subarray(at, at + size));
        out.push(...all(reader));
      }
      assert.deepEqual(out, JSON.parse(JSON.stringify(messages)));
    }),
  );
});

test('a message above the limit is refused by its length alone, before it has arrived', () => {
  const reader = new FrameReader(limit);
  reader.push(Uint8Array.of(0, 0, 0x27, 0x11));
  assert.throws(() => reader.next(), code('value-too-large'));
  assert.throws(() => encodeFrame({ text: 'x'.repeat(limit) }, limit), code('value-too-large'));
});

test('bytes that are no JSON are refused', () => {
  const reader = new FrameReader(limit);
  reader.push(Uint8Array.of(0, 0, 0, 2, 0xff, 0xff));
  assert.throws(() => reader.next(), code('protocol-error'));
});

test('what JSON cannot carry is refused when it is sent', () => {
  assert.throws(() => encodeFrame({ value: 1n }, limit), code('value-invalid'));
});
