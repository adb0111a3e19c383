/**
 * Holdings that many simulated peers of one process share until they differ: a log is copied when a peer changes it.
 * Relies on nobody changing what is shared, and on records of equal bytes being one object, as `openHoldings` made them.
 */
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { AuthorLog } from '../replica/author-log.ts';
import { Holdings } from '../replica/holdings.ts';
import type { SignedRecord } from '../replica/record.ts';
import type { RecordStream } from '../replica/record-store.ts';

type Slots = ReadonlyMap<PeerId, SignedRecord>;

/** One peer's view of shared holdings, with changes of its own. */
export class SharedHoldings extends Holdings {
  readonly #shared: Holdings;
  readonly #own = new Map<string, AuthorLog>();
  /** Logs that this peer dropped as a whole. */
  readonly #gone = new Set<string>();
  /** Collections, keys and their slots as far as they are not the shared ones. */
  readonly #slots = new Map<string, Map<string, Map<PeerId, SignedRecord>>>();
  #control: readonly SignedRecord[];

  constructor(shared: Holdings) {
    super();
    this.#shared = shared;
    this.#control = shared.control;
  }

  override get control(): readonly SignedRecord[] {
    return this.#control;
  }

  override *logs(): Iterable<AuthorLog> {
    for (const log of this.#shared.logs()) {
      const found = this.find(log.stream, log.authorId);
      if (found) yield found;
    }
    for (const log of this.#own.values()) if (!this.#shared.find(log.stream, log.authorId)) yield log;
  }

  override find(stream: RecordStream, author: PeerId): AuthorLog | undefined {
    const name = nameOf(stream, author);
    return this.#own.get(name) ?? (this.#gone.has(name) ? undefined : this.#shared.find(stream, author));
  }

  override log(stream: RecordStream, author: Uint8Array): AuthorLog {
    const id = peerIdOf(author);
    return this.find(stream, id) ?? this.#begin(new AuthorLog(stream, author));
  }

  override slots(collection: string, key: string): Slots | undefined {
    const own = this.#slots.get(collection)?.get(key);
    if (!own) return this.#shared.slots(collection, key);
    return own.size > 0 ? own : undefined;
  }

  override *allSlots(collection: string): Iterable<Slots> {
    const own = this.#slots.get(collection);
    for (const slots of this.#shared.allSlots(collection)) {
      const [record] = slots.values();
      if (!own?.has(record!.key)) yield slots;
    }
    for (const slots of own?.values() ?? []) if (slots.size > 0) yield slots;
  }

  override keep(record: SignedRecord): void {
    this.#ownLog(record.stream, record.author).insert(record);
    if (record.stream === 'control') this.#control = [...this.#control, record];
    else this.#ownSlots(record).set(record.authorId, record);
  }

  override drop(stream: RecordStream, author: PeerId, records: readonly SignedRecord[]): void {
    const before = this.find(stream, author);
    if (!before) return;
    const log = this.#ownLog(stream, before.author);
    log.drop(records);
    if (log.last === undefined) {
      this.#own.delete(nameOf(stream, author));
      this.#gone.add(nameOf(stream, author));
    }
    if (stream === 'control') {
      const dropped = new Set(records);
      this.#control = this.#control.filter((record) => !dropped.has(record));
    } else for (const record of records) this.#ownSlots(record).delete(author);
  }

  #ownLog(stream: RecordStream, author: Uint8Array): AuthorLog {
    const name = nameOf(stream, peerIdOf(author));
    const own = this.#own.get(name);
    if (own) return own;
    const log = new AuthorLog(stream, author);
    for (const record of this.find(stream, log.authorId)?.live ?? []) log.insert(record);
    return this.#begin(log);
  }

  #begin(log: AuthorLog): AuthorLog {
    this.#own.set(nameOf(log.stream, log.authorId), log);
    return log;
  }

  #ownSlots({ collection, key }: SignedRecord): Map<PeerId, SignedRecord> {
    let keys = this.#slots.get(collection);
    if (!keys) {
      keys = new Map();
      this.#slots.set(collection, keys);
    }
    let slots = keys.get(key);
    if (!slots) {
      slots = new Map(this.#shared.slots(collection, key));
      keys.set(key, slots);
    }
    return slots;
  }
}

const nameOf = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;
