import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { StoreHealth } from '../store/store-health.ts';
import { KeptMembership } from './kept-membership.ts';

const genesis = new Uint8Array([1, 2, 3]);

const lab = async (t: TestContext) => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-kept-'));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, 'membership');
  const health = new StoreHealth();
  return { dir, path, health, open: (known?: Uint8Array) => KeptMembership.open(path, { health, known }) };
};

test('what is kept is there at the next start; epoch and clock never fall', async (t) => {
  const { open } = await lab(t);
  const first = await open();
  assert.equal(first.facts, undefined);
  await first.keep({ genesis, proof: [new Uint8Array([9])], addresses: [['p', ['h:1']]] });
  await Promise.all([first.keep({ epoch: 7, clock: 70 }), first.keep({ epoch: 5, clock: 90 })]);
  const { facts, floor } = await open();
  assert.deepEqual(floor, { epoch: 7, clock: 90 });
  assert.deepEqual(facts?.addresses, [['p', ['h:1']]]);
});

test('another fabric takes the place of proof and addresses, and epoch and clock go on', async (t) => {
  const { open } = await lab(t);
  const kept = await open();
  await kept.keep({
    genesis,
    proof: [new Uint8Array([9])],
    addresses: [['p', ['h:1']]],
    epoch: 7,
    clock: 70,
  });
  await kept.keep({ genesis: new Uint8Array([4]), proof: [new Uint8Array([8])] });
  assert.deepEqual((await open()).facts, {
    genesis: new Uint8Array([4]),
    proof: [new Uint8Array([8])],
    addresses: [],
    epoch: 7,
    clock: 70,
  });
});

test('a damaged file is refused where it is all there is, and made anew where the database knows better', async (t) => {
  const { path, open } = await lab(t);
  await writeFile(path, 'althing-membership-1 AAAA 0000000000000000\n');
  await assert.rejects(open(), { code: 'store-corrupt' });
  const kept = await open(genesis);
  await kept.keep({ genesis, epoch: 3 });
  assert.deepEqual((await open()).floor, { epoch: 3, clock: 0 });
});

test('a file that cannot be written is told to the health, and written with the next change', async (t) => {
  const { dir, health, open } = await lab(t);
  const kept = await open();
  if (process.geteuid?.() === 0) process.seteuid!(65534);
  else await chmod(dir, 0o555);
  try {
    await assert.rejects(
      kept.keep({ genesis, epoch: 3 }),
      (error) => error instanceof AlthingError && error.code === 'home-read-only',
    );
  } finally {
    if (process.getuid?.() === 0) process.seteuid!(0);
    else await chmod(dir, 0o700);
  }
  assert.equal(health.state.ok, false);
  await kept.keep({ clock: 4 });
  assert.deepEqual((await open()).floor, { epoch: 3, clock: 4 });
});
