/**
 * Names in rules that led nowhere when they were applied: looked up again when Things and peers come.
 * Relies on one admin's peer at a time to do so, the first in line of those that are live, or for a member's rule on that
 * member's; it signs the rule anew.
 */

import type { Crypto } from '../../core/crypto.ts';
import { isDiskFailure, toAlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { markIn } from '../../core/rule-keys.ts';
import { recordValue } from '../../replica/record.ts';
import { rankHosts } from '../../rules/placement.ts';
import { type Rule, unresolvedMark } from '../../rules/rule.ts';
import { sameValue } from '../../rules/trigger-state.ts';
import type { BookRule, RuleBook } from './rule-book.ts';
import { type NamedFabric, ruleLookup } from './rule-lookup.ts';

export interface NameResolvingOptions extends NamedFabric {
  readonly book: RuleBook;
  readonly crypto: Pick<Crypto, 'sha256'>;
  /** The members with a session, this peer included. */
  readonly live: () => Iterable<PeerId>;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly logger: Logger;
}

/** Things come in crowds. */
const lookAfterMs = 2000;

/** Looks for what rules call by names that were unknown. */
export class NameResolving {
  readonly #options: NameResolvingOptions;
  readonly #hasNames = new WeakMap<Rule, boolean>();
  #cancelLook: (() => void) | undefined;
  #looking = false;

  constructor(options: NameResolvingOptions) {
    this.#options = options;
  }

  /** Rules, Things, labels, members or sessions have changed. */
  changed(): void {
    if (this.#cancelLook || this.#unresolved().length === 0) return;
    this.#cancelLook = this.#options.schedule(lookAfterMs, () => {
      this.#cancelLook = undefined;
      this.#look().catch((error: unknown) => {
        if (!isDiskFailure(error))
          this.#options.logger.warn({ err: error }, 'Names in rules could not be looked up again.');
      });
    });
  }

  #isAdmin(peer: PeerId): boolean {
    return this.#options.replica.authority.members.get(peer)?.role === 'admin';
  }

  /** Those that this peer may sign. */
  #unresolved(): BookRule[] {
    const { book, replica } = this.#options;
    const isAdmin = this.#isAdmin(replica.self);
    return book.rules().filter(({ key, rule, author }) => {
      if (markIn(key) === undefined ? !isAdmin : author !== replica.self) return false;
      let has = this.#hasNames.get(rule);
      if (has === undefined) {
        // A text that only looks like it costs a look, and changes nothing.
        has = JSON.stringify(rule).includes(unresolvedMark);
        this.#hasNames.set(rule, has);
      }
      return has;
    });
  }

  async #look(): Promise<void> {
    const { live, crypto, replica } = this.#options;
    const admins = [...live()].filter((peer) => this.#isAdmin(peer));
    if (this.#looking) return;
    const isFirst = rankHosts('names', admins, crypto)[0] === replica.self;
    this.#looking = true;
    try {
      for (const book of this.#unresolved())
        if (isFirst || markIn(book.key) !== undefined) await this.#resolve(book);
    } finally {
      this.#looking = false;
    }
  }

  async #resolve({ key, rule }: BookRule): Promise<void> {
    const { replica, logger } = this.#options;
    const { resolveAgain } = await import('../../rules/resolve.ts');
    let resolved: Rule | undefined;
    try {
      resolved = resolveAgain(rule, ruleLookup(this.#options))?.rule;
    } catch (error) {
      // A name that may be several Things now, or one that does not do what the rule asks: the author has to say.
      logger.warn({ rule: key, err: toAlthingError(error) }, 'A name in a rule cannot be resolved.');
      return;
    }
    if (!resolved) return;
    await replica.write(() => {
      // Its author may have been quicker.
      const record = replica.get('rule', key);
      const isSame = record && sameValue(recordValue(record), rule);
      return isSame ? [{ collection: 'rule', key, value: resolved }] : [];
    });
    logger.info({ rule: key }, 'A rule was signed anew: what it names is there now.');
  }
}
