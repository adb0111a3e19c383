/**
 * What whoever lists thousands of Things is promised of their being read before.
 * Relies on a directory that counts, and on turns that the test sees.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SignedRecord } from '../replica/record.ts';
import { TdReader } from './td-reader.ts';

const records = (count: number, collection = 'thing'): SignedRecord[] =>
  Array.from({ length: count }, (_, n) => ({ collection, key: String(n) }) as SignedRecord);

const lab = () => {
  const read: SignedRecord[] = [];
  /** How many had been read when others got their turn. */
  const turns: number[] = [];
  const parse = (record: SignedRecord) => {
    read.push(record);
    return null;
  };
  const reader = new TdReader({ parse }, async () => {
    turns.push(read.length);
  });
  return { read, turns, reader };
};

test('all Things are read once, never more than 16 in one turn, and none in the turn in which they came', async () => {
  const { read, turns, reader } = lab();
  const first = records(100);
  const later = records(40);
  const done = reader.read(first);
  assert.equal(read.length, 0);
  await Promise.all([done, reader.read([...later, ...first]), reader.read(records(5, 'peer'))]);
  assert.deepEqual(read, [...first, ...later]);
  assert.ok([...turns, read.length].every((count, at) => at === 0 || count - turns[at - 1]! <= 16));
  const one = records(1);
  await reader.read(one);
  assert.deepEqual(read.at(-1), one[0]);
});

test('one that is closed reads nothing more', async () => {
  const { read, reader } = lab();
  const done = reader.read(records(100));
  reader.close();
  await done;
  assert.equal(read.length, 0);
});
