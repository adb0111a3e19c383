/**
 * What one property or event has emitted lately, and its readers: each gets the values in order, each once.
 * Relies on values that were checked and copied before; every reader has a place in one bounded log, so that a reader
 * that comes back is told what it missed.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { StreamHandle, StreamPosition, StreamSink } from './operations.ts';

/** Newest values kept for readers that come back: at most so many, and so many characters of JSON (or one value). */
const maxKept = 64;
const maxKeptSize = 256 * 1024;

interface Reader {
  readonly sink: StreamSink;
  /** The last value that it got, or that it was told it will never get. */
  seq: number;
  /** It comes from another run: how much it missed cannot be known. */
  foreign: boolean;
  reading: boolean;
  readonly onClosed: () => void;
}

/** The log of one affordance during one run of its publisher. */
export class EmissionLog {
  readonly #run: string;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #kept: { value: unknown; size: number }[] = [];
  #keptSize = 0;
  #seq = 0;
  readonly #readers = new Set<Reader>();

  /** @param run new for every start of the publisher; @param name the affordance, for the log */
  constructor(run: string, name: string, logger: Logger) {
    this.#run = run;
    this.#name = name;
    this.#logger = logger;
  }

  /** How many values there were in this run. */
  get count(): number {
    return this.#seq;
  }

  /** Adds a value and hands it to every reader. `size`: roughly its characters as JSON. */
  append(value: unknown, size: number): void {
    this.#seq++;
    this.#kept.push({ value, size });
    this.#keptSize += size;
    while (this.#kept.length > 1 && (this.#kept.length > maxKept || this.#keptSize > maxKeptSize))
      this.#keptSize -= this.#kept.shift()!.size;
    for (const reader of this.#readers) this.#feed(reader);
  }

  /**
   * Adds a reader, and hands it at once (before this returns) what came after `after`. Where some of that is gone or
   * `after` is of another run, it is first told so (`values-missed`) and then gets what there is. The handle's
   * position is the one just before the first value that the reader gets.
   * @param onClosed called once when the reader goes, for whatever reason
   */
  open(
    sink: StreamSink,
    after: StreamPosition | undefined,
    onClosed: () => void,
  ): StreamHandle & { readonly position: StreamPosition } {
    // A count that this run never reached cannot be its own.
    const foreign =
      after !== undefined &&
      !(
        after.run === this.#run &&
        Number.isSafeInteger(after.seq) &&
        after.seq >= 0 &&
        after.seq <= this.#seq
      );
    const seq = after === undefined ? this.#seq : foreign ? 0 : after.seq;
    const reader: Reader = { sink, seq, foreign, reading: false, onClosed };
    const position = { run: this.#run, seq: Math.max(seq, this.#seq - this.#kept.length) };
    this.#readers.add(reader);
    this.#feed(reader);
    return { position, stop: () => this.#remove(reader) };
  }

  /** Ends every stream with an error. */
  close(error: AlthingError): void {
    for (const reader of [...this.#readers]) {
      if (!this.#remove(reader)) continue;
      this.#guard(reader, () => reader.sink.error(error));
    }
  }

  /** Hands a reader all that it has not had. A sink that emits while it is called does not disturb the order. */
  #feed(reader: Reader): void {
    if (reader.reading) return;
    reader.reading = true;
    this.#guard(reader, () => {
      while (this.#readers.has(reader) && (reader.foreign || reader.seq < this.#seq)) this.#step(reader);
    });
    reader.reading = false;
  }

  #step(reader: Reader): void {
    const before = this.#seq - this.#kept.length;
    const missed = reader.foreign ? null : before - reader.seq;
    if (missed === null || missed > 0) {
      reader.foreign = false;
      reader.seq = Math.max(reader.seq, before);
      reader.sink.error(missedError(this.#name, missed), { run: this.#run, seq: reader.seq });
      return;
    }
    const { value } = this.#kept[reader.seq - before]!;
    reader.seq++;
    reader.sink.next(value, { run: this.#run, seq: reader.seq });
  }

  #guard(reader: Reader, call: () => void): void {
    try {
      call();
    } catch (thrown) {
      // A reader that fails must not keep the others from their values, nor the emitter from going on.
      this.#logger.warn(
        { affordance: this.#name, err: toAlthingError(thrown) },
        'A reader of a stream failed and was removed.',
      );
      this.#remove(reader);
    }
  }

  #remove(reader: Reader): boolean {
    if (!this.#readers.delete(reader)) return false;
    reader.onClosed();
    return true;
  }
}

const missedError = (name: string, missed: number | null): AlthingError =>
  new AlthingError(
    'values-missed',
    missed === null
      ? `Values of "${name}" may have been missed: its device has started anew since.`
      : `${missed} ${missed === 1 ? 'value' : 'values'} of "${name}" came and went meanwhile.`,
    { details: { missed } },
  );
