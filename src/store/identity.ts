/**
 * The key that a peer is, and the recovery key that a founder keeps until its words were shown.
 * Relies on `key-file.ts`: a damaged key is reported and never replaced, because a new key is another peer.
 */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { syncDirectory } from './atomic-file.ts';
import type { Home } from './home.ts';
import { readKeyFile, writeKeyFile } from './key-file.ts';
import { storeError } from './store-error.ts';

/** A peer's secret: the 32-byte Ed25519 seed, and whether it was made just now. */
export interface Identity {
  readonly seed: Uint8Array;
  readonly created: boolean;
}

/**
 * The identity of a home, made on the first run and on disk before it is returned.
 * Throws `key-corrupt` (the file stays as it is), `disk-full`, `home-read-only`, `disk-failed`.
 */
export const loadOrCreateIdentity = async (
  home: Pick<Home, 'identityKey'>,
  crypto: Pick<Crypto, 'randomBytes'>,
): Promise<Identity> => {
  const known = await readKeyFile(home.identityKey, 'identity');
  if (known) return { seed: known, created: false };
  const seed = crypto.randomBytes(32);
  if (await writeKeyFile(home.identityKey, 'identity', seed, { replace: false }))
    return { seed, created: true };
  // Another process made one since we looked: that one counts.
  const other = await readKeyFile(home.identityKey, 'identity');
  if (other) return { seed: other, created: false };
  throw new AlthingError('key-corrupt', `${home.identityKey} came and went while it was read: start again.`);
};

/**
 * Keeps a new fabric's 32-byte recovery key, mode 0600, in place of one whose fabric never came to be or was left.
 * Write it before the genesis, so that no fabric is without. Throws `disk-full`, `home-read-only`, `disk-failed`.
 */
export const keepRecoveryKey = async (home: Pick<Home, 'recoveryKey'>, key: Uint8Array): Promise<void> => {
  await writeKeyFile(home.recoveryKey, 'recovery', key, { replace: true });
};

/** The recovery key, or undefined where none is kept (any more). Throws `key-corrupt`, `home-read-only`, `disk-failed`. */
export const readRecoveryKey = (home: Pick<Home, 'recoveryKey'>): Promise<Uint8Array | undefined> =>
  readKeyFile(home.recoveryKey, 'recovery');

/** Forgets the recovery key; resolves when it is gone from the directory on disk. Throws `home-read-only`, `disk-failed`. */
export const deleteRecoveryKey = async (home: Pick<Home, 'recoveryKey'>): Promise<void> => {
  try {
    await rm(home.recoveryKey, { force: true });
    await syncDirectory(dirname(home.recoveryKey));
  } catch (error) {
    throw storeError(error, home.recoveryKey);
  }
};
