/**
 * Puts away what a home's peer was, so that the next start makes another one there.
 * Relies on renames within the home; the configuration and earlier archives stay where they are.
 */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncDirectory } from './atomic-file.ts';
import type { Home } from './home.ts';
import { storeError } from './store-error.ts';

const archivePrefix = 'left-';

/**
 * Moves key, database and all else into `left-<time>/` inside the home; gives that directory. Call it with the store
 * closed. The key goes last: what is cut short leaves a peer that can be archived again, and never a new key with an
 * old fabric. Throws `home-read-only`, `disk-full`, `disk-failed`.
 */
export const archiveHome = async (home: Home, nowMs: number): Promise<string> => {
  const stays = new Set([basename(home.config), basename(home.gatewaySocket)]);
  const archive = join(home.dir, archivePrefix + new Date(nowMs).toISOString().replace(/[:.]/g, '-'));
  try {
    await mkdir(archive, { mode: 0o700 });
    const names = (await readdir(home.dir)).filter(
      (name) => !stays.has(name) && !name.startsWith(archivePrefix),
    );
    const key = basename(home.identityKey);
    for (const name of [...names.filter((one) => one !== key), ...names.filter((one) => one === key)])
      await rename(join(home.dir, name), join(archive, name));
    await syncDirectory(archive);
    await syncDirectory(home.dir);
  } catch (error) {
    throw storeError(error, archive);
  }
  return archive;
};
