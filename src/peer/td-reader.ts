/**
 * Reads Thing Descriptions before anybody asks for them, a few at a time: whoever lists thousands does not wait for it.
 * Relies on the directory, which keeps what it has read.
 */
import type { SignedRecord } from '../replica/record.ts';
import type { Directory } from './directory.ts';

/** TDs read before others get their turn: about a millisecond. */
const readBatch = 16;

/** Reads the TDs of one directory. */
export class TdReader {
  readonly #directory: Pick<Directory, 'parse'>;
  readonly #yieldTurn: () => Promise<void>;
  readonly #unread = new Set<SignedRecord>();
  #reading: Promise<void> | undefined;

  constructor(directory: Pick<Directory, 'parse'>, yieldTurn: () => Promise<void>) {
    this.#directory = directory;
    this.#yieldTurn = yieldTurn;
  }

  /** Reads those of these records that are of Things, soon. Resolves when nothing is left to read. */
  read(records: Iterable<SignedRecord>): Promise<void> {
    for (const record of records) if (record.collection === 'thing') this.#unread.add(record);
    this.#reading ??= this.#readAll();
    return this.#reading;
  }

  /** Reads nothing more. */
  close(): void {
    this.#unread.clear();
  }

  async #readAll(): Promise<void> {
    let read = 0;
    for (const record of this.#unread) {
      if (read % readBatch === 0) await this.#yieldTurn();
      if (!this.#unread.delete(record)) continue;
      this.#directory.parse(record);
      read += 1;
    }
    this.#reading = undefined;
  }
}
