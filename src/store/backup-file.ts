/**
 * A home in one encrypted file: age (age-encryption.org/v1) with a passphrase, a tar archive inside, as `age` and `tar` read.
 * Relies on `age-encryption`, loaded only here; whoever has file and passphrase is this peer.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AlthingError } from '../core/errors.ts';
import { writeFileAtomic } from './atomic-file.ts';
import type { Home } from './home.ts';
import { storeError } from './store-error.ts';
import { packTar, type TarEntry, unpackTar } from './tar.ts';

/** 2^17 rounds of scrypt (r = 8, p = 1): 128 MiB and about a second, what OWASP asks for and a small device can give. */
const scryptWorkFactor = 17;

/**
 * Writes the backup of a home to a file, mode 0600, in place of one that was there. Resolves with the names inside.
 * Throws `not-found` where the home holds no peer, `disk-full`, `home-read-only`, `disk-failed`.
 * @param snapshot a database file that holds all of the state
 */
export const writeBackup = async (
  file: string,
  { home, snapshot, passphrase }: { home: Home; snapshot: string; passphrase: string },
): Promise<string[]> => {
  const entries: TarEntry[] = [{ name: basename(home.stateDb), bytes: await read(snapshot) }];
  for (const path of [home.identityKey, home.membership, home.config, home.recoveryKey])
    if (existsSync(path)) entries.push({ name: basename(path), bytes: await read(path) });
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  encrypter.setScryptWorkFactor(scryptWorkFactor);
  encrypter.setPassphrase(passphrase);
  await writeFileAtomic(file, await encrypter.encrypt(packTar(entries, Date.now())));
  return entries.map(({ name }) => name);
};

/** The files in a backup, by name. Throws `backup-invalid` for anything else and for another passphrase, `not-found`. */
export const readBackup = async (file: string, passphrase: string): Promise<Map<string, Uint8Array>> => {
  const bytes = await read(file);
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  let archive: Uint8Array;
  try {
    archive = await decrypter.decrypt(bytes);
  } catch (error) {
    throw new AlthingError(
      'backup-invalid',
      `${file} could not be decrypted: another passphrase, a damaged file, or no backup at all.`,
      { cause: error },
    );
  }
  return unpackTar(archive);
};

const read = async (path: string): Promise<Uint8Array> => {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new AlthingError('not-found', `There is no file ${path}.`, { cause: error });
    throw storeError(error, path);
  }
};
