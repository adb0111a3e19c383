import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsOf } from './recovery.ts';

test('a seed is written as the BIP-39 test vectors write it', async () => {
  assert.equal(await wordsOf(new Uint8Array(32)), `${'abandon '.repeat(23)}art`);
  assert.equal(await wordsOf(new Uint8Array(32).fill(255)), `${'zoo '.repeat(23)}vote`);
});
