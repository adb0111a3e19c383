/**
 * What peers called themselves that are out of the fabric: their own records are dropped, people still know the names.
 * Relies on this peer's notes; who was out before this peer heard of it has no name here.
 */
import { isDiskFailure } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { recordValue, type SignedRecord } from '../replica/record.ts';
import type { LocalNotes } from '../store/local-notes.ts';
import { cardIn } from './directory.ts';

const namesNote = 'former-names';
/** The latest are kept. */
const maxNames = 256;

/** The names out of records that were dropped. */
export class FormerNames {
  readonly #notes: LocalNotes;
  readonly #logger: Logger;
  readonly #names: Map<PeerId, string>;

  constructor(notes: LocalNotes, logger: Logger) {
    this.#notes = notes;
    this.#logger = logger;
    this.#names = new Map(pairsIn(notes.get(namesNote)));
  }

  of(peer: PeerId): string | undefined {
    return this.#names.get(peer);
  }

  /** These records are not held any more. */
  dropped(records: readonly SignedRecord[]): void {
    const cards = records.filter(
      ({ collection, key, authorId }) => collection === 'peer' && key === authorId,
    );
    let isNew = false;
    for (const record of cards) {
      const name = cardIn(recordValue(record))?.name;
      if (name === undefined || this.#names.get(record.authorId) === name) continue;
      this.#names.delete(record.authorId);
      this.#names.set(record.authorId, name);
      isNew = true;
    }
    if (isNew) void this.#keep();
  }

  async #keep(): Promise<void> {
    for (const peer of this.#names.keys()) {
      if (this.#names.size <= maxNames) break;
      this.#names.delete(peer);
    }
    try {
      await this.#notes.set(namesNote, [...this.#names]);
    } catch (error) {
      // Until the next start it is known all the same.
      if (!isDiskFailure(error)) this.#logger.warn({ err: error }, 'A name could not be kept.');
    }
  }
}

const pairsIn = (note: unknown): [PeerId, string][] =>
  (Array.isArray(note) ? note : []).filter(
    (pair): pair is [PeerId, string] => Array.isArray(pair) && pair.every((text) => typeof text === 'string'),
  );
