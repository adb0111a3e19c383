/**
 * What files and SQLite throw, as errors of the project with a message for people.
 * Relies on the error codes of Node's `fs` and the result codes of SQLite (sqlite.org/rescode.html).
 */
import { AlthingError, type ErrorCode } from '../core/errors.ts';

interface SystemError extends Error {
  /** `ENOSPC` and the like from `fs`, `ERR_SQLITE_ERROR` from `node:sqlite`. */
  code?: string;
  /** SQLite's extended result code; the low byte is the primary one. */
  errcode?: number;
}

const full = (path: string) =>
  ['disk-full', `The disk is full: ${path} could not be written. Free some space.`] as const;
const readOnly = (path: string) =>
  [
    'home-read-only',
    `${path} cannot be written by this user. Make it writable, or use another home.`,
  ] as const;
const failed = (path: string) =>
  ['disk-failed', `The disk failed to read or write ${path}. Check it before you go on.`] as const;
const misplaced = (path: string) =>
  ['bad-option', `${path} is not where a home can be: a part of it is a file, or it is too long.`] as const;
const inUse = (path: string) =>
  ['home-in-use', `${path} is in use by another peer. Stop that one, or use another home.`] as const;
const corrupt = (path: string) =>
  [
    'store-corrupt',
    `${path} is damaged or not a database of Althing. Stop the peer and run: althing rebuild.`,
  ] as const;

type Explanation = (path: string) => readonly [code: ErrorCode, message: string];

const byFileCode: Record<string, Explanation> = {
  ENOSPC: full,
  EDQUOT: full,
  EROFS: readOnly,
  EACCES: readOnly,
  EPERM: readOnly,
  EIO: failed,
  ENOTDIR: misplaced,
  EISDIR: misplaced,
  ENAMETOOLONG: misplaced,
};

const bySqliteCode: Record<number, Explanation> = {
  3: readOnly, // SQLITE_PERM
  5: inUse, // SQLITE_BUSY
  6: inUse, // SQLITE_LOCKED
  8: readOnly, // SQLITE_READONLY
  10: failed, // SQLITE_IOERR
  11: corrupt, // SQLITE_CORRUPT
  13: full, // SQLITE_FULL
  14: readOnly, // SQLITE_CANTOPEN
  26: corrupt, // SQLITE_NOTADB
};

/**
 * An AlthingError for a failure of storage: `disk-full`, `home-read-only`, `disk-failed`, `bad-option`, `home-in-use`,
 * `store-corrupt`, or `internal` for what storage does not explain. An AlthingError is returned as it is.
 * @param path the file or directory that the message names
 */
export const storeError = (thrown: unknown, path: string): AlthingError => {
  if (thrown instanceof AlthingError) return thrown;
  const error = thrown as SystemError | null | undefined;
  const explain =
    error?.errcode === undefined ? byFileCode[error?.code ?? ''] : bySqliteCode[error.errcode & 0xff];
  if (explain === undefined) {
    const what = error instanceof Error ? error.message : String(thrown);
    return new AlthingError('internal', `Storing to ${path} failed: ${what}`, { cause: thrown });
  }
  const [code, message] = explain(path);
  return new AlthingError(code, message, { cause: thrown });
};
