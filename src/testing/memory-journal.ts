/**
 * A journal of steps in memory, whose file outlives it, so that tests can kill a device and cut its power.
 * Relies on nothing; `JournalFile` is the real one.
 */
import { AlthingError } from '../core/errors.ts';
import type { StepJournal } from '../peer/rules/step-journal.ts';

/** What is left when the process dies. */
export class MemoryJournalFile {
  boot: string | undefined = 'boot 1';
  token: string | undefined;
  entries: Uint8Array[] = [];

  /** The power goes: of the entries those are there that `survives`, and the machine starts anew. */
  cutPower(survives: (at: number) => boolean = () => false): void {
    const torn = this.entries.findIndex((_, at) => !survives(at));
    if (torn !== -1) this.entries.length = torn;
    this.boot = this.boot && `${this.boot}, another`;
  }
}

/** One process's hold on the file. */
export class MemoryJournal implements StepJournal {
  readonly boot: string | undefined;
  readonly #file: MemoryJournalFile;
  #isOpen = false;
  /** What `begin` and `append` throw; undefined while the disk takes them. */
  failure: AlthingError | undefined;

  constructor(file = new MemoryJournalFile()) {
    this.#file = file;
    this.boot = file.boot;
  }

  get sizeBytes(): number {
    return this.#file.entries.reduce((sum, { length }) => sum + length, 0);
  }

  read(token: string): Uint8Array[] | undefined {
    return this.#file.token === token ? [...this.#file.entries] : undefined;
  }

  begin(token: string): void {
    if (this.failure) throw this.failure;
    Object.assign(this.#file, { token, entries: [] });
    this.#isOpen = true;
  }

  append(entry: Uint8Array): void {
    if (this.failure) throw this.failure;
    if (!this.#isOpen) throw new AlthingError('disk-failed', 'The journal is closed.');
    this.#file.entries.push(entry);
  }

  clear(): void {
    if (this.#isOpen) this.#file.entries = [];
  }

  close(): void {
    this.#isOpen = false;
  }
}
