/**
 * Small files that are either wholly there or not at all, whenever the power fails.
 * Relies on POSIX: a rename or link within one directory is atomic, and fsync makes it last.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { storeError } from './store-error.ts';

/** How `writeFileAtomic` writes. */
export interface AtomicWriteOptions {
  /** Permission bits; 0o600 unless told. */
  readonly mode?: number;
  /** False: leaves a file that is already there alone. True unless told. */
  readonly replace?: boolean;
}

/**
 * Writes a file so that a crash leaves the old content or the new, and resolves when the new is on disk.
 * Resolves to false, with nothing changed, where `replace` is false and the file exists.
 * Throws `disk-full`, `home-read-only`, `disk-failed`.
 */
export const writeFileAtomic = async (
  path: string,
  content: string | Uint8Array,
  options: AtomicWriteOptions = {},
): Promise<boolean> => {
  const { mode = 0o600, replace = true } = options;
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeSynced(temporary, content, mode);
    if (replace) await rename(temporary, path);
    else if (!(await linkNew(temporary, path))) return false;
    await syncDirectory(dirname(path));
    return true;
  } catch (error) {
    throw storeError(error, path);
  } finally {
    // Gone already after a rename, which `force` accepts; any other failure here must not hide the one above.
    await rm(temporary, { force: true }).catch(() => {});
  }
};

/**
 * The text of a small file (latin1), or undefined where there is none; one that has more than `maxBytes` is no text of
 * ours, and reads as an empty one. The file is never changed. Throws `home-read-only`, `disk-failed`.
 */
export const readSmallFile = async (
  path: string,
  { maxBytes }: { maxBytes: number },
): Promise<string | undefined> => {
  try {
    const bytes = await readFile(path);
    return bytes.length <= maxBytes ? bytes.toString('latin1') : '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw storeError(error, path);
  }
};

const temporaryName = /\.[0-9a-f]{12}\.tmp$/;

/**
 * Removes what writers that were killed left behind in a directory. Nobody else may write there meanwhile.
 * Throws `home-read-only`, `disk-failed`.
 */
export const removeUnfinished = async (dir: string): Promise<void> => {
  try {
    const left = (await readdir(dir)).filter((name) => temporaryName.test(name));
    await Promise.all(left.map((name) => rm(join(dir, name), { force: true })));
  } catch (error) {
    throw storeError(error, dir);
  }
};

const writeSynced = async (path: string, content: string | Uint8Array, mode: number): Promise<void> => {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Gives a file a second name, which must be new: false where it is taken. */
const linkNew = async (from: string, to: string): Promise<boolean> => {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
};

/** Makes names that were added to or removed from a directory survive a power cut. */
export const syncDirectory = async (dir: string): Promise<void> => {
  // Windows cannot open directories, and keeps its metadata in a journal.
  if (process.platform === 'win32') return;
  let handle: FileHandle;
  try {
    handle = await open(dir, 'r');
  } catch (error) {
    // A directory may be writable and not readable (a parent of the home): then the system syncs it when it likes.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return;
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};
