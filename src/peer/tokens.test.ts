/**
 * The promises of tokens: only the whole secret opens, only as far as its scope, and never again once revoked.
 * Relies on notes over a store in memory.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, type ErrorCode } from '../core/errors.ts';
import { LocalNotes } from '../store/local-notes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { MemoryDisk, MemoryStateStore } from '../testing/memory-store.ts';
import { Tokens } from './tokens.ts';

const start = async (disk: MemoryDisk) => {
  const store = new MemoryStateStore(disk);
  const { local } = await store.load();
  return { tokens: new Tokens(new LocalNotes(store, local), nodeCrypto, () => 5), stop: () => store.close() };
};
const code = (expected: ErrorCode) => (error: unknown) =>
  error instanceof AlthingError && error.code === expected;

test('a token opens with its scope, over restarts, until it is revoked', async () => {
  const disk = new MemoryDisk();
  const first = await start(disk);
  const { token, id } = await first.tokens.create('read');
  assert.equal(first.tokens.check(token), 'read');
  await first.stop();
  const second = await start(disk);
  assert.equal(second.tokens.check(token), 'read');
  assert.deepEqual(second.tokens.list(), [{ id, scope: 'read', created: new Date(5).toISOString() }]);
  await second.tokens.revoke(id);
  assert.equal(second.tokens.check(token), undefined);
  assert.deepEqual(second.tokens.list(), []);
  await second.stop();
  const third = await start(disk);
  assert.equal(third.tokens.check(token), undefined);
  await third.stop();
});

test('anything but the whole token opens nothing', async () => {
  const { tokens, stop } = await start(new MemoryDisk());
  const { token, id } = await tokens.create('manage');
  const other = (await tokens.create('read')).token;
  const secret = token.split('_')[2]!;
  for (const wrong of [
    '',
    'althing',
    token.slice(0, -1),
    `${token}0`,
    `${token}\n`,
    token.toUpperCase(),
    `althing_${id}_${'0'.repeat(40)}`,
    `althing_${other.split('_')[1]}_${secret}`,
    `althing_constructor_${secret}`,
    `Bearer ${token}`,
  ])
    assert.equal(tokens.check(wrong), undefined, wrong);
  await stop();
});

test('the disk holds no secret', async () => {
  const disk = new MemoryDisk();
  const { tokens, stop } = await start(disk);
  const { token } = await tokens.create('use');
  const secret = token.split('_')[2]!;
  for (const value of disk.local.values()) {
    assert.ok(!Buffer.from(value).includes(secret));
    assert.ok(!Buffer.from(value).includes(Buffer.from(secret, 'hex')));
  }
  await stop();
});

test('scopes, unknown tokens and too many of them are errors of their own', async () => {
  const { tokens, stop } = await start(new MemoryDisk());
  await assert.rejects(tokens.create('all' as never), code('bad-input'));
  await assert.rejects(tokens.revoke('00000000'), code('token-unknown'));
  for (let n = 0; n < 256; n++) await tokens.create('read');
  await assert.rejects(tokens.create('read'), code('too-many'));
  await stop();
});
