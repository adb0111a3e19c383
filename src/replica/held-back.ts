/**
 * Authors whose next records are not taken in for now: they are far ahead of the fabric's time, or too many.
 * Relies on the replica to say why; asks for patience, so that the same records are not fetched again and again.
 */
import type { PeerId } from '../core/ids.ts';
import { comparePositions, type Position } from './record.ts';
import type { RecordStream } from './record-store.ts';

/** Why an author's records wait. */
export interface HeldBack {
  readonly peer: PeerId;
  readonly stream: RecordStream;
  /** `ahead`: of the fabric's time; `over-quota`: the author has as much as it may have. */
  readonly why: 'ahead' | 'over-quota';
  /** Where the first of them stands; whoever holds less has nothing that waits. */
  readonly at: Position;
  /** When the fabric's time will have reached the first of them, milliseconds since 1970; null where no time helps. */
  readonly untilMs: number | null;
}

/** The author may have put it right meanwhile: its records are asked for again after this long. */
const retryMs = 60_000;

interface Entry {
  readonly held: HeldBack;
  /** On the clock that `release` is told of. */
  readonly retryAt: number;
  /** Its time has come: it may be asked for, and what is taken in then or not says how it goes on. */
  released: boolean;
}

const entryKey = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;

/** All authors that wait; no more of them than have records here or are members. */
export class HeldBackAuthors {
  readonly #entries = new Map<string, Entry>();
  /** What `release` was told last: good enough for minutes. */
  #now = 0;

  /** An author's records were not taken in from some point on. */
  note(held: HeldBack): void {
    const retryAt = this.#now + retryMs;
    this.#entries.set(entryKey(held.stream, held.peer), { held, retryAt, released: false });
  }

  /** All that there is of an author up to `position` was taken in. */
  clear(stream: RecordStream, author: PeerId, position: Position): void {
    const key = entryKey(stream, author);
    const entry = this.#entries.get(key);
    if (entry && comparePositions(position, entry.held.at) >= 0) this.#entries.delete(key);
  }

  /** Whether asking one who holds this author's records up to `position` would be in vain for now. */
  waits(stream: RecordStream, author: PeerId, position: Position): boolean {
    const entry = this.#entries.get(entryKey(stream, author));
    return entry?.released === false && comparePositions(position, entry.held.at) >= 0;
  }

  /** Why records of this author up to `position` would not be taken in for now. */
  why(stream: RecordStream, author: PeerId, position: Position): HeldBack['why'] | undefined {
    return this.waits(stream, author, position)
      ? this.#entries.get(entryKey(stream, author))!.held.why
      : undefined;
  }

  /**
   * Lets those be asked for again whose time has come; says whether there are any. `now`: milliseconds on a clock that is
   * never set.
   */
  release(now: number, fabricTimeMs: number): boolean {
    this.#now = now;
    let found = false;
    for (const entry of this.#entries.values()) {
      const { untilMs } = entry.held;
      const isDue = entry.retryAt <= now || (untilMs !== null && untilMs <= fabricTimeMs);
      if (entry.released || !isDue) continue;
      entry.released = true;
      found = true;
    }
    return found;
  }

  list(why: HeldBack['why']): HeldBack[] {
    return [...this.#entries.values()].map(({ held }) => held).filter((held) => held.why === why);
  }

  /** Keeps only what `isMeant` says still matters. */
  prune(isMeant: (held: HeldBack) => boolean): void {
    for (const [key, { held }] of this.#entries) if (!isMeant(held)) this.#entries.delete(key);
  }
}
