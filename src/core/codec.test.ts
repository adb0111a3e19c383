import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { fromHex } from './bytes.ts';
import { decode, encode } from './codec.ts';
import { AlthingError, type ErrorCode } from './errors.ts';

/** Everything that may travel: what JSON has, and byte strings. */
const plain = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

/** True for what plain data may hold and CBOR may not: integers that JavaScript cannot tell from their neighbours. */
const hasUnsafeInteger = (value: unknown): boolean => {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(hasUnsafeInteger);
};

const refuses = (hex: string, code: ErrorCode = 'protocol-error'): void => {
  const what = (error: unknown) => error instanceof AlthingError && error.code === code;
  assert.throws(() => decode(fromHex(hex), code), what, hex);
};

test('plain data comes back as it was', (t) => {
  fc.assert(
    fc.property(
      plain.filter((value) => !hasUnsafeInteger(value)),
      (value) => assert.deepEqual(decode(encode(value)), value),
    ),
    { seed: seedOf(t), numRuns: 500 },
  );
});

test('equal data has equal bytes, in whatever order its members were set', (t) => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.nat(), { noNullPrototype: true }), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      assert.deepEqual(encode(reversed), encode(value));
    }),
    { seed: seedOf(t) },
  );
});

test('a member named __proto__ is data like any other', () => {
  const value: unknown = JSON.parse('{"__proto__":{"admin":true}}');
  const back = decode(encode(value)) as { admin?: unknown };
  assert.equal(back.admin, undefined);
  assert.deepEqual(Object.keys(back), ['__proto__']);
});

test('numbers and lengths in more bytes than necessary are refused', () => {
  for (const hex of ['1801', '190001', '1a00000001', '1b0000000000000001', '3801', '5800', '780161', '9800'])
    refuses(hex);
});

test('indefinite lengths are refused', () => {
  for (const hex of ['5f4101ff', '7f6161ff', '9f01ff', 'bf616101ff', 'ff']) refuses(hex);
});

test('repeated keys are refused', () => {
  refuses('a2616101616102');
  refuses('a2695f5f70726f746f5f5f01695f5f70726f746f5f5f02');
});

test('keys that are no text, tags, undefined, NaN, infinities and integers beyond 2^53 are refused', () => {
  for (const hex of ['a10102', 'c001', 'f7', 'f820', 'f97e00', 'f97c00', 'f9fc00', '1b0020000000000000'])
    refuses(hex);
  refuses('3b7fffffffffffffff');
});

test('nothing, too little and too much are refused', () => {
  for (const hex of ['', '0101', '8101ff', '82 01'.replace(' ', ''), '6261', 'a16161', '5b00000000ffffffff'])
    refuses(hex);
});

test('nesting is accepted 64 deep, and refused beyond without exhausting the stack', () => {
  const arrays = (depth: number) => `${'81'.repeat(depth - 1)}80`;
  const maps = (depth: number) => `${'a16161'.repeat(depth)}01`;
  decode(fromHex(arrays(64)));
  decode(fromHex(maps(64)));
  refuses(`${'81'.repeat(65)}01`);
  refuses(maps(65));
  refuses(`${'81'.repeat(500_000)}01`);
  refuses('81'.repeat(500_000));
  refuses(`${'82'.repeat(1000)}${'01'.repeat(1001)}`);
  refuses('c1'.repeat(500_000));
});

test('a wide value is no deep one', () => {
  const wide = Array.from({ length: 2000 }, (_, index) => [{ a: [index] }, []]);
  assert.deepEqual(decode(encode(wide)), wide);
});

test('what is announced and not there costs nothing', () => {
  for (const hex of ['9affffffff', 'baffffffff', '5affffffff', '7affffffff']) refuses(hex);
});

test('the error has the code that the caller gave', () => {
  for (const code of ['record-invalid', 'ticket-invalid', 'store-corrupt'] as const) refuses('ff', code);
  refuses(`${'81'.repeat(65)}01`, 'ticket-invalid');
});

test('members that are undefined are left out', () => {
  assert.deepEqual(decode(encode({ a: 1, b: undefined })), { a: 1 });
});

test('any bytes decode or are refused, never anything else', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(plain, fc.array(fc.tuple(fc.nat(1000), fc.nat(255)), { maxLength: 3 }))
      .map(([value, changes]) => {
        const copy = hasUnsafeInteger(value) ? new Uint8Array(1) : encode(value).slice();
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        return copy;
      }),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      try {
        decode(input, 'record-invalid');
      } catch (error) {
        assert.ok(error instanceof AlthingError && error.code === 'record-invalid', String(error));
      }
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 2000 : 500 },
  );
});
