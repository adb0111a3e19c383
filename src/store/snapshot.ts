/**
 * A copy of the whole state database beside it, for whoever writes it elsewhere and then removes it.
 * Relies on names that no other snapshot has; one that a crash left behind is removed with the next.
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FileStateStore } from './state-store.ts';
import { storeError } from './store-error.ts';

const ending = '.snapshot';
/** Nobody needs longer to read one. */
const oldestMs = 10 * 60_000;

/** Resolves with the path of a new snapshot. Throws `disk-full`, `home-read-only`, `disk-failed`, `store-corrupt`. */
export const makeSnapshot = async (store: FileStateStore, stateDb: string): Promise<string> => {
  await removeOld(stateDb);
  const path = `${stateDb}.${randomBytes(6).toString('hex')}${ending}`;
  try {
    await store.snapshot(path);
    return path;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
};

const removeOld = async (stateDb: string): Promise<void> => {
  try {
    for (const name of await readdir(dirname(stateDb))) {
      if (!name.startsWith(`${basename(stateDb)}.`) || !name.endsWith(ending)) continue;
      const path = join(dirname(stateDb), name);
      const found = statSync(path, { throwIfNoEntry: false });
      if (found && Date.now() - found.mtimeMs > oldestMs) await rm(path, { force: true });
    }
  } catch (error) {
    throw storeError(error, stateDb);
  }
};
