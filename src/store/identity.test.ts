import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { homePaths } from './home.ts';
import { deleteRecoveryKey, keepRecoveryKey, loadOrCreateIdentity, readRecoveryKey } from './identity.ts';
import { formatKeyFile, parseKeyFile } from './key-file.ts';
import { nodeCrypto } from './node-crypto.ts';

const tempHome = async (t: TestContext) => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-identity-'));
  t.after(() => rm(dir, { recursive: true }));
  return homePaths(dir);
};

test('the identity is made once, for its owner only, and found again', async (t) => {
  const home = await tempHome(t);
  const first = await loadOrCreateIdentity(home, nodeCrypto);
  assert.equal(first.created, true);
  assert.equal((await stat(home.identityKey)).mode & 0o777, 0o600);
  assert.deepEqual(await loadOrCreateIdentity(home, nodeCrypto), { seed: first.seed, created: false });
  assert.deepEqual(await readdir(home.dir), ['identity.key']);
});

test('of processes that start at once, all get the same identity', async (t) => {
  const home = await tempHome(t);
  const all = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateIdentity(home, nodeCrypto)));
  assert.equal(all.filter(({ created }) => created).length, 1);
  assert.equal(new Set(all.map(({ seed }) => seed.join())).size, 1);
  assert.deepEqual(await readdir(home.dir), ['identity.key']);
});

test('a damaged identity is reported and never overwritten', async (t) => {
  const home = await tempHome(t);
  await loadOrCreateIdentity(home, nodeCrypto);
  const good = await readFile(home.identityKey, 'utf8');
  for (const damaged of [
    '',
    good.slice(0, 40),
    good.replace(/ [0-9a-f]{8}/, ' 00000000'),
    'x'.repeat(5000),
  ]) {
    await writeFile(home.identityKey, damaged);
    await assert.rejects(loadOrCreateIdentity(home, nodeCrypto), { code: 'key-corrupt' });
    assert.equal(await readFile(home.identityKey, 'utf8'), damaged);
  }
});

test('any single damaged character of a key file is seen', () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(key, fc.nat(95), fc.string({ minLength: 1, maxLength: 1 }), (bytes, at, character) => {
      const line = formatKeyFile('identity', bytes).trimEnd();
      assert.deepEqual(parseKeyFile('identity', line), bytes);
      const broken = line.slice(0, at) + character + line.slice(at + 1);
      fc.pre(at < line.length && broken.trimEnd() !== line);
      const read = parseKeyFile('identity', broken);
      // The last base64 character has spare bits: the same key under another spelling is no damage.
      if (read) assert.deepEqual(read, bytes);
    }),
  );
});

test('a recovery key is kept until it is deleted, and is no identity', async (t) => {
  const home = await tempHome(t);
  const key = nodeCrypto.randomBytes(32);
  assert.equal(await readRecoveryKey(home), undefined);
  await keepRecoveryKey(home, nodeCrypto.randomBytes(32));
  await keepRecoveryKey(home, key);
  assert.equal((await stat(home.recoveryKey)).mode & 0o777, 0o600);
  assert.deepEqual(await readRecoveryKey(home), key);
  await writeFile(home.identityKey, await readFile(home.recoveryKey));
  await assert.rejects(loadOrCreateIdentity(home, nodeCrypto), { code: 'key-corrupt' });
  await deleteRecoveryKey(home);
  assert.equal(await readRecoveryKey(home), undefined);
  await deleteRecoveryKey(home);
});
