import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../core/errors.ts';
import { copyPlain, measuredCopy } from './plain-value.ts';

const refusal = (value: unknown): AlthingError => {
  try {
    copyPlain(value);
  } catch (error) {
    assert(error instanceof AlthingError);
    return error;
  }
  assert.fail('nothing was thrown');
};

test('any JSON value is copied as it is', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'medium' }), (value) => {
      assert.deepEqual(copyPlain(value), value);
    }),
  );
});

test('no value at all makes it throw anything but an AlthingError', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
      (value) => {
        try {
          copyPlain(value);
        } catch (error) {
          assert(error instanceof AlthingError);
        }
      },
    ),
  );
});

test('what JSON does not have is refused where it is', () => {
  const self: unknown[] = [];
  self.push([self]);
  const cases: [unknown, RegExp][] = [
    [Number.NaN, /The value is NaN/],
    [{ a: [1, Number.POSITIVE_INFINITY] }, /\/a\/1 is Infinity/],
    [undefined, /is undefined/],
    [{ 'a/b': () => 1 }, /\/a~1b is a function/],
    [[1n], /\/0 is a bigint/],
    [new Date(0), /instance of Date/],
    [new Map(), /instance of Map/],
    [new Uint8Array(1), /instance of Uint8Array/],
    [[undefined], /\/0 is undefined/],
    [self, /contains itself/],
    [
      {
        get bad() {
          throw new Error('no');
        },
      },
      /cannot be read/,
    ],
  ];
  for (const [value, message] of cases) {
    const error = refusal(value);
    assert.equal(error.code, 'value-invalid');
    assert.match(error.message, message);
  }
});

test('a copy shares nothing with its original', () => {
  const original = { a: [{ b: 1 }] };
  const copy = copyPlain(original) as typeof original;
  original.a[0]!.b = 2;
  assert.deepEqual(copy, { a: [{ b: 1 }] });
});

test('members that are undefined are left out, and __proto__ stays a member', () => {
  assert.deepEqual(copyPlain({ a: undefined, b: 1 }), { b: 1 });
  const copy = copyPlain(JSON.parse('{"__proto__": {"x": 1}}')) as object;
  assert.deepEqual(Object.keys(copy), ['__proto__']);
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
});

test('a value that grows without end by sharing its parts is refused', () => {
  let value: unknown = 'x';
  for (let i = 0; i < 40; i++) value = [value, value];
  assert.equal(refusal(value).code, 'value-too-large');
});

test('the size is never far below that of the JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert(measuredCopy(value).size * 6 + 30 >= JSON.stringify(value).length);
    }),
  );
});
