/**
 * A peer's home: the one directory that holds all of it, where it is, and that nobody else can read it.
 * Relies on the file system and on the XDG base directory specification for the places.
 */
import { createHash } from 'node:crypto';
import { access, chmod, constants, lstat, mkdir, stat } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { AlthingError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { syncDirectory } from './atomic-file.ts';
import { storeError } from './store-error.ts';

/** Absolute paths of what a home holds. */
export interface Home {
  readonly dir: string;
  readonly identityKey: string;
  /** The founder's recovery key, until `althing recovery` has shown it. */
  readonly recoveryKey: string;
  readonly stateDb: string;
  /** What a lost `stateDb` could not get back from other members. */
  readonly membership: string;
  /** What was noted of rules' steps in the last moments. */
  readonly steps: string;
  readonly historyDb: string;
  readonly blobs: string;
  readonly config: string;
  /** In the home, or elsewhere where that path would be too long for a Unix socket. */
  readonly gatewaySocket: string;
}

/** The environment variables that say where things are. */
export type HomeEnv = Readonly<Record<string, string | undefined>>;

/** How a home is opened. */
export interface OpenHomeOptions {
  /** Told about repairs; silent unless given. */
  readonly logger?: Logger;
  /** `process.env` unless given. */
  readonly env?: HomeEnv;
}

/** A Unix socket's path holds 108 bytes on Linux and 104 elsewhere, the final zero included. */
const maxSocketPathBytes = 100;

const ownerOnly = 0o700;
const othersBits = 0o077;

/** The home where none is named: ALTHING_HOME, else `althing` in the XDG state directory. */
export const defaultHomeDir = (env: HomeEnv = process.env): string => {
  if (env.ALTHING_HOME) return resolve(env.ALTHING_HOME);
  const state = env.XDG_STATE_HOME;
  // The XDG specification says to ignore a relative path.
  if (state?.startsWith('/')) return join(state, 'althing');
  return join(env.HOME || homedir(), '.local', 'state', 'althing');
};

/** The paths of a home, without touching the disk. */
export const homePaths = (dir: string, env: HomeEnv = process.env): Home => {
  const root = resolve(dir);
  return {
    dir: root,
    identityKey: join(root, 'identity.key'),
    recoveryKey: join(root, 'recovery.key'),
    stateDb: join(root, 'state.db'),
    membership: join(root, 'membership'),
    steps: join(root, 'steps.journal'),
    historyDb: join(root, 'history.db'),
    blobs: join(root, 'blobs'),
    config: join(root, 'config.yaml'),
    gatewaySocket: socketPath(root, env),
  };
};

const fits = (path: string): boolean => Buffer.byteLength(path) <= maxSocketPathBytes;

const socketPath = (root: string, env: HomeEnv): string => {
  const inHome = join(root, 'gateway.sock');
  if (fits(inHome)) return inHome;
  const name = `${createHash('sha256').update(root).digest('hex').slice(0, 16)}.sock`;
  const runtimeDir = env.XDG_RUNTIME_DIR;
  const inRuntimeDir = runtimeDir?.startsWith('/') ? join(runtimeDir, `althing-${name}`) : '';
  if (inRuntimeDir !== '' && fits(inRuntimeDir)) return inRuntimeDir;
  // A directory of this user's own, because anyone may put a socket into the shared one.
  const ownDir = `althing-${process.getuid?.() ?? userInfo().username}`;
  const inTmp = join(tmpdir(), ownDir, name);
  return fits(inTmp) ? inTmp : join('/tmp', ownDir, name);
};

/**
 * Opens a home, and makes it (mode 0700) where there is none. One that others can read is closed to them, with a
 * warning. Throws `home-read-only`, `disk-full`, `disk-failed`, `bad-option` where the path cannot be a directory.
 */
export const openHome = async (
  dir: string = defaultHomeDir(),
  options: OpenHomeOptions = {},
): Promise<Home> => {
  const { logger = silentLogger, env = process.env } = options;
  const home = homePaths(dir, env);
  try {
    await makeDir(home.dir);
    await closeToOthers(home.dir, logger);
    await access(home.dir, constants.R_OK | constants.W_OK | constants.X_OK);
    await mkdir(home.blobs, { mode: ownerOnly, recursive: true });
    const socketDir = dirname(home.gatewaySocket);
    if (socketDir !== home.dir && socketDir !== env.XDG_RUNTIME_DIR) await openSocketDir(socketDir);
  } catch (error) {
    throw storeError(error, home.dir);
  }
  return home;
};

/** Makes the directory, durably, with those above it. */
const makeDir = async (dir: string): Promise<void> => {
  let first: string | undefined;
  try {
    first = await mkdir(dir, { mode: ownerOnly, recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new AlthingError('bad-option', `${dir} is a file, not a directory. Name another home.`, {
        cause: error,
      });
    // What a recursive mkdir says on a read-only file system.
    if (code === 'ENOENT')
      throw new AlthingError('home-read-only', `${dir} cannot be made here. Name another home.`, {
        cause: error,
      });
    throw error;
  }
  if (first === undefined) return;
  for (let made = dir; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
};

const closeToOthers = async (dir: string, logger: Logger): Promise<void> => {
  // Windows has access lists in place of mode bits.
  if (process.platform === 'win32') return;
  const { mode } = await stat(dir);
  if ((mode & othersBits) === 0) return;
  await chmod(dir, mode & ownerOnly);
  logger.warn(
    { dir, mode: (mode & 0o777).toString(8) },
    'other users could read the home: it is closed to them now, but what it holds may be known to them',
  );
};

/** The fallback directory lies where anyone may write, so it must be ours and closed before it is trusted. */
const openSocketDir = async (dir: string): Promise<void> => {
  await mkdir(dir, { mode: ownerOnly, recursive: true });
  const found = await lstat(dir);
  const uid = process.getuid?.() ?? found.uid;
  if (!found.isDirectory() || found.uid !== uid || (found.mode & othersBits) !== 0)
    throw new AlthingError(
      'bad-option',
      `${dir}, where the gateway's socket would go, belongs to someone else. Name a home with a shorter path.`,
    );
};
