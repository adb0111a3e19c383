/**
 * The records that a replica holds, found by author and position, and by collection and key.
 * Relies on the replica for every decision what is taken in and what is dropped.
 */
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { AuthorLog } from './author-log.ts';
import type { SignedRecord } from './record.ts';
import type { RecordStream } from './record-store.ts';

const logKey = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;

/** Logs of all authors, and an index of their data records. */
export class Holdings {
  readonly #logs = new Map<string, AuthorLog>();
  /** Data records by collection, key, author. */
  readonly #index = new Map<string, Map<string, Map<PeerId, SignedRecord>>>();
  #control: SignedRecord[] = [];

  get control(): readonly SignedRecord[] {
    return this.#control;
  }

  logs(): Iterable<AuthorLog> {
    return this.#logs.values();
  }

  find(stream: RecordStream, author: PeerId): AuthorLog | undefined {
    return this.#logs.get(logKey(stream, author));
  }

  /** The author's log, a new one where there is none. */
  log(stream: RecordStream, author: Uint8Array): AuthorLog {
    const key = logKey(stream, peerIdOf(author));
    let log = this.#logs.get(key);
    if (!log) {
      log = new AuthorLog(stream, author);
      this.#logs.set(key, log);
    }
    return log;
  }

  /** The slots of a key by author. */
  slots(collection: string, key: string): ReadonlyMap<PeerId, SignedRecord> | undefined {
    return this.#index.get(collection)?.get(key);
  }

  /** The slots of every key of a collection. */
  allSlots(collection: string): Iterable<ReadonlyMap<PeerId, SignedRecord>> {
    return this.#index.get(collection)?.values() ?? [];
  }

  keep(record: SignedRecord): void {
    // Found by the id that the record carries: thousands are kept at a start, and ids cost more than all the rest.
    const log = this.find(record.stream, record.authorId) ?? this.log(record.stream, record.author);
    log.insert(record);
    if (record.stream === 'control') {
      this.#control.push(record);
      return;
    }
    const keys = this.#index.get(record.collection) ?? new Map<string, Map<PeerId, SignedRecord>>();
    this.#index.set(record.collection, keys);
    const slots = keys.get(record.key) ?? new Map<PeerId, SignedRecord>();
    keys.set(record.key, slots.set(record.authorId, record));
  }

  /** Drops live records of one author in one stream; a log that is empty then is forgotten. */
  drop(stream: RecordStream, author: PeerId, records: readonly SignedRecord[]): void {
    const log = this.find(stream, author);
    log?.drop(records);
    if (log?.last === undefined) this.#logs.delete(logKey(stream, author));
    if (stream === 'control') {
      const dropped = new Set(records);
      this.#control = this.#control.filter((record) => !dropped.has(record));
    } else for (const record of records) this.#unindex(record);
  }

  #unindex({ collection, key, authorId }: SignedRecord): void {
    const keys = this.#index.get(collection);
    const slots = keys?.get(key);
    slots?.delete(authorId);
    if (slots?.size === 0) keys?.delete(key);
    if (keys?.size === 0) this.#index.delete(collection);
  }
}
