/**
 * Puts the files of a backup into a home: a new one, or that of the same peer, whose present database is kept aside.
 * Relies on the order of writing: after a crash on the way the home is as before, or a peer that gets its state from others.
 */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { equalBytes } from '../core/bytes.ts';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { syncDirectory, writeFileAtomic } from './atomic-file.ts';
import { type Home, openHome } from './home.ts';
import { parseKeyFile, readKeyFile } from './key-file.ts';
import {
  type MembershipFacts,
  parseMembershipFile,
  readMembershipFile,
  writeMembershipFile,
} from './membership-file.ts';
import { openStateStore } from './state-store.ts';
import { storeError } from './store-error.ts';

/** What restoring did. */
export interface Restored {
  /** The peer's secret seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** Whether the home was new; otherwise it was this peer's, and its configuration and keys were left as they are. */
  readonly isNew: boolean;
  /** Where the former database is now; null where there was none. */
  readonly movedTo: string | null;
}

const companions = ['', '-wal', '-shm', '-journal'];

/**
 * Restores the files of a backup into a home on which no peer runs. Throws `already-in-fabric` where the home is another
 * peer's, `home-in-use`, `backup-invalid`, `store-newer`, `key-corrupt`, `disk-full`, `home-read-only`, `disk-failed`.
 */
export const restoreHome = async (
  dir: string,
  files: ReadonlyMap<string, Uint8Array>,
  now: Date,
): Promise<Restored> => {
  const keyText = Buffer.from(files.get('identity.key') ?? []).toString('latin1');
  const seed = parseKeyFile('identity', keyText);
  const state = files.get('state.db');
  if (!seed || !state) throw new AlthingError('backup-invalid', 'The backup holds no peer.');
  const home = await openHome(dir);
  const present = await readKeyFile(home.identityKey, 'identity');
  if (present && !equalBytes(present, seed))
    throw new AlthingError(
      'already-in-fabric',
      `${home.dir} is the home of another peer: nothing was restored.`,
    );
  await refuseRunning(home);
  const fresh = `${home.stateDb}.restored`;
  await writeChecked(fresh, state);
  try {
    await writeMembership(home, files.get('membership'));
    if (!present) {
      for (const [name, path] of [
        ['config.yaml', home.config],
        ['recovery.key', home.recoveryKey],
      ] as const) {
        const bytes = files.get(name);
        if (bytes) await writeFileAtomic(path, bytes);
      }
      await writeFileAtomic(home.identityKey, keyText);
    }
    const movedTo = existsSync(home.stateDb)
      ? `${home.stateDb}.replaced-${now.toISOString().replace(/[:.]/g, '-')}`
      : null;
    if (movedTo !== null)
      for (const ending of companions)
        if (existsSync(home.stateDb + ending)) await rename(home.stateDb + ending, movedTo + ending);
    await rename(fresh, home.stateDb);
    await syncDirectory(dirname(home.stateDb));
    return { seed, isNew: present === undefined, movedTo };
  } catch (error) {
    throw storeError(error, home.dir);
  }
};

/** A damaged database is no reason not to restore; a running peer is. Throws `home-in-use`, `store-newer`. */
export const refuseRunning = async (home: Pick<Home, 'stateDb'>): Promise<void> => {
  if (!existsSync(home.stateDb)) return;
  try {
    await (await openStateStore(home.stateDb)).close();
  } catch (error) {
    if (toAlthingError(error).code !== 'store-corrupt') throw error;
  }
};

/** Writes the database and reads it as a peer would, so that nothing is replaced by something that does not open. */
const writeChecked = async (path: string, bytes: Uint8Array): Promise<void> => {
  try {
    for (const ending of companions) await rm(path + ending, { force: true });
    await writeFileAtomic(path, bytes);
    const store = await openStateStore(path);
    await store.load().finally(() => store.close());
  } catch (error) {
    await rm(path, { force: true });
    if (toAlthingError(error).code !== 'store-corrupt') throw storeError(error, path);
    throw new AlthingError('backup-invalid', 'The database in the backup is damaged.', { cause: error });
  }
};

/** Epochs and stamps that this home is known to have used stay used, whatever the backup knows of. */
const writeMembership = async (home: Home, bytes: Uint8Array | undefined): Promise<void> => {
  const restored = bytes && parseMembershipFile(Buffer.from(bytes).toString('latin1'));
  const present = await readMembershipFile(home.membership).catch(
    (error: unknown): MembershipFacts | undefined => {
      // It is about to be replaced.
      if (toAlthingError(error).code === 'store-corrupt') return undefined;
      throw error;
    },
  );
  const facts = restored ?? present;
  if (!facts) return;
  await writeMembershipFile(home.membership, {
    ...facts,
    epoch: Math.max(facts.epoch, present?.epoch ?? 0),
    clock: Math.max(facts.clock, present?.clock ?? 0),
  });
};
