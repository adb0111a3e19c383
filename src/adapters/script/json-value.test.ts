import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../../core/errors.ts';
import { jsonInput, jsonValue } from './json-value.ts';

const invalid = (error: unknown) => error instanceof AlthingError && error.code === 'value-invalid';

test('plain data is what JSON makes of it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(jsonValue(value), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('dates, instances, holes and infinities become what JSON makes of them', () => {
  class Reading {
    readonly level = 3;
    readonly show = () => this.level;
  }
  const value = {
    at: new Date(0),
    reading: new Reading(),
    list: [undefined, Number.NaN],
    text: new String('x'),
  };
  assert.deepEqual(jsonValue(value), JSON.parse(JSON.stringify(value)));
});

test('bytes stay bytes as a value on their own, and are refused as a part of one', () => {
  assert.deepEqual(jsonValue(Buffer.from([1, 2])), Uint8Array.of(1, 2));
  assert.deepEqual(jsonValue(new Uint8Array([3]).buffer), Uint8Array.of(3));
  assert.throws(() => jsonValue({ image: Uint8Array.of(3) }), invalid);
});

test('a value that contains itself, and a bigint, are refused', () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  assert.throws(() => jsonValue(loop), invalid);
  assert.throws(() => jsonValue(1n), invalid);
});

test('an input may be a function that gives the value, at once or later', async () => {
  assert.equal(await jsonInput(() => 5), 5);
  assert.deepEqual(await jsonInput(async () => ({ on: true })), { on: true });
});
