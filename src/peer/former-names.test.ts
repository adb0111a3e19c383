/**
 * What people are promised who look at those that are out: a name where this peer knew one.
 * Relies on notes over a store in memory, and on made-up records.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../core/bytes.ts';
import { encode } from '../core/codec.ts';
import { silentLogger } from '../core/logger.ts';
import type { SignedRecord } from '../replica/record.ts';
import { LocalNotes } from '../store/local-notes.ts';
import { MemoryDisk, MemoryStateStore } from '../testing/memory-store.ts';
import { waitFor } from '../testing/wait-for.ts';
import { FormerNames } from './former-names.ts';

const card = (peer: string, name: string, key = peer): SignedRecord => {
  const body = encode([...Array(7).fill(null), { name, addresses: [] }]);
  const raw = concat(new Uint8Array(64), body);
  return { collection: 'peer', key, authorId: peer, raw } as unknown as SignedRecord;
};

test('the names of those whose records were dropped are kept over a restart, the latest 256 of them', async () => {
  const disk = new MemoryDisk();
  const store = new MemoryStateStore(disk);
  const notes = new LocalNotes(store, new Map());
  const names = new FormerNames(notes, silentLogger);
  names.dropped([card('bulb', 'Bulb'), card('liar', 'Bulb', 'bulb')]);
  assert.equal(names.of('bulb'), 'Bulb');
  assert.equal(names.of('liar'), undefined, 'a card about another is none');
  for (let n = 0; n < 256; n++) names.dropped([card(`peer-${n}`, `Name ${n}`)]);
  await waitFor(() => disk.commits >= 257, { what: 'the names to be kept' });
  const again = new FormerNames(new LocalNotes(store, (await store.load()).local), silentLogger);
  assert.equal(again.of('peer-255'), 'Name 255');
  assert.equal(again.of('peer-0'), 'Name 0');
  assert.equal(again.of('bulb'), undefined, 'the oldest makes room');
});
