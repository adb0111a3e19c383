/**
 * What can be seen of a home from outside: who can read its secrets, how much room its disk has.
 * Relies on the file system; changes nothing.
 */
import { stat, statfs } from 'node:fs/promises';
import type { Home } from './home.ts';

/** A home as it lies on the disk. */
export interface HomeState {
  /** Paths of the home and its secrets that others on this machine can read. */
  readonly readable: readonly string[];
  /** Whether the recovery key is still here, for its words to be shown. */
  readonly wordsUnseen: boolean;
  /** Room for this user, undefined where the file system does not say. */
  readonly freeBytes: number | undefined;
}

const othersCanRead = 0o044;

/** Looks at a home. Files that are not there are passed over. */
export const checkHome = async (
  home: Pick<Home, 'dir' | 'identityKey' | 'recoveryKey' | 'stateDb'>,
): Promise<HomeState> => {
  const paths = [home.dir, home.identityKey, home.recoveryKey, home.stateDb];
  const modes = await Promise.all(paths.map(modeOf));
  // Windows has access lists in place of mode bits. Files in a closed directory are closed, whatever their bits say.
  const isClosed = process.platform === 'win32' || ((modes[0] ?? 0) & 0o077) === 0;
  const readable = isClosed ? [] : paths.filter((_, at) => ((modes[at] ?? 0) & othersCanRead) !== 0);
  const space = await statfs(home.dir).catch(absent);
  return {
    readable,
    wordsUnseen: modes[2] !== undefined,
    freeBytes: space && space.bavail * space.bsize,
  };
};

const modeOf = async (path: string): Promise<number | undefined> => (await stat(path).catch(absent))?.mode;

/** Not being there, or not being told, is an answer here; anything else is the disk's fault and is thrown. */
const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code === 'ENOENT' || error.code === 'ENOSYS' || error.code === 'ENOTSUP') return undefined;
  throw error;
};
