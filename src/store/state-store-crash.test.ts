import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { openStateStore } from './state-store.ts';

/** Eight writers commit numbered batches of two records and a note, and print each number once it is durable. */
const writerCode = `
  const { openStateStore } = await import(${JSON.stringify(new URL('./state-store.ts', import.meta.url).href)});
  const [path, first] = process.argv.slice(1);
  const store = await openStateStore(path);
  let next = Number(first);
  const author = new Uint8Array(32);
  const write = async () => {
    for (;;) {
      const n = next++;
      const raw = new Uint8Array(1000 + (n % 4000));
      new DataView(raw.buffer).setUint32(0, n);
      const put = ['control', 'data'].map((stream) => ({ stream, author, epoch: 1, seq: n, raw }));
      await store.commit({ put, local: [['n' + n, raw.slice(0, 4)]] });
      process.stdout.write(n + '\\n');
    }
  };
  await Promise.all(Array.from({ length: 8 }, write));`;

const rounds = process.env.ALTHING_TEST_LONG ? 100 : 10;

const startWriter = (t: TestContext, path: string, first: number): ChildProcess => {
  const args = ['--input-type=module', '-e', writerCode, path, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
};

/** How often each number is stored: 2 records and a note make 3. */
const countStored = async (path: string): Promise<Map<number, number>> => {
  const store = await openStateStore(path);
  const counts = new Map<number, number>();
  try {
    const { records, local } = await store.load();
    for (const bytes of [...records, ...local.values()]) {
      const n = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      counts.set(n, (counts.get(n) ?? 0) + 1);
    }
  } finally {
    await store.close();
  }
  return counts;
};

test('a process killed at any moment loses nothing that it was told is durable', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-crash-'));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, 'state.db');
  const printed = new Set<number>();
  for (let round = 0; round < rounds; round++) {
    const child = startWriter(t, path, round * 1_000_000);
    const exited = once(child, 'exit');
    const killAfter = 1 + Math.floor(Math.random() * 300);
    t.diagnostic(`round ${round}: killed after ${killAfter} batches`);
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout! })) {
      printed.add(Number(line));
      seen += 1;
      if (seen === 1) await assert.rejects(openStateStore(path), { code: 'home-in-use' });
      if (seen === killAfter) child.kill('SIGKILL');
    }
    assert.deepEqual(await exited, [null, 'SIGKILL']);
    const stored = await countStored(path);
    for (const n of printed) assert.equal(stored.get(n), 3, `batch ${n} was lost`);
    for (const [n, count] of stored) assert.equal(count, 3, `batch ${n} is there in part`);
  }
});
