import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { archiveHome } from './archive-home.ts';
import { openHome } from './home.ts';

test('all but the configuration and earlier archives is put away, and the home is fit to begin anew', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-archive-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const home = await openHome(dir);
  for (const path of [home.identityKey, home.stateDb, home.membership, home.config])
    await writeFile(path, path);
  const first = await archiveHome(home, 1_800_000_000_000);
  assert.equal(first, join(dir, 'left-2027-01-15T08-00-00-000Z'));
  assert.deepEqual((await readdir(first)).sort(), ['blobs', 'identity.key', 'membership', 'state.db']);
  assert.equal((await stat(first)).mode & 0o777, 0o700);
  assert.equal(await readFile(home.config, 'utf8'), home.config);
  await openHome(dir);
  await writeFile(home.identityKey, 'another');
  const second = await archiveHome(home, 1_800_000_001_000);
  assert.deepEqual((await readdir(second)).sort(), ['blobs', 'identity.key']);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => !name.startsWith('left-')),
    ['config.yaml'],
  );
});
