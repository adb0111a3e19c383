/**
 * Requests, answers, cancels and notices over one byte stream, alike for the host and the child.
 * Relies on frames; credit bounds what is open either way, and what breaks the rules breaks the link.
 */
import type { Duplex } from 'node:stream';
import { AlthingError, isErrorCode, toAlthingError } from '../../core/errors.ts';
import { carried, carry } from './carried-value.ts';
import { encodeFrame, FrameReader } from './script-frames.ts';
import { channelLimits, type Message } from './script-messages.ts';

type Named = { op: string; params: object };
type Told = { topic: string; params: object };

/** The two ends' different choices. `In` and `Out` are requests and notices that come and go. */
export interface LinkOptions<InRequest extends Named, InNotice extends Told> {
  readonly maxInBytes: number;
  readonly maxOutBytes: number;
  /** Requests that may wait for credit; 0 refuses with `too-many` at once. */
  readonly maxWaiting: number;
  /** Checks a message of the other side; throws `protocol-error`. */
  check(raw: unknown): Message<InRequest, InNotice>;
  /** Answers a request; called in the order of arrival, before anything that arrived later. */
  onRequest(request: InRequest, signal: AbortSignal): Promise<unknown>;
  onNotice(notice: InNotice): void;
  /** What requests fail with when the other side is gone. */
  readonly lost: AlthingError;
  /** Told once why the link is no more, for reasons other than `close`; undefined where the stream just ended. */
  onBroken(error: AlthingError | undefined): void;
  /** Called when more requests wait than `maxWaiting`. */
  onOverflow?(): void;
  /** Milliseconds to stop reading for before the next message that the other side began; 0 goes on. */
  delayMs?(): number;
}

interface Open {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: AlthingError) => void;
  readonly forget: () => void;
}

/** One end of the channel. */
export class ScriptLink<
  InRequest extends Named,
  InNotice extends Told,
  OutRequest extends Named,
  OutNotice extends Told,
> {
  readonly #stream: Duplex;
  readonly #options: LinkOptions<InRequest, InNotice>;
  readonly #reader: FrameReader;
  readonly #open = new Map<number, Open>();
  readonly #serving = new Map<number, AbortController>();
  #waiting: { send: () => void; reject: (error: AlthingError) => void }[] = [];
  #nextId = 1;
  #closed: AlthingError | undefined;
  #pause: NodeJS.Timeout | undefined;

  constructor(stream: Duplex, options: LinkOptions<InRequest, InNotice>) {
    this.#stream = stream;
    this.#options = options;
    this.#reader = new FrameReader(options.maxInBytes);
    stream.on('data', (chunk: Uint8Array) => {
      this.#reader.push(chunk);
      this.#drain();
    });
    // An error is always followed by the close; a broken pipe says no more than that.
    stream.on('error', () => {});
    stream.on('close', () => this.#break());
  }

  /** Whether it can still carry anything. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Asks the other side. Throws what it answers, `cancelled`, `too-many`, and the link's end. */
  request(request: OutRequest, signal?: AbortSignal): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.#open.size < channelLimits.openRequests && this.#waiting.length === 0)
      return this.#ask(request, signal);
    if (this.#waiting.length >= this.#options.maxWaiting) {
      this.#options.onOverflow?.();
      return Promise.reject(
        new AlthingError(
          'too-many',
          `${channelLimits.openRequests} requests are open: wait for answers first.`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const entry = {
        send: () => {
          signal?.removeEventListener('abort', abort);
          this.#ask(request, signal).then(resolve, reject);
        },
        reject,
      };
      const abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(cancelled());
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(entry);
    });
  }

  /** Tells the other side. Throws `value-too-large`, `value-invalid`, `too-many`; a closed link takes it in silence. */
  notify(notice: OutNotice): void {
    if (this.#closed) return;
    this.#needRoom();
    this.#send({ kind: 'notice', ...notice });
  }

  /** Ends the link: what is open fails with `lost`. */
  close(): void {
    if (this.#closed) return;
    const error = this.#options.lost;
    this.#closed = error;
    clearTimeout(this.#pause);
    for (const { reject, forget } of this.#open.values()) {
      forget();
      reject(error);
    }
    for (const { reject } of this.#waiting) reject(error);
    for (const controller of this.#serving.values()) controller.abort(error);
    this.#open.clear();
    this.#serving.clear();
    this.#waiting = [];
    this.#stream.destroy();
  }

  #break(error?: AlthingError): void {
    if (this.#closed) return;
    this.close();
    this.#options.onBroken(error);
  }

  #ask(request: OutRequest, signal: AbortSignal | undefined): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // The entry stays until the other side answers, so that credit counts what it really has open.
      const abort = () => {
        reject(cancelled());
        if (!this.#closed) this.#send({ kind: 'cancel', id });
      };
      const forget = () => signal?.removeEventListener('abort', abort);
      try {
        this.#needRoom();
        this.#send({ kind: 'request', id, ...request });
      } catch (error) {
        reject(error);
        return;
      }
      this.#open.set(id, { resolve, reject, forget });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #needRoom(): void {
    if (this.#stream.writableLength > channelLimits.waitingBytes)
      throw new AlthingError('too-many', 'The other side does not read what it was sent: wait a little.');
  }

  #send(message: object): void {
    this.#stream.write(encodeFrame(message, this.#options.maxOutBytes));
  }

  #drain(): void {
    if (this.#pause) return;
    try {
      while (!this.#closed) {
        const raw = this.#reader.next();
        if (raw === undefined) return;
        const message = this.#options.check(raw);
        this.#take(message);
        const answers = message.kind === 'result' || message.kind === 'failure';
        const delayMs = answers ? 0 : (this.#options.delayMs?.() ?? 0);
        if (delayMs > 0) {
          this.#rest(delayMs);
          return;
        }
      }
    } catch (error) {
      this.#break(toAlthingError(error, 'protocol-error'));
    }
  }

  #rest(delayMs: number): void {
    this.#stream.pause();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#drain();
      if (!this.#pause) this.#stream.resume();
    }, delayMs);
  }

  #take(message: Message<InRequest, InNotice>): void {
    if (message.kind === 'request') this.#serve(message);
    else if (message.kind === 'notice') this.#options.onNotice(message);
    else if (message.kind === 'cancel') this.#cancel(message.id);
    else {
      const open = this.#open.get(message.id);
      if (!open) throw new AlthingError('protocol-error', 'An answer to nothing that was asked.');
      this.#open.delete(message.id);
      open.forget();
      if (message.kind === 'result') open.resolve(carried(message));
      else {
        const { code, message: text, details } = message;
        open.reject(new AlthingError(code, text, details ? { details } : {}));
      }
      if (this.#open.size < channelLimits.openRequests) this.#waiting.shift()?.send();
    }
  }

  #serve(request: { id: number } & InRequest): void {
    const { id } = request;
    if (this.#serving.size >= channelLimits.openRequests)
      throw new AlthingError('rate-limited', 'More requests are open than the credit allows.');
    if (this.#serving.has(id)) throw new AlthingError('protocol-error', 'A request id was used twice.');
    const controller = new AbortController();
    this.#serving.set(id, controller);
    this.#options.onRequest(request, controller.signal).then(
      (value) => this.#answer(id, controller, value),
      (error: unknown) => this.#fail(id, controller, error),
    );
  }

  #cancel(id: number): void {
    const controller = this.#serving.get(id);
    // Answered already: the cancel and the answer crossed.
    if (!controller) return;
    controller.abort(cancelled());
    this.#fail(id, controller, cancelled());
  }

  #answer(id: number, controller: AbortController, value: unknown): void {
    if (this.#serving.get(id) !== controller) return;
    try {
      this.#send({ kind: 'result', id, ...carry(value) });
      this.#serving.delete(id);
    } catch (error) {
      this.#fail(id, controller, error);
    }
  }

  #fail(id: number, controller: AbortController, thrown: unknown): void {
    if (this.#serving.get(id) !== controller) return;
    this.#serving.delete(id);
    const { code, message, details } = asFailure(thrown);
    try {
      this.#send({ kind: 'failure', id, code, message, ...(details && { details }) });
    } catch {
      // The details cannot be carried: the code and the message still tell what failed.
      this.#stream.write(encodeFrame({ kind: 'failure', id, code, message }, this.#options.maxOutBytes));
    }
  }
}

const cancelled = (): AlthingError => new AlthingError('cancelled', 'The caller gave up.');

/** What was thrown, with a message that is short enough to send; a known `code` on any error is kept. */
const asFailure = (thrown: unknown): AlthingError => {
  const code = (thrown as { code?: unknown } | null)?.code;
  const error = toAlthingError(thrown, isErrorCode(code) ? code : 'handler-failed');
  const message = error.message.slice(0, 1000);
  return new AlthingError(error.code, message, error.details ? { details: { ...error.details } } : {});
};
