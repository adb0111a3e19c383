import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import type { StateBatch } from '../replica/record-store.ts';
import { MemoryDisk, MemoryStateStore } from './memory-store.ts';
import { testStateStore } from './state-store-contract.ts';

testStateStore('memory store', async () => {
  const disk = new MemoryDisk();
  return { open: async () => new MemoryStateStore(disk) };
});

const put = (seq: number): StateBatch => ({
  put: [{ stream: 'data', author: new Uint8Array(32), epoch: 1, seq, raw: utf8(`${seq}`) }],
});

test('a crash loses what was not synced, and nothing else', async () => {
  const disk = new MemoryDisk();
  const store = new MemoryStateStore(disk, { byHand: true });
  const first = store.commit(put(1));
  store.sync();
  await first;
  let heard = false;
  void store.commit(put(2)).then(() => {
    heard = true;
  });
  assert.equal(store.waiting, 1);
  store.crash();
  await assert.rejects(store.commit(put(3)), { code: 'internal' });
  assert.equal(heard, false);
  const { records } = await new MemoryStateStore(disk).load();
  assert.deepEqual(records, [utf8('1')]);
});

test('a failing disk tells the callers and stores nothing', async () => {
  const disk = new MemoryDisk();
  const store = new MemoryStateStore(disk, { byHand: true });
  const failed = assert.rejects(store.commit(put(1)), { code: 'disk-full' });
  store.failWaiting(new AlthingError('disk-full', 'The disk is full.'));
  await failed;
  assert.equal(disk.records.size, 0);
});

test('an image keeps what was there when it was made', async () => {
  const disk = new MemoryDisk();
  const store = new MemoryStateStore(disk);
  await store.commit(put(1));
  const image = disk.image();
  await store.commit(put(2));
  assert.equal((await new MemoryStateStore(image).load()).records.length, 1);
});
