import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '../core/codec.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { createFabric, decodeFabric, type Genesis } from './genesis.ts';

const genesis: Genesis = {
  name: 'Home',
  founder: new Uint8Array(32).fill(1),
  recovery: new Uint8Array(32).fill(2),
  created: 1_800_000_000_000,
};

test('a fabric read from its genesis is the one that was created', () => {
  const fabric = createFabric(genesis, nodeCrypto);
  assert.deepEqual(decodeFabric(fabric.bytes, nodeCrypto), fabric);
  assert.deepEqual(fabric.id, nodeCrypto.sha256(fabric.bytes));
});

test("every part of the genesis changes the fabric's id", () => {
  const id = (change: Partial<Genesis>) => createFabric({ ...genesis, ...change }, nodeCrypto).id.join();
  const key = new Uint8Array(32).fill(3);
  const ids = [{}, { name: 'Hut' }, { founder: key }, { recovery: key }, { created: 1 }].map(id);
  assert.equal(new Set(ids).size, ids.length);
});

test('a name that is empty or too long makes no fabric', () => {
  for (const name of ['', 'x'.repeat(65)])
    assert.throws(() => createFabric({ ...genesis, name }, nodeCrypto), { code: 'bad-input' });
});

test('bytes that are no genesis are refused', () => {
  const { name, founder, recovery, created } = genesis;
  for (const parts of [
    null,
    [],
    [2, name, founder, recovery, created],
    [1, '', founder, recovery, created],
    [1, name, founder.subarray(1), recovery, created],
    [1, name, founder, 'recovery', created],
    [1, name, founder, recovery, -1],
    [1, name, founder, recovery],
    [1, name, founder, recovery, created, 0],
  ])
    assert.throws(() => decodeFabric(encode(parts), nodeCrypto), { code: 'ticket-invalid' });
  assert.throws(() => decodeFabric(new Uint8Array([0xff]), nodeCrypto), { code: 'ticket-invalid' });
});
