/**
 * Commits numbered batches and says of each that it is durable, in a file whose writes are journalled with all others.
 * Relies on `power-loss.test.ts` to start it: DIR, how many batches, and `full` or `off` for SQLite's synchronous mode.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StateBatch } from '../../src/replica/record-store.ts';
import { openStateDatabase } from '../../src/store/state-schema.ts';
import { openStateStore } from '../../src/store/state-store.ts';

const [dir = '', count = '0', mode = 'full'] = process.argv.slice(2);
const path = join(dir, 'state.db');
const acks = openSync(join(dir, 'acks'), 'a');
const author = new Uint8Array(32);

const rawOf = (n: number): Uint8Array => {
  const raw = new Uint8Array(500 + ((n * 977) % 6000)).fill(n);
  new DataView(raw.buffer).setUint32(0, n);
  return raw;
};

/** Two records and a note. */
const batchOf = (n: number): StateBatch => {
  const raw = rawOf(n);
  const at = (stream: 'control' | 'data', seq: number) => ({ stream, author, epoch: 1, seq });
  const put = (['control', 'data'] as const).map((stream) => ({ ...at(stream, n), raw }));
  return { put, local: [[`n${n}`, raw.slice(0, 4)]] };
};

if (mode === 'off') {
  // What the promise would be worth if SQLite did not wait for the disk.
  const db = openStateDatabase(path, 1024 ** 3);
  db.exec('PRAGMA synchronous = OFF');
  const insert = db.prepare('INSERT INTO local VALUES (?, 0, ?)');
  for (let n = 0; n < Number(count); n++) {
    insert.run(`n${n}`, rawOf(n));
    writeSync(acks, `${n}\n`);
  }
} else {
  const store = await openStateStore(path);
  let next = 0;
  const write = async (): Promise<void> => {
    for (let n = next++; n < Number(count); n = next++) {
      await store.commit(batchOf(n));
      writeSync(acks, `${n}\n`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, write));
}
// The power does not wait for anything to be closed.
process.kill(process.pid, 'SIGKILL');
