/**
 * The promise that an argument becomes the value that is meant.
 * Relies on laws over all JSON values.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseValue, showValue } from './value.ts';

test('JSON is read as JSON where the schema does not say string', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(parseValue(text, undefined), JSON.parse(text));
      assert.deepEqual(parseValue(text, { type: 'object' }), JSON.parse(text));
    }),
  );
});

test('text stays as it is where the schema says string, JSON or not', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(parseValue(text, { type: 'string' }), text);
    }),
  );
  assert.equal(parseValue('5', { type: 'string' }), '5');
  assert.equal(parseValue('1', { enum: ['1', '2'] }), '1');
  assert.equal(parseValue('1', { enum: [1, '2'] }), 1);
});

test('what is no JSON is text', () => {
  assert.equal(parseValue('warm white', { type: 'number' }), 'warm white');
  assert.equal(parseValue('', undefined), '');
});

test('people see text bare and everything else as JSON', () => {
  assert.equal(showValue('on'), 'on');
  assert.equal(showValue({ level: 3 }), '{"level":3}');
  assert.equal(showValue(undefined), 'null');
});
