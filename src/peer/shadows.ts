/**
 * When shadows are written: what is known of each Thing, which Things wait, and the pace at which they get their turn.
 * Relies on its owner for clock, timer, records and writing; asks no device for anything.
 */
import { isSameValue, type KnownValue, knownValue } from './shadow-values.ts';

/** A Thing gets at most one record in this time, the last one aside that a stop writes. */
const intervalMs = 10_000;
const tickMs = 1000;
/** Things written in one commit: those that have waited longest. */
const batchSize = 10;
/** At a stop nothing else waits for the disk. */
const flushBatchSize = 100;

/** What is known already of a Thing when its first value comes. */
export interface ShadowSeed {
  readonly known: ReadonlyMap<string, KnownValue>;
  /** When that was written, milliseconds since 1970. */
  readonly writtenMs: number;
}

export interface ShadowsOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Calls back once, unless the returned function was called before. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly seed: (thing: string) => ShadowSeed | undefined;
  /** Whether this peer may write records now; `wake` is called when that may have changed. */
  readonly mayWrite: () => boolean;
  /** Writes the shadows of these Things as they are when its turn comes, as one commit. */
  readonly write: (things: readonly string[]) => Promise<void>;
  /** Told why a write failed; it is tried again. */
  readonly failed: (error: unknown) => void;
}

interface Shadow {
  readonly values: Map<string, KnownValue>;
  writtenMs: number;
}

/** The shadows of the Things that are exposed here; whoever stops exposing one says so with `forget`. */
export class Shadows {
  readonly #options: ShadowsOptions;
  readonly #shadows = new Map<string, Shadow>();
  /** Things that have something to say, and from when on they may; the one that has waited longest comes first. */
  readonly #waiting = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<boolean> = Promise.resolve(true);
  #closed = false;

  constructor(options: ShadowsOptions) {
    this.#options = options;
  }

  /** A device gave this value. Where it is the one that is known already nothing happens. */
  learn(thing: string, name: string, value: unknown): void {
    if (this.#closed) return;
    const shadow = this.#shadowOf(thing);
    const known = shadow.values.get(name);
    // Most of what is read has not changed.
    if (known && !known.isOmitted && known.value === value) return;
    const learned = knownValue(value, this.#options.now());
    if (known && isSameValue(known, learned)) return;
    shadow.values.set(name, learned);
    if (!this.#waiting.has(thing))
      this.#await(thing, Math.max(this.#options.now(), shadow.writtenMs + intervalMs));
  }

  /** What is known of a Thing. */
  known(thing: string): ReadonlyMap<string, KnownValue> {
    return this.#shadows.get(thing)?.values ?? new Map();
  }

  /** The record of a Thing has to come or to go: it is written as soon as its turn comes, however new it is. */
  mark(thing: string): void {
    this.#await(thing, this.#options.now());
  }

  /** A Thing is no longer exposed. */
  forget(thing: string): void {
    this.#shadows.delete(thing);
    this.#waiting.delete(thing);
  }

  /** A Thing goes on under another id. */
  move(from: string, to: string): void {
    const values = this.known(from);
    this.forget(from);
    if (values.size === 0) return;
    for (const [name, value] of values) this.#shadowOf(to).values.set(name, value);
    this.mark(to);
  }

  /** This peer may write again, or write to another fabric. */
  wake(): void {
    if (this.#waiting.size > 0) this.#arm(tickMs);
  }

  /** Writes all that waits, whenever it was written last, and takes in nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    let isWritten = await this.#writing;
    while (isWritten && this.#waiting.size > 0 && this.#options.mayWrite())
      isWritten = await this.#write([...this.#waiting.keys()].slice(0, flushBatchSize));
  }

  #shadowOf(thing: string): Shadow {
    let shadow = this.#shadows.get(thing);
    if (!shadow) {
      const seed = this.#options.seed(thing);
      shadow = { values: new Map(seed?.known), writtenMs: seed?.writtenMs ?? 0 };
      this.#shadows.set(thing, shadow);
    }
    return shadow;
  }

  #await(thing: string, dueMs: number): void {
    if (this.#closed) return;
    this.#waiting.set(thing, dueMs);
    this.#arm(tickMs);
  }

  #arm(delayMs: number): void {
    if (this.#closed || this.#cancelTimer) return;
    this.#cancelTimer = this.#options.schedule(delayMs, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    const due = this.#options.mayWrite() ? this.#due() : undefined;
    const isWritten = due === undefined || due.length === 0 || (await this.#write(due));
    this.#cancelTimer = undefined;
    if (due !== undefined && this.#waiting.size > 0) this.#arm(isWritten ? tickMs : intervalMs);
  }

  /** Those whose turn it is. */
  #due(): string[] {
    const now = this.#options.now();
    const due: string[] = [];
    for (const [thing, dueMs] of this.#waiting) {
      // Where the clock was set back, what was due long after is due now.
      if (dueMs > now && dueMs <= now + intervalMs) continue;
      due.push(thing);
      if (due.length === batchSize) break;
    }
    return due;
  }

  #write(things: readonly string[]): Promise<boolean> {
    const now = this.#options.now();
    for (const thing of things) {
      this.#waiting.delete(thing);
      const shadow = this.#shadows.get(thing);
      if (shadow) shadow.writtenMs = now;
    }
    this.#writing = this.#options.write(things).then(
      () => true,
      (error: unknown) => {
        for (const thing of things) if (!this.#waiting.has(thing)) this.#waiting.set(thing, now + intervalMs);
        this.#options.failed(error);
        return false;
      },
    );
    return this.#writing;
  }
}
