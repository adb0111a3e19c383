/**
 * Where a device notes its steps in the moment in which it does them, until they are in its store.
 * Relies on the operating system, which keeps what was written when the process dies, but not when the power goes.
 */

/** A short file of entries, all of one token. Every call has happened when it returns; all throw the store's codes. */
export interface StepJournal {
  /** Names this start of the machine; undefined where the system does not say. */
  readonly boot: string | undefined;
  readonly sizeBytes: number;
  /** What was appended since `begin` with this token; undefined where the journal is another one, or none. */
  read(token: string): Uint8Array[] | undefined;
  /** Forgets everything, and begins anew. */
  begin(token: string): void;
  /** After one that failed call `begin` before the next: a part of it may be there. */
  append(entry: Uint8Array): void;
  /** Forgets the entries. */
  clear(): void;
  /** Lets go of the file; `begin` opens it again. */
  close(): void;
}
