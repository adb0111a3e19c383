import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { compareBytes, concat, equalBytes, fromHex, toHex, utf8 } from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 12 });

test('the order is that of the hexadecimal digits', (t) => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const [x, y] = [toHex(a), toHex(b)];
      assert.equal(Math.sign(compareBytes(a, b)), x < y ? -1 : x > y ? 1 : 0);
      assert.equal(equalBytes(a, b), x === y);
      assert.equal(equalBytes(a, a.slice()), true);
    }),
    { seed: seedOf(t), numRuns: 500 },
  );
});

test('hexadecimal comes back as it was, and is the parts joined', (t) => {
  fc.assert(
    fc.property(fc.array(bytes), (parts) => {
      const joined = concat(...parts);
      assert.equal(toHex(joined), parts.map(toHex).join(''));
      assert.deepEqual(fromHex(toHex(joined)), joined);
    }),
    { seed: seedOf(t) },
  );
});

test('text is UTF-8', () => {
  assert.equal(toHex(utf8('é灯')), 'c3a9e781af');
});
