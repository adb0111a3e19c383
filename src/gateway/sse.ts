/**
 * Server-Sent Events (HTML, section 9.2) with a bound on what one slow reader can make us hold.
 * Relies on web streams pulling only when the reader has room; timers are owned by each stream and end with it.
 */
import { AlthingError } from '../core/errors.ts';
import { problemOf } from './problem.ts';

/** One message. `data` is sent as JSON on one line; `event` is its type where it has one. */
export interface SseMessage {
  readonly event?: string;
  readonly id?: string;
  readonly data: unknown;
}

/** The type of messages that carry a problem instead of a value; `values-missed` goes on, any other ends the stream. */
export const problemEvent = 'althing:problem';

/** Bounds of all streams of a gateway. */
export interface SseLimits {
  /** Open streams in total. */
  readonly maxStreams: number;
  /** Bytes queued for one reader before values are dropped. */
  readonly maxQueuedBytes: number;
  /** How often a comment is sent while nothing else is. */
  readonly keepAliveMs: number;
}

export const defaultSseLimits: SseLimits = {
  maxStreams: 256,
  maxQueuedBytes: 256 * 1024,
  keepAliveMs: 15_000,
};

/** Ends a long-lived answer, and tells its reader why where there is something to tell. */
type EndStream = (reason?: AlthingError) => void;

/** All long-lived answers of a gateway: counts them, and ends them together. */
export class EventStreams {
  readonly #limits: SseLimits;
  /** What ends each, and the Authorization header that it was opened with, where one was needed. */
  readonly #open = new Map<EndStream, string | undefined>();

  constructor(limits: SseLimits = defaultSseLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes one of the places. Throws `too-many` when all are taken.
   * @param end called when the gateway closes, or with a reason when its reader may read no more
   * @param authorization the header by which its reader was let in
   * @returns gives the place back; idempotent
   */
  take(end: EndStream, authorization?: string): () => void {
    if (this.#open.size >= this.#limits.maxStreams)
      throw new AlthingError(
        'too-many',
        `The gateway holds ${this.#limits.maxStreams} open streams already: close one first.`,
      );
    const entry: EndStream = (reason) => end(reason);
    this.#open.set(entry, authorization);
    return () => this.#open.delete(entry);
  }

  /** Opens a stream. `onClose` is called once, whoever ends it. Throws `too-many`. */
  open(onClose: () => void, authorization?: string): EventStream {
    const release = this.take((reason) => (reason ? stream.problem(reason) : stream.end()), authorization);
    const stream = new EventStream(this.#limits, () => {
      release();
      onClose();
    });
    return stream;
  }

  /** Ends the streams whose readers would not be let in any more. */
  endUnless(isGood: (authorization: string) => boolean): void {
    const reason = new AlthingError('unauthorized', 'The token by which this was read has been revoked.');
    for (const [end, authorization] of [...this.#open])
      if (authorization !== undefined && !isGood(authorization)) end(reason);
  }

  /** Ends every stream. */
  closeAll(): void {
    for (const end of [...this.#open.keys()]) end();
  }
}

const encoder = new TextEncoder();

/** One message in the event stream format. */
export const formatMessage = (message: SseMessage): Uint8Array => {
  const lines: string[] = [];
  if (message.event !== undefined) lines.push(`event: ${oneLine(message.event)}`);
  if (message.id !== undefined) lines.push(`id: ${oneLine(message.id)}`);
  lines.push(`data: ${jsonOf(message.data)}`);
  return encoder.encode(`${lines.join('\n')}\n\n`);
};

const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, ' ');

/** A value as JSON on one line: bytes as base64 (the way of `contentEncoding: base64`), undefined as null. */
export const jsonOf = (value: unknown): string =>
  JSON.stringify(value ?? null, (_key, member: unknown) =>
    member instanceof Uint8Array
      ? Buffer.from(member.buffer, member.byteOffset, member.length).toString('base64')
      : member,
  );

/** One reader's stream. */
export class EventStream {
  readonly #limits: SseLimits;
  readonly #onClose: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #body: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #missed = 0;
  /** The reader waits for bytes. */
  #wanted = false;
  #ending = false;
  #closed = false;

  constructor(limits: SseLimits, onClose: () => void) {
    this.#limits = limits;
    this.#onClose = onClose;
    this.#body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#flush();
        },
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
    this.#timer = setInterval(() => this.#keepAlive(), limits.keepAliveMs);
    this.#timer.unref();
  }

  /**
   * Queues a message. A reader that is too far behind misses it, and is told how many it missed (a `values-missed`
   * problem) as soon as it has taken what was queued before.
   */
  send(message: SseMessage): void {
    if (this.#closed || this.#ending) return;
    if (this.#missed > 0) {
      this.#missed += 1;
      return;
    }
    const bytes = formatMessage(message);
    // A single message larger than the bound still gets through when nothing is before it.
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes.length > this.#limits.maxQueuedBytes) {
      this.#missed = 1;
      return;
    }
    this.#push(bytes);
    this.#flush();
  }

  /** Tells of a problem; unless it is `values-missed`, the stream ends with it. */
  problem(error: AlthingError): void {
    if (this.#closed || this.#ending) return;
    if (error.code === 'values-missed') {
      const { missed } = error.details ?? {};
      if (this.#missed > 0) this.#missed += typeof missed === 'number' ? missed : 1;
      else this.send({ event: problemEvent, data: problemOf(error) });
      return;
    }
    // What ends the stream is never dropped: it is small, and there is one.
    if (this.#missed > 0) this.#tellMissed();
    this.#push(formatMessage({ event: problemEvent, data: problemOf(error) }));
    this.end();
  }

  /** Ends the stream after what is queued. */
  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.#flush();
    if (this.#queue.length === 0 && this.#missed === 0) this.#finish();
  }

  /** The answer that carries the stream. */
  response(): Response {
    return new Response(this.#body, {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    });
  }

  /** Ends it without an answer, where opening failed. */
  discard(): void {
    this.#close();
  }

  #push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  #flush(): void {
    if (this.#closed || !this.#wanted) return;
    if (this.#queue.length === 0 && this.#missed > 0) this.#tellMissed();
    if (this.#queue.length > 0) {
      const bytes = this.#queue.length === 1 ? this.#queue[0]! : Buffer.concat(this.#queue);
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#wanted = false;
      this.#controller?.enqueue(bytes);
    }
    if (this.#ending && this.#missed === 0) this.#finish();
  }

  #tellMissed(): void {
    const missed = this.#missed;
    this.#missed = 0;
    const error = new AlthingError(
      'values-missed',
      `${missed} values were dropped: they were not read in time.`,
      {
        details: { missed },
      },
    );
    this.#push(formatMessage({ event: problemEvent, data: problemOf(error) }));
  }

  #keepAlive(): void {
    if (this.#queue.length > 0 || !this.#wanted) return;
    this.#push(encoder.encode(':\n\n'));
    this.#flush();
  }

  #finish(): void {
    if (this.#closed) return;
    this.#controller?.close();
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#queue = [];
    this.#onClose();
  }
}
