import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeUnfinished, writeFileAtomic } from './atomic-file.ts';

const tempDir = async (t: TestContext): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-atomic-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
};

test('writes the content with the mode, replaces it, and leaves nothing else behind', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'file');
  assert.equal(await writeFileAtomic(path, 'one'), true);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(await writeFileAtomic(path, new Uint8Array([0, 255]), { mode: 0o640 }), true);
  assert.deepEqual([...(await readFile(path))], [0, 255]);
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(dir), ['file']);
});

test('what killed writers left behind is removed, and nothing else', async (t) => {
  const dir = await tempDir(t);
  await writeFileAtomic(join(dir, 'membership'), 'kept');
  for (const name of ['membership.00aa11bb22cc.tmp', 'notes.tmp', 'config.yaml'])
    await writeFile(join(dir, name), '');
  await removeUnfinished(dir);
  assert.deepEqual((await readdir(dir)).sort(), ['config.yaml', 'membership', 'notes.tmp']);
});

test('without replace, the first of many writers wins and its file stays', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'file');
  const written = await Promise.all(
    Array.from({ length: 10 }, (_, i) => writeFileAtomic(path, `${i}`, { replace: false })),
  );
  assert.equal(written.filter(Boolean).length, 1);
  assert.equal(await readFile(path, 'utf8'), `${written.indexOf(true)}`);
  assert.deepEqual(await readdir(dir), ['file']);
});

test('a reader sees the old content or the new, never a part', async (t) => {
  const path = join(await tempDir(t), 'file');
  const contents = ['a'.repeat(100_000), 'b'.repeat(100_000)];
  await writeFileAtomic(path, contents[0]!);
  let writing = true;
  const writer = (async () => {
    for (let i = 0; i < 20; i++) await writeFileAtomic(path, contents[i % 2]!);
    writing = false;
  })();
  while (writing) assert.ok(contents.includes(await readFile(path, 'utf8')));
  await writer;
});

test('a failure is reported and leaves the old file and nothing else', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'taken');
  await mkdir(join(path, 'inside'), { recursive: true });
  await assert.rejects(writeFileAtomic(path, 'x'), { code: 'bad-option' });
  assert.deepEqual(await readdir(dir), ['taken']);
});

test('a directory that cannot be written is home-read-only', async (t) => {
  const dir = await tempDir(t);
  await chmod(dir, 0o555);
  // Root may write anywhere: be nobody for a moment.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid!(65534);
  try {
    await assert.rejects(writeFileAtomic(join(dir, 'x'), 'x'), {
      code: 'home-read-only',
      message: /x cannot/,
    });
  } finally {
    if (isRoot) process.seteuid!(0);
    await chmod(dir, 0o700);
  }
});
