import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { toHex, utf8 } from '../core/bytes.ts';
import type { RecordStream, StateStore, StoredRecord } from '../replica/record-store.ts';
import { openStateStore } from './state-store.ts';

const statePath = async (t: TestContext): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-state-'));
  t.after(() => rm(dir, { recursive: true }));
  return join(dir, 'state.db');
};

const authorOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);

const record = (seq: number, raw: Uint8Array, stream: RecordStream = 'data'): StoredRecord => ({
  stream,
  author: authorOf(1),
  epoch: 1_700_000_000_000,
  seq,
  raw,
});

const closing = async (t: TestContext, store: Promise<StateStore>): Promise<StateStore> => {
  t.after(async () => (await store).close());
  return store;
};

const contentsOf = async (store: StateStore) => {
  const { records, local } = await store.load();
  return {
    records: records.map(toHex).sort(),
    local: new Map([...local].sort().map(([key, value]) => [key, toHex(value)])),
  };
};

test('what was committed is there after the next opening, byte for byte', async (t) => {
  const path = await statePath(t);
  const first = await openStateStore(path);
  const raw = new Uint8Array(200_000).map((_, i) => i);
  await first.commit({ put: [record(1, raw)], local: [['clock', utf8('9')]] });
  await first.commit({ put: [record(2, raw.subarray(5, 9)), record(3, new Uint8Array(0))] });
  await first.close();
  const second = await closing(t, openStateStore(path));
  const { records, local } = await second.load();
  assert.deepEqual(
    [...records].sort((a, b) => b.length - a.length),
    [raw, raw.slice(5, 9), new Uint8Array(0)],
  );
  assert.deepEqual(local, new Map([['clock', utf8('9')]]));
});

test('the caller may reuse its arrays once commit was called', async (t) => {
  const store = await closing(t, openStateStore(await statePath(t)));
  const raw = utf8('before');
  const first = store.commit({ put: [record(1, utf8('x'))] });
  const second = store.commit({ put: [record(2, raw)] });
  raw.fill(0);
  await Promise.all([first, second]);
  assert.deepEqual((await contentsOf(store)).records, [toHex(utf8('before')), toHex(utf8('x'))].sort());
});

test('a large state comes back whole', async (t) => {
  const path = await statePath(t);
  const first = await openStateStore(path);
  const put = Array.from({ length: 3000 }, (_, i) => record(i, new Uint8Array(1000).fill(i & 255)));
  await first.commit({ put });
  await first.close();
  const store = await closing(t, openStateStore(path));
  const { records } = await store.load();
  assert.equal(records.length, 3000);
  assert.equal(
    records.reduce((sum, raw) => sum + raw[0]!, 0),
    put.reduce((sum, { raw }) => sum + raw[0]!, 0),
  );
});

test('a home is used by one store at a time, also within a process', async (t) => {
  const path = await statePath(t);
  const first = await openStateStore(path);
  await assert.rejects(openStateStore(path), { code: 'home-in-use' });
  await first.close();
  await (await openStateStore(path)).close();
});

test('a store that has no room left says disk-full, keeps what it has and goes on when there is room', async (t) => {
  const path = await statePath(t);
  const store = await openStateStore(path, { maxSizeBytes: 100 * 1024 });
  await store.commit({ put: [record(1, utf8('kept'))] });
  const big = record(2, new Uint8Array(200 * 1024));
  await assert.rejects(store.commit({ put: [record(3, utf8('not kept')), big] }), { code: 'disk-full' });
  await store.commit({ put: [record(4, utf8('later'))] });
  await store.close();
  const again = await closing(t, openStateStore(path));
  assert.deepEqual((await contentsOf(again)).records, [toHex(utf8('kept')), toHex(utf8('later'))].sort());
});

test('batches that wait together share a transaction: one that fails takes the others along', async (t) => {
  const store = await closing(t, openStateStore(await statePath(t), { maxSizeBytes: 100 * 1024 }));
  const outcomes = await Promise.allSettled([
    store.commit({ put: [record(1, utf8('alone'))] }),
    store.commit({ put: [record(2, utf8('together'))] }),
    store.commit({ put: [record(3, new Uint8Array(200 * 1024))] }),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  );
  assert.deepEqual((await contentsOf(store)).records, [toHex(utf8('alone'))]);
});

test('a batch that cannot be stored is internal, and the store goes on', async (t) => {
  const store = await closing(t, openStateStore(await statePath(t)));
  const odd = { ...record(1, utf8('x')), seq: 'one' as unknown as number };
  await assert.rejects(store.commit({ put: [odd] }), { code: 'internal' });
  await store.commit({ put: [record(2, utf8('y'))] });
});

test('more than may wait for the disk is refused', async (t) => {
  const store = await closing(t, openStateStore(await statePath(t)));
  const raw = new Uint8Array(24 * 1024 * 1024);
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((seq) => store.commit({ put: [record(seq, raw)] })),
  );
  assert.deepEqual(
    outcomes.map((each) => (each.status === 'fulfilled' ? 'ok' : each.reason.code)),
    ['ok', 'ok', 'ok', 'too-many'],
  );
});

test('a file that is no database is store-corrupt and stays as it is', async (t) => {
  const path = await statePath(t);
  const junk = 'not a database '.repeat(1000);
  await writeFile(path, junk);
  await assert.rejects(openStateStore(path), { code: 'store-corrupt' });
  assert.equal(await readFile(path, 'utf8'), junk);
});

test('a database of another program is store-corrupt and stays as it is', async (t) => {
  const path = await statePath(t);
  const other = new DatabaseSync(path);
  other.exec('CREATE TABLE theirs (a)');
  other.close();
  const before = await readFile(path);
  await assert.rejects(openStateStore(path), { code: 'store-corrupt', message: /another program/ });
  assert.deepEqual(await readFile(path), before);
});

test('a database of a newer version is store-newer', async (t) => {
  const path = await statePath(t);
  await (await openStateStore(path)).close();
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  await assert.rejects(openStateStore(path), { code: 'store-newer', message: /version 99/ });
});

const filled = async (path: string): Promise<Buffer> => {
  const store = await openStateStore(path);
  await store.commit({
    put: Array.from({ length: 200 }, (_, i) => record(i, utf8(`marked ${i} `.repeat(100)))),
  });
  await store.close();
  return readFile(path);
};

test('one wrong bit in a record is store-corrupt', async (t) => {
  const path = await statePath(t);
  const bytes = await filled(path);
  bytes[bytes.indexOf('marked 77 ') + 500]! ^= 1;
  await writeFile(path, bytes);
  const store = await closing(t, openStateStore(path));
  await assert.rejects(store.load(), { code: 'store-corrupt', message: /checksum/ });
});

test('a file cut short, or with a page overwritten, is store-corrupt and is not made anew', async (t) => {
  const path = await statePath(t);
  const whole = await filled(path);
  const reader = new DatabaseSync(path, { readOnly: true });
  const pages = reader.prepare("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'records'").all();
  reader.close();
  const damaged = [whole.subarray(0, whole.length / 2)];
  for (const { rootpage } of pages) {
    const end = Number(rootpage) * 4096;
    damaged.push(Buffer.from(whole).fill(0xa5, end - 4096, end));
  }
  assert.equal(damaged.length, 3, 'cut, the table and its index');
  for (const bytes of damaged) {
    await writeFile(path, bytes);
    await assert.rejects(
      async () => {
        const store = await openStateStore(path);
        await store.load().finally(() => store.close());
      },
      { code: 'store-corrupt' },
    );
    assert.deepEqual(await readFile(path), bytes);
  }
});

test('a home that cannot be written is home-read-only', async (t) => {
  const path = await statePath(t);
  const dir = join(path, '..');
  const [made, unmade] = [join(dir, 'made.db'), join(dir, 'unmade.db')];
  await (await openStateStore(made)).close();
  await chmod(made, 0o444);
  await chmod(dir, 0o555);
  // Root may write anywhere: be nobody for a moment. access(2) sees through that, so the made one is for others.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid!(65534);
  try {
    for (const each of isRoot ? [unmade] : [unmade, made])
      await assert.rejects(openStateStore(each), { code: 'home-read-only' });
  } finally {
    if (isRoot) process.seteuid!(0);
    await chmod(dir, 0o700);
  }
});

test('close waits for what was committed before it, and may be called twice', async (t) => {
  const path = await statePath(t);
  const store = await openStateStore(path);
  const commits = Array.from({ length: 50 }, (_, i) => store.commit({ put: [record(i, utf8(`${i}`))] }));
  await Promise.all([store.close(), store.close()]);
  await Promise.all(commits);
  await assert.rejects(store.commit({}), { code: 'internal', message: /closed/ });
  const again = await closing(t, openStateStore(path));
  assert.equal((await again.load()).records.length, 50);
});

test('an open store prints nothing and keeps no process alive, but its unfinished work does', async (t) => {
  const path = await statePath(t);
  const code = `
    const { openStateStore } = await import(${JSON.stringify(new URL('./state-store.ts', import.meta.url).href)});
    const store = await openStateStore(${JSON.stringify(path)});
    store.commit({ local: [['note', new Uint8Array(1)]] }).then(() => process.stdout.write('written'));`;
  const args = ['--input-type=module', '-e', code];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  assert.deepEqual({ stdout, stderr }, { stdout: 'written', stderr: '' });
});
