/**
 * Who claimed to hold records and did not give them: for people to look at, since nobody can tell a liar from a fault.
 * Relies on the reconciler to notice; forgets what has arrived from elsewhere.
 */
import type { PeerId } from '../core/ids.ts';
import { comparePositions, type Position } from './record.ts';
import type { RecordStream } from './record-store.ts';

/** A session's claim that it did not make good. */
export interface Withheld {
  /** Who claimed. */
  readonly peer: PeerId;
  /** Whose records these are. */
  readonly author: PeerId;
  readonly stream: RecordStream;
  /** Where the other side said that the author stands. */
  readonly position: Position;
  /** When this was noticed, milliseconds since 1970. */
  readonly sinceMs: number;
}

const maxWithheld = 256;

/** Claims that were not made good; the oldest go where there are too many. */
export class WithheldRecords {
  readonly #claims = new Map<string, Withheld>();

  note(claim: Withheld): void {
    const key = `${claim.peer}/${claim.stream}/${claim.author}`;
    const since = this.#claims.get(key)?.sinceMs ?? claim.sinceMs;
    this.#claims.delete(key);
    this.#claims.set(key, { ...claim, sinceMs: since });
    if (this.#claims.size > maxWithheld) this.#claims.delete(this.#claims.keys().next().value!);
  }

  /** Keeps the claims beyond where authors stand here by now, of those whose records are still wanted. */
  list(standsAt: (stream: RecordStream, author: PeerId) => Position | undefined): Withheld[] {
    for (const [key, { stream, author, position }] of this.#claims) {
      const here = standsAt(stream, author);
      if (!here || comparePositions(here, position) >= 0) this.#claims.delete(key);
    }
    return [...this.#claims.values()];
  }
}
