/**
 * What sessions were asked for and have not yet answered: one question for each author's stream, so many for each session.
 * Relies on its owner for time; whoever is asked for thousands of records would seem to keep them back while they come.
 */
import type { Position } from './record.ts';
import type { SyncLink } from './sync-messages.ts';

/** Questions that one session may have open. */
export const maxOpenQuestions = 64;

/** What has been asked for and not yet come. */
export interface Asked {
  readonly link: SyncLink;
  readonly what: 'want' | 'want-hashes' | 'want-named';
  readonly from: Position;
  readonly until: number;
}

/** All open questions by the key of the author's stream. */
export class OpenQuestions {
  readonly #byKey = new Map<string, Asked>();
  readonly #counts = new Map<SyncLink, number>();

  get(key: string): Asked | undefined {
    return this.#byKey.get(key);
  }

  /** How many a session has. */
  of(link: SyncLink): number {
    return this.#counts.get(link) ?? 0;
  }

  begin(key: string, asked: Asked): void {
    this.end(key);
    this.#byKey.set(key, asked);
    this.#counts.set(asked.link, this.of(asked.link) + 1);
  }

  end(key: string): void {
    const asked = this.#byKey.get(key);
    if (!asked) return;
    this.#byKey.delete(key);
    const left = this.of(asked.link) - 1;
    if (left > 0) this.#counts.set(asked.link, left);
    else this.#counts.delete(asked.link);
  }

  /** Ends those of one session. */
  endAllOf(link: SyncLink): void {
    for (const [key, asked] of this.#byKey) if (asked.link === link) this.end(key);
  }

  /** Ends those whose time is over, and gives them. */
  takeOverdue(now: number): [key: string, asked: Asked][] {
    const overdue = [...this.#byKey].filter(([, { until }]) => until <= now);
    for (const [key] of overdue) this.end(key);
    return overdue;
  }

  clear(): void {
    this.#byKey.clear();
    this.#counts.clear();
  }
}
