import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../core/errors.ts';
import { seedOf } from '../testing/seed.ts';
import { packTar, unpackTar } from './tar.ts';

const bytes = fc.uint8Array({ maxLength: 1200 });

test('any files come back as they were', (t) => {
  const files = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/), bytes), {
    selector: ([name]) => name,
    maxLength: 5,
  });
  fc.assert(
    fc.property(files, (all) => {
      const packed = packTar(
        all.map(([name, content]) => ({ name, bytes: content })),
        1e12,
      );
      assert.deepEqual(unpackTar(packed), new Map(all));
    }),
    { seed: seedOf(t), numRuns: 50 },
  );
});

test('tar reads it', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-tar-'));
  t.after(() => rm(dir, { recursive: true }));
  await writeFile(
    join(dir, 'a.tar'),
    packTar([{ name: 'state.db', bytes: new Uint8Array(700).fill(7) }], 1e12),
  );
  execFileSync('tar', ['-xf', 'a.tar'], { cwd: dir });
  assert.deepEqual(new Uint8Array(await readFile(join(dir, 'state.db'))), new Uint8Array(700).fill(7));
});

test('whatever is no archive of plain files is backup-invalid and nothing else', (t) => {
  const archive = packTar([{ name: 'identity.key', bytes: new Uint8Array(600) }], 1e12);
  const refused = (changed: Uint8Array): void => {
    try {
      unpackTar(changed);
    } catch (error) {
      assert.ok(error instanceof AlthingError && error.code === 'backup-invalid', String(error));
    }
  };
  fc.assert(
    fc.property(fc.nat(archive.length - 1), fc.nat(255), fc.nat(archive.length), (at, byte, end) => {
      const changed = archive.slice(0, end);
      changed[at] = byte;
      refused(changed);
    }),
    { seed: seedOf(t), numRuns: 300 },
  );
  for (const name of ['../identity.key', '/etc/passwd', 'a/b', ''])
    assert.throws(() => unpackTar(packTar([{ name, bytes: new Uint8Array(3) }], 0)), {
      code: 'backup-invalid',
    });
});
