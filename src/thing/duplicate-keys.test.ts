import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { duplicateKeys } from './duplicate-keys.ts';

test('a member that occurs twice is found, with its pointer', () => {
  const text = '{"properties": {"on": {"type": "boolean"}, "off": [1, {"x": 1, "x": 2}], "on": {}}}';
  assert.deepEqual(duplicateKeys(text), ['/properties/off/1/x', '/properties/on']);
});

test('names are compared as what they mean, not as they are written', () => {
  assert.deepEqual(duplicateKeys('{"a/b": 1, "\\u0061/b": 2}'), ['/a~1b']);
});

test('strings that look like members are not', () => {
  assert.deepEqual(duplicateKeys('{"a": "b\\": {", "b": ["a", "a", ":"], "c": {"a": 1}}'), []);
});

test('no more are told than asked for', () => {
  assert.equal(duplicateKeys('{"a":1,"a":1,"a":1,"a":1}', 2).length, 2);
});

test('what JSON.stringify writes never has any', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(4), (value, indent) => {
      assert.deepEqual(duplicateKeys(JSON.stringify(value, null, indent)), []);
    }),
  );
});

test('a member put in twice is always found', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
      fc.jsonValue(),
      (object, value) => {
        const name = Object.keys(object)[0]!;
        const text = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`;
        assert.equal(duplicateKeys(text).length, 1);
      },
    ),
  );
});
