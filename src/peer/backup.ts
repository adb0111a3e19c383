/**
 * A peer into an encrypted file and back, for homes on which it runs and on which it does not.
 * Relies on `store/` for the file and for the order in which a home is restored.
 */
import { rm } from 'node:fs/promises';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { readBackup, writeBackup } from '../store/backup-file.ts';
import { homePaths } from '../store/home.ts';
import { readKeyFile } from '../store/key-file.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { type Restored, refuseRunning, restoreHome } from '../store/restore.ts';
import { makeSnapshot } from '../store/snapshot.ts';
import { openStateStore } from '../store/state-store.ts';

/** Throws `not-found` where the home holds no peer, `key-corrupt`. */
export const checkHomeOfPeer = async (dir: string): Promise<void> => {
  if (await readKeyFile(homePaths(dir).identityKey, 'identity')) return;
  throw new AlthingError('not-found', `${dir} holds no peer: there is nothing to back up.`);
};

/**
 * Writes all of a peer into a file, encrypted. Resolves with the names of what is inside.
 * @param snapshot a copy of the running peer's database, which is removed; undefined where no peer runs
 * Throws `home-in-use`, `not-found`, and the store's codes.
 */
export const backUpHome = async (
  dir: string,
  file: string,
  { passphrase, snapshot }: { passphrase: string; snapshot: string | undefined },
): Promise<string[]> => {
  const home = homePaths(dir);
  const copy = snapshot ?? (await ownSnapshot(home.stateDb));
  try {
    return await writeBackup(file, { home, snapshot: copy, passphrase });
  } finally {
    await rm(copy, { force: true });
  }
};

const ownSnapshot = async (stateDb: string): Promise<string> => {
  const store = await openStateStore(stateDb);
  return makeSnapshot(store, stateDb).finally(() => store.close());
};

/** Throws `home-in-use` where a peer runs on the home, before anybody is asked for a passphrase. */
export const checkNotRunning = (dir: string): Promise<void> => refuseRunning(homePaths(dir));

/** Makes the home that of the peer in the backup. Throws what `readBackup` and `restoreHome` throw. */
export const restorePeer = async (
  dir: string,
  file: string,
  passphrase: string,
): Promise<Omit<Restored, 'seed'> & { peer: PeerId }> => {
  const { seed, ...what } = await restoreHome(dir, await readBackup(file, passphrase), new Date());
  return { peer: peerIdOf(nodeCrypto.signer(seed).publicKey), ...what };
};
