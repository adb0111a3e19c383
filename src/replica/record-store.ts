/**
 * The seam between the replica and durable storage: what is kept, and the promise of durability.
 * Relies on nothing; `store/` implements it over SQLite, `testing/` in memory.
 */

/** Control records (append-only) and data records (slots) have sequences of their own. */
export type RecordStream = 'control' | 'data';

/** Where a record stands in its author's stream. */
export interface RecordPosition {
  readonly stream: RecordStream;
  /** The author's 32-byte public key. */
  readonly author: Uint8Array;
  readonly epoch: number;
  readonly seq: number;
}

/** A record as it is kept: its position and its signed bytes, never re-encoded. */
export interface StoredRecord extends RecordPosition {
  readonly raw: Uint8Array;
}

/** Changes that become durable together or not at all. */
export interface StateBatch {
  /** Forgets every record first (joining another fabric). */
  readonly clearRecords?: boolean;
  /** All that stands at these positions. */
  readonly remove?: readonly RecordPosition[];
  /** Kept beside what stands at their positions: of a stolen key several records may. */
  readonly put?: readonly StoredRecord[];
  /** This peer's own notes, not replicated: key, and value or null to delete. */
  readonly local?: readonly (readonly [key: string, value: Uint8Array | null])[];
}

/** Everything that was durable when the store was opened. */
export interface StoredState {
  /** Raw records in no particular order. */
  readonly records: readonly Uint8Array[];
  readonly local: ReadonlyMap<string, Uint8Array>;
}

/** One home's durable state. */
export interface StateStore {
  /** Reads all; called once. Throws `store-corrupt`, `store-newer`. */
  load(): Promise<StoredState>;
  /** Resolves when the batch is on disk (fsync). Throws `disk-full`, `home-read-only`, `store-corrupt`, `internal`. */
  commit(batch: StateBatch): Promise<void>;
  close(): Promise<void>;
}
