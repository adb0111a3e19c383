/**
 * This peer's own notes beside the records: small values by key, never replicated.
 * Relies on the state store for durability and on the codec for their form.
 */
import { decode, encode } from '../core/codec.ts';
import type { StateStore } from '../replica/record-store.ts';

/** A note's new value, or null to forget it; for commits that carry other changes too. */
export type NoteChange = readonly [key: string, value: Uint8Array | null];

/** A note as a change of the store. */
export const noteChange = (key: string, value: unknown): NoteChange => [
  key,
  value === null ? null : encode(value),
];

/** All notes, in memory and on disk. */
export class LocalNotes {
  readonly #store: StateStore;
  readonly #notes: Map<string, Uint8Array>;

  /** @param stored what the store gave when it was opened */
  constructor(store: StateStore, stored: ReadonlyMap<string, Uint8Array>) {
    this.#store = store;
    this.#notes = new Map(stored);
  }

  /** The note's value, or undefined. Throws `store-corrupt` where it cannot be read. */
  get(key: string): unknown {
    const bytes = this.#notes.get(key);
    return bytes && decode(bytes, 'store-corrupt');
  }

  /** The keys that start so, without reading what they hold. */
  keys(prefix: string): string[] {
    return [...this.#notes.keys()].filter((key) => key.startsWith(prefix));
  }

  /** All notes whose keys start so, by key. */
  list(prefix: string): Map<string, unknown> {
    return new Map(this.keys(prefix).map((key) => [key, this.get(key)]));
  }

  /** Sets or, with null, forgets a note; resolves when it is on disk. */
  set(key: string, value: unknown): Promise<void> {
    return this.commit([noteChange(key, value)]);
  }

  /** Several changes at once, with whatever else belongs to the same commit. */
  async commit(changes: readonly NoteChange[], more: { clearRecords?: boolean } = {}): Promise<void> {
    await this.#store.commit({ local: changes, ...more });
    for (const [key, value] of changes) {
      if (value === null) this.#notes.delete(key);
      else this.#notes.set(key, value);
    }
  }
}
