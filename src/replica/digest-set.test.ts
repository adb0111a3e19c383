/**
 * The law of the sorted set of hashes: in whatever order they came and went, the bytes are those of the sorted rest.
 * Relies on made-up hashes with a few common prefixes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../core/bytes.ts';
import { seedOf } from '../testing/seed.ts';
import { DigestSet } from './digest-set.ts';

const hash = fc
  .tuple(fc.constantFrom(0, 0, 1, 127, 128, 255), fc.uint8Array({ minLength: 31, maxLength: 31 }))
  .map(([first, rest]) => toHex(Uint8Array.of(first, ...rest)));
const bytesOf = (hashes: Iterable<string>): Uint8Array =>
  Uint8Array.from([...hashes].sort().flatMap((one) => [...fromHex(one)]));

test('whatever came and went in whatever order, the bytes are those of the sorted rest', (t) => {
  const steps = fc.array(fc.record({ add: hash, look: fc.boolean(), drop: fc.option(fc.nat()) }), {
    minLength: 0,
    maxLength: 700,
    size: 'max',
  });
  fc.assert(
    fc.property(fc.uniqueArray(hash, { maxLength: 20 }), steps, (first, all) => {
      const held = new Set(first);
      const set = new DigestSet(first);
      for (const { add, look, drop } of all) {
        if (!held.has(add)) set.add(add);
        held.add(add);
        const dropped = drop === null ? undefined : [...held][drop % (held.size * 4)];
        if (dropped !== undefined) {
          set.delete(dropped);
          held.delete(dropped);
        }
        if (look && held.size % 50 === 0) assert.deepEqual(set.bytes, bytesOf(held));
      }
      assert.deepEqual(set.bytes, bytesOf(held));
    }),
    { seed: seedOf(t), numRuns: 30 },
  );
});

test('a thousand that come at once are sorted, and so are those after them', () => {
  const hashes = Array.from({ length: 1000 }, (_, n) =>
    toHex(
      new Uint8Array(32)
        .fill((n * 7) % 251, 0, 16)
        .fill(n >> 2, 16)
        .fill(n, 31),
    ),
  );
  const set = new DigestSet(hashes.slice(0, 900));
  assert.deepEqual(set.bytes, bytesOf(hashes.slice(0, 900)));
  for (const one of hashes.slice(900)) set.add(one);
  assert.deepEqual(set.bytes, bytesOf(hashes));
});
