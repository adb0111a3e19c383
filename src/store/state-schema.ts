/**
 * The database file behind the state store: opened by one process only, checked, and brought to the newest version.
 * Relies on `node:sqlite` and on SQLite's exclusive locking mode, whose lock the system frees when the process dies.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AlthingError } from '../core/errors.ts';
import { storeError } from './store-error.ts';

/** `alth`: tells a database of ours from any other (sqlite.org/fileformat2.html#application_id). */
const applicationId = 0x616c7468;

/**
 * What each version added; a database stands at version n when the first n have run. Never change one that was
 * released. A plain rowid table, because rows are large: WITHOUT ROWID was measured 1.6 times slower to fill.
 */
const migrations: readonly string[] = [
  `CREATE TABLE records (
     stream INTEGER NOT NULL, author BLOB NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
     crc INTEGER NOT NULL, raw BLOB NOT NULL,
     PRIMARY KEY (stream, author, epoch, seq)
   ) STRICT;
   CREATE TABLE local (key TEXT NOT NULL PRIMARY KEY, crc INTEGER NOT NULL, value BLOB NOT NULL) STRICT;`,
  // Of an admin whose key was stolen several records for one position count.
  `ALTER TABLE records RENAME TO former;
   CREATE TABLE records (
     stream INTEGER NOT NULL, author BLOB NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
     crc INTEGER NOT NULL, raw BLOB NOT NULL
   ) STRICT;
   INSERT INTO records SELECT stream, author, epoch, seq, crc, raw FROM former ORDER BY rowid;
   DROP TABLE former;
   CREATE INDEX positions ON records (stream, author, epoch, seq);`,
];

const pageBytes = 4096;
/** What a burst of writes may leave behind as the log's size on disk. */
const logBytes = 4 * 1024 * 1024;

/**
 * Opens or makes the database and holds its exclusive lock until it is closed. Nothing else in this process may open
 * the file: closing any handle on it would drop the lock (POSIX).
 * Throws `home-in-use`, `store-newer`, `store-corrupt`, `home-read-only`, `disk-full`, `disk-failed`.
 */
export const openStateDatabase = (path: string, maxSizeBytes: number): DatabaseSync => {
  let db: DatabaseSync | undefined;
  try {
    refuseReadOnly(path);
    db = new DatabaseSync(path, { timeout: 0 });
    // Before the first read, so that the write-ahead log needs no shared memory and the lock is never let go.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    const version = checkedVersion(db, path);
    db.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${logBytes}; PRAGMA max_page_count = ${Math.ceil(maxSizeBytes / pageBytes)};
      BEGIN EXCLUSIVE; COMMIT`);
    migrate(db, version);
    return db;
  } catch (error) {
    db?.close();
    throw storeError(error, path);
  }
};

/**
 * SQLite would open a file read-only without a word, and fail later with an error that explains nothing: throws the
 * system's own (EROFS, EACCES) where the file cannot be written.
 */
export const refuseReadOnly = (path: string): void => {
  if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
};

const numberOf = (db: DatabaseSync, query: string): number =>
  Number(Object.values(db.prepare(query).get() ?? {})[0]);

/** The version that the file stands at, 0 for a new one; refuses files that are not ours before changing them. */
const checkedVersion = (db: DatabaseSync, path: string): number => {
  const id = numberOf(db, 'PRAGMA application_id');
  const version = numberOf(db, 'PRAGMA user_version');
  const isNew = id === 0 && version === 0 && numberOf(db, 'SELECT count(*) FROM sqlite_schema') === 0;
  if (!isNew && id !== applicationId)
    throw new AlthingError(
      'store-corrupt',
      `${path} is a database of another program. Stop the peer and run: althing rebuild.`,
    );
  if (version > migrations.length)
    throw new AlthingError(
      'store-newer',
      `${path} has version ${version}; this Althing knows ${migrations.length}. Update Althing.`,
    );
  return version;
};

const migrate = (db: DatabaseSync, from: number): void => {
  for (let version = from; version < migrations.length; version++) {
    db.exec(`BEGIN; ${migrations[version]}
      PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
};

/** Reads the whole file once and compares its structure with itself. Throws `store-corrupt`, `disk-failed`. */
export const checkStructure = (db: DatabaseSync, path: string): void => {
  const result = db.prepare('PRAGMA quick_check(1)').get()?.quick_check;
  if (result === 'ok') return;
  throw new AlthingError(
    'store-corrupt',
    `${path} is damaged (${result}). Stop the peer and run: althing rebuild.`,
  );
};
