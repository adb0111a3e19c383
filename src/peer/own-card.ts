/**
 * This peer's own `peer` record: what it is called and where it can be reached, written where it says something new.
 * Relies on the replica; who may write is its owner's to know.
 */
import { isDiskFailure, toAlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { recordValue } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import type { PeerCard } from './directory.ts';

/** What this peer has said of itself in one fabric. */
export class OwnCard {
  readonly #replica: Replica;
  readonly #logger: Logger;
  #said = '';

  constructor(replica: Replica, logger: Logger) {
    this.#replica = replica;
    this.#logger = logger;
  }

  /** Writes the record unless it says this already; never throws, for the next change of addresses tries again. */
  async publish(card: PeerCard): Promise<void> {
    const text = JSON.stringify(card);
    if (text === this.#said) return;
    this.#said = text;
    const { self } = this.#replica;
    try {
      await this.#replica.write(() => {
        const known = this.#replica.get('peer', self);
        if (known && JSON.stringify(recordValue(known)) === text) return [];
        return [{ collection: 'peer', key: self, value: card }];
      });
    } catch (error) {
      this.#said = '';
      // One that stops meanwhile has nobody to tell.
      if (!isDiskFailure(error) && toAlthingError(error).code !== 'cancelled')
        this.#logger.error({ err: error }, "This peer's addresses could not be published.");
    }
  }
}
