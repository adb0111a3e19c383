/**
 * The promises of a shadow's content: it always fits into a record, says what it leaves out, and believes no form.
 * Relies on records that a test signs with a key of its own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decode, encode } from '../core/codec.ts';
import { openRecord, signRecord } from '../replica/record.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { seedOf } from '../testing/seed.ts';
import { isSameValue, type KnownValue, knownValue, readShadow, shadowValue } from './shadow-values.ts';

const fabric = new Uint8Array(32);
const signer = nodeCrypto.signer(new Uint8Array(32).fill(9));
const recordOf = (value: unknown) => {
  const position = { epoch: 1, seq: 1, hlc: 1, deleted: false };
  const body = { collection: 'shadow', key: 'thing', author: signer.publicKey, ...position, value };
  return openRecord(signRecord(body, fabric, signer), fabric, nodeCrypto);
};
const tdOf = (names: Iterable<string>) => ({
  properties: Object.fromEntries([...names].map((name) => [name, {}])),
});
const knownOf = (values: Readonly<Record<string, unknown>>): Map<string, KnownValue> =>
  new Map(Object.entries(values).map(([name, value], i) => [name, knownValue(value, i + 1)]));

test('bytes, values above 1 KiB and what no record can carry are named as left out, without a value', () => {
  const known = knownOf({
    on: true,
    long: 'x'.repeat(1025),
    picture: new Uint8Array(3),
    list: Array.from({ length: 1100 }, () => 0),
    nested: { film: new Uint8Array(3) },
    half: '\ud800',
    fits: 'x'.repeat(1000),
    '\ud800': 1,
  });
  assert.deepEqual(shadowValue(known, tdOf(known.keys())), {
    properties: { on: [true, 1], fits: ['x'.repeat(1000), 7] },
    omitted: ['long', 'picture', 'list', 'nested', 'half'],
  });
});

test('above 16 KiB the later properties of the description are left out, and what it no longer names is', () => {
  const values = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`p${i}`, 'x'.repeat(900)]));
  const { properties, omitted } = shadowValue(knownOf(values), tdOf(Object.keys(values)));
  assert.deepEqual(Object.keys(properties), Object.keys(values).slice(0, 17));
  assert.deepEqual(omitted, Object.keys(values).slice(17, 17 + 64));
  assert.deepEqual(shadowValue(knownOf({ old: 1, on: 2 }), tdOf(['on'])), { properties: { on: [2, 2] } });
});

test('whatever the values are, a record takes the shadow, and reading gives what was said', (t) => {
  const values = fc.dictionary(fc.string({ unit: 'binary', maxLength: 40 }), fc.jsonValue({ maxDepth: 6 }), {
    maxKeys: 40,
  });
  fc.assert(
    fc.property(values, (given) => {
      const known = knownOf(given);
      const value = shadowValue(known, tdOf(known.keys()));
      assert.ok(encode(value).length < 24 * 1024);
      const read = readShadow(recordOf(decode(encode(value))));
      assert.deepEqual(read.omitted, value.omitted ?? []);
      assert.deepEqual(new Set(read.known.keys()), new Set(Object.keys(value.properties)));
      for (const [name, [one, timeMs]] of Object.entries(value.properties)) {
        const said = read.known.get(name)!;
        assert.equal(said.timeMs, timeMs);
        assert.deepEqual(encode(said.value), encode(one));
      }
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 2000 : 100 },
  );
});

test('a record that is no shadow, or partly, says nothing more than what has the form', () => {
  for (const value of [null, 1, 'x', [], {}, { properties: [] }, { properties: null, omitted: 7 }])
    assert.deepEqual(readShadow(recordOf(value)), { known: new Map(), omitted: [] });
  const { known, omitted } = readShadow(
    recordOf({
      properties: { good: [1, 2], bare: 1, short: [1], long: [1, 2, 3], when: [1, 'now'], late: [1, 9e15] },
      omitted: ['film', 3, null],
    }),
  );
  assert.deepEqual([...known.keys()], ['good']);
  assert.deepEqual(omitted, ['film']);
});

test('numbers are the same by value, lists and objects by their JSON, what is left out always', () => {
  const same = (a: unknown, b: unknown) => isSameValue(knownValue(a, 1), knownValue(b, 2));
  assert.ok(same(1, 1) && same(null, null) && same([1, { a: 2 }], [1, { a: 2 }]));
  assert.ok(same(new Uint8Array(1), 'x'.repeat(2000)));
  assert.ok(!same(1, '1') && !same([1], [2]) && !same(null, []) && !same(true, new Uint8Array(1)));
});
