/**
 * The promise of the recovery words: shown once, by the founder's peer, and only where they open this very fabric.
 * Relies on a real peer in a temporary home.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { homePaths } from '../store/home.ts';
import { keepRecoveryKey } from '../store/identity.ts';
import { PeerLab } from '../testing/peer-lab.ts';

const shown = (error: unknown) => error instanceof AlthingError && error.code === 'recovery-shown';

test('the words are shown once', async () => {
  const lab = new PeerLab();
  const peer = await lab.start('hall');
  assert.equal((await peer.recoveryWords()).split(' ').length, 24);
  await assert.rejects(peer.recoveryWords(), shown);
  await lab.close();
});

test('words of a fabric that was left are never shown as those of the present one', async () => {
  const lab = new PeerLab();
  const home = await mkdtemp(join(tmpdir(), 'althing-recovery-'));
  const hall = await lab.start('hall');
  const attic = await lab.start('attic', { home });
  await lab.join(hall, attic);
  // As a crash leaves it, between the new fabric's first commit and the removal of the old one's key.
  await keepRecoveryKey(homePaths(home), new Uint8Array(32).fill(5));
  await assert.rejects(attic.recoveryWords(), shown);
  await lab.close();
  await rm(home, { recursive: true, force: true });
});
