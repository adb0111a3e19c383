import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { homePaths, openHome } from './home.ts';
import { checkHome } from './home-check.ts';

const homeDir = async (t: TestContext): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-check-'));
  t.after(() => rm(dir, { recursive: true }));
  return join(dir, 'home');
};

test('a home as it is made is closed, and says how much room there is', async (t) => {
  const home = await openHome(await homeDir(t));
  await writeFile(home.identityKey, 'x', { mode: 0o644 });
  const { readable, wordsUnseen, freeBytes } = await checkHome(home);
  assert.deepEqual(readable, []);
  assert.equal(wordsUnseen, false);
  assert.ok(freeBytes !== undefined && freeBytes > 0);
});

test('a home that was opened to others is told, with each file that they can read', async (t) => {
  const home = await openHome(await homeDir(t));
  await writeFile(home.identityKey, 'x', { mode: 0o600 });
  await writeFile(home.recoveryKey, 'x', { mode: 0o644 });
  await chmod(home.dir, 0o755);
  const { readable, wordsUnseen } = await checkHome(home);
  assert.deepEqual(readable, [home.dir, home.recoveryKey]);
  assert.ok(wordsUnseen);
});

test('a home that is not there is looked at without an error', async (t) => {
  const state = await checkHome(homePaths(await homeDir(t)));
  assert.deepEqual(state, { readable: [], wordsUnseen: false, freeBytes: undefined });
});
