/**
 * Reads what can still be read of a damaged state database, and changes nothing in it.
 * Relies on rows being in the order of their rowids: from both ends a reader comes as far as the damage.
 */
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

/** What was readable, each entry with a checksum that holds. Records in no particular order. */
export interface Readable {
  readonly records: readonly Uint8Array[];
  readonly notes: ReadonlyMap<string, Uint8Array>;
  /** Why not everything was readable; undefined where it was. */
  readonly damage: string | undefined;
}

/** All of a database that can be read; nothing where not even its beginning can. Never throws. */
export const readDamaged = (path: string): Readable => {
  const records = new Map<string, Uint8Array>();
  const notes = new Map<string, Uint8Array>();
  let damage: string | undefined;
  const note = (error: unknown): void => {
    damage ??= error instanceof Error ? error.message : String(error);
  };
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    for (const order of ['ASC', 'DESC'] as const) {
      for (const { rowid, raw } of rows(
        db,
        `SELECT rowid, raw, crc FROM records ORDER BY rowid ${order}`,
        note,
      ))
        records.set(String(rowid), raw);
      for (const { key, raw } of rows(
        db,
        `SELECT key, value AS raw, crc FROM local ORDER BY rowid ${order}`,
        note,
      ))
        notes.set(String(key), raw);
    }
  } catch (error) {
    note(error);
  } finally {
    db?.close();
  }
  return { records: [...records.values()], notes, damage };
};

type Row = Record<string, unknown> & { readonly raw: Uint8Array };

/** The rows whose checksums hold, up to the first that cannot be read. */
function* rows(db: DatabaseSync, query: string, note: (error: unknown) => void): Generator<Row> {
  try {
    for (const row of db.prepare(query).iterate()) {
      if (row.raw instanceof Uint8Array && crc32(row.raw) === row.crc) yield row as Row;
      else note(new Error('an entry does not match its checksum'));
    }
  } catch (error) {
    note(error);
  }
}
