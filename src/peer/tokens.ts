/**
 * Bearer tokens of this peer's gateway: made, listed, revoked, checked; only their hashes are kept.
 * Relies on the local notes; a token is `althing_<id>_<secret>`.
 */
import type { NewToken, Scope, TokenInfo } from '../core/api-shapes.ts';
import { equalBytes, toHex, utf8 } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import type { LocalNotes } from '../store/local-notes.ts';

const notePrefix = 'token/';
const maxTokens = 256;
const scopes: ReadonlySet<unknown> = new Set(['read', 'use', 'manage']);

interface TokenNote {
  readonly hash: Uint8Array;
  readonly scope: Scope;
  readonly created: number;
}

/** The tokens of one home. */
export class Tokens {
  readonly #notes: LocalNotes;
  readonly #crypto: Crypto;
  readonly #now: () => number;

  constructor(notes: LocalNotes, crypto: Crypto, now: () => number) {
    this.#notes = notes;
    this.#crypto = crypto;
    this.#now = now;
  }

  /** A new token; the secret is seen here and never again. Throws `bad-input`, `too-many`. */
  async create(scope: Scope): Promise<NewToken> {
    if (!scopes.has(scope))
      throw new AlthingError('bad-input', `A scope is read, use or manage, not "${scope}".`);
    if (this.#notes.list(notePrefix).size >= maxTokens)
      throw new AlthingError('too-many', `There are ${maxTokens} tokens already: revoke some.`);
    const id = toHex(this.#crypto.randomBytes(4));
    const secret = toHex(this.#crypto.randomBytes(20));
    await this.#notes.set(notePrefix + id, { hash: this.#hash(secret), scope, created: this.#now() });
    return { token: `althing_${id}_${secret}`, id, scope };
  }

  list(): TokenInfo[] {
    return [...this.#notes.list(notePrefix)].map(([key, note]) => {
      const { scope, created } = note as TokenNote;
      return { id: key.slice(notePrefix.length), scope, created: new Date(created).toISOString() };
    });
  }

  /** Throws `token-unknown`. */
  async revoke(id: string): Promise<void> {
    if (this.#notes.get(notePrefix + id) === undefined)
      throw new AlthingError('token-unknown', `There is no token "${id}".`);
    await this.#notes.set(notePrefix + id, null);
  }

  /** What a token allows; undefined for one that is none. */
  check(token: string): Scope | undefined {
    const match = /^althing_([0-9a-f]{8})_([0-9a-f]{40})$/.exec(token);
    const note = match && (this.#notes.get(notePrefix + match[1]!) as TokenNote | undefined);
    // Hashes are compared, so that the time taken tells nothing of the secret.
    return note && equalBytes(note.hash, this.#hash(match[2]!)) ? note.scope : undefined;
  }

  #hash(secret: string): Uint8Array {
    return this.#crypto.sha256(utf8(secret));
  }
}
