/**
 * The thread that owns the state database: reads it out in pieces, writes merged batches in one transaction each.
 * Relies on `state-store.ts` to send one request at a time.
 */
import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { AlthingError } from '../core/errors.ts';
import type { RecordPosition, StateBatch } from '../replica/record-store.ts';
import {
  packChunk,
  type StateChunk,
  type StateReply,
  type StateRequest,
  type WorkerSettings,
} from './state-messages.ts';
import { checkStructure, openStateDatabase, refuseReadOnly } from './state-schema.ts';
import { storeError } from './store-error.ts';

const port = parentPort!;
const { path, maxSizeBytes } = workerData as WorkerSettings;

/** A piece takes the other side well under a millisecond to take in. */
const chunkBytes = 256 * 1024;
const nothing: StateChunk = { records: [], local: [], done: true };

const streamNumber = { control: 0, data: 1 } as const;
const columns = ({ stream, author, epoch, seq }: RecordPosition) =>
  [streamNumber[stream], author, epoch, seq] as const;

/** The transaction that makes several batches durable, or none of them. */
const committer = (db: DatabaseSync): ((batches: readonly StateBatch[]) => void) => {
  const clear = db.prepare('DELETE FROM records');
  const remove = db.prepare('DELETE FROM records WHERE stream = ? AND author = ? AND epoch = ? AND seq = ?');
  const put = db.prepare(
    `INSERT INTO records SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM records
       WHERE stream = ?1 AND author = ?2 AND epoch = ?3 AND seq = ?4 AND raw = ?6)`,
  );
  const removeLocal = db.prepare('DELETE FROM local WHERE key = ?');
  const putLocal = db.prepare('INSERT OR REPLACE INTO local VALUES (?, ?, ?)');
  const apply = (batch: StateBatch): void => {
    if (batch.clearRecords) clear.run();
    for (const position of batch.remove ?? []) remove.run(...columns(position));
    for (const record of batch.put ?? []) put.run(...columns(record), crc32(record.raw), record.raw);
    for (const [key, value] of batch.local ?? []) {
      if (value === null) removeLocal.run(key);
      else putLocal.run(key, crc32(value), value);
    }
  };
  return (batches) => {
    db.exec('BEGIN');
    try {
      for (const batch of batches) apply(batch);
      db.exec('COMMIT');
    } catch (error) {
      // SQLite ends some failed transactions by itself.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
};

/** Everything stored, in pieces of about 256 KiB, the last one `done`. Throws `store-corrupt`. */
function* contents(db: DatabaseSync): Generator<StateChunk> {
  checkStructure(db, path);
  const all = db.prepare(
    'SELECT NULL AS key, raw AS bytes, crc FROM records UNION ALL SELECT key, value, crc FROM local',
  );
  let chunk: StateChunk = { records: [], local: [], done: false };
  let size = 0;
  for (const { key, bytes, crc } of all.iterate()) {
    if (!(bytes instanceof Uint8Array) || crc32(bytes) !== crc)
      throw new AlthingError(
        'store-corrupt',
        `${path} is damaged: an entry does not match its checksum. Stop the peer and run: althing rebuild.`,
      );
    if (key === null) chunk.records.push(bytes);
    else chunk.local.push([String(key), bytes]);
    size += bytes.length;
    if (size < chunkBytes) continue;
    yield chunk;
    chunk = { records: [], local: [], done: false };
    size = 0;
  }
  yield { ...chunk, done: true };
}

const reply = (chunk: StateChunk): void => {
  const { message, buffer } = packChunk(chunk);
  port.postMessage({ ok: true, chunk: message } satisfies StateReply, [buffer]);
};

/** SQLite calls every failed write an input/output error: a disk that has become read-only deserves its own name. */
const explained = (thrown: unknown): AlthingError => {
  const error = storeError(thrown, path);
  if (error.code !== 'disk-failed') return error;
  try {
    refuseReadOnly(path);
    return error;
  } catch (reason) {
    return storeError(reason, path);
  }
};

const refuse = (thrown: unknown): void => {
  const { code, message } = explained(thrown);
  port.postMessage({ ok: false, code, message } satisfies StateReply);
};

const serve = (db: DatabaseSync): void => {
  const commit = committer(db);
  let reading: Generator<StateChunk> | undefined;
  const answer = (request: StateRequest): StateChunk => {
    if (request.op === 'load') {
      reading ??= contents(db);
      const chunk = reading.next().value ?? nothing;
      if (chunk.done) reading = undefined;
      return chunk;
    }
    if (request.op === 'commit') commit(request.batches);
    else if (request.op === 'snapshot') db.prepare('VACUUM INTO ?').run(request.path);
    else db.close();
    return nothing;
  };
  port.on('message', (request: StateRequest) => {
    try {
      reply(answer(request));
      if (request.op === 'close') port.close();
    } catch (error) {
      refuse(error);
    }
  });
};

try {
  serve(openStateDatabase(path, maxSizeBytes));
  reply(nothing);
} catch (error) {
  refuse(error);
}
