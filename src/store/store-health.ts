/**
 * Whether a home's disk takes what it is given: said once when it begins to fail, and once when that is over.
 * Relies on the store to tell it of each failure and success; `althing doctor` asks it.
 */
import { type AlthingError, type ErrorCode, isDiskFailure } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';

/** How storage does. `since`: milliseconds since 1970. */
export type StoreState =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly since: number };

/** A disk that is full, then not, then full again is told of this often at most. */
const quietMs = 60_000;

/** One home's storage. */
export class StoreHealth {
  /** Set by the owner; called when storing works again after it did not. */
  onRecovered: () => void = () => {};
  readonly #logger: Logger;
  readonly #now: () => number;
  #state: StoreState = { ok: true };
  #toldAt = Number.NEGATIVE_INFINITY;
  #toldCode: ErrorCode | undefined;
  #toldFailure = false;

  /** @param options `now`: the wall clock, milliseconds since 1970 */
  constructor(options: { logger?: Logger; now?: () => number } = {}) {
    this.#logger = options.logger ?? silentLogger;
    this.#now = options.now ?? Date.now;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Storing failed with this; errors that are not the disk's change nothing. */
  failed(error: AlthingError): void {
    if (!isDiskFailure(error)) return;
    const { code, message } = error;
    const before = this.#state;
    // Damage does not heal while the peer runs, whatever else fails meanwhile.
    if (!before.ok && (before.code === code || before.code === 'store-corrupt')) return;
    const since = before.ok ? this.#now() : before.since;
    this.#state = { ok: false, code, message, since };
    const now = this.#now();
    if (this.#toldCode === code && now - this.#toldAt < quietMs) return;
    this.#toldCode = code;
    this.#toldAt = now;
    this.#toldFailure = true;
    this.#logger.error({ code }, `${message} Until then nothing new is kept; Things and sessions go on.`);
  }

  /** Something was stored. */
  worked(): void {
    if (this.#state.ok || this.#state.code === 'store-corrupt') return;
    this.#state = { ok: true };
    if (this.#toldFailure) this.#logger.info({}, 'The disk takes what is stored again.');
    this.#toldFailure = false;
    this.onRecovered();
  }
}
