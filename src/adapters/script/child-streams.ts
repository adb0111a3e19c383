/**
 * The open observations and subscriptions of a script's process.
 * Relies on the link; a value's credit goes back only when its listener is through with it.
 */
import { AlthingError } from '../../core/errors.ts';
import type { ErrorListener, Subscription } from '../../thing/scripting-api.ts';
import { carried } from './carried-value.ts';
import type { ChildLink } from './child-link.ts';
import type { ChildRequest, HostNotice } from './script-messages.ts';

type OpenParams = Omit<Extract<ChildRequest, { op: 'open' }>['params'], 'stream'>;

interface Stream {
  readonly listener: (value: unknown) => unknown;
  readonly onError: ErrorListener;
  active: boolean;
  /** Ends with the last value's listener: values are handled one after the other. */
  tail: Promise<unknown>;
}

/** Opens streams and deals out what arrives for them. */
export class ChildStreams {
  readonly #link: ChildLink;
  readonly #streams = new Map<number, Stream>();
  #next = 1;

  constructor(link: ChildLink) {
    this.#link = link;
  }

  /** Resolves once the device has accepted. Aborting `signal` afterwards stops the stream. */
  async open(
    params: OpenParams,
    listener: (value: unknown) => unknown,
    onError: ErrorListener,
    signal?: AbortSignal,
  ): Promise<Subscription> {
    const stream = this.#next++;
    const entry: Stream = { listener, onError, active: true, tail: Promise.resolve() };
    this.#streams.set(stream, entry);
    try {
      await this.#link.request({ op: 'open', params: { ...params, stream } }, signal);
    } catch (error) {
      this.#end(stream, entry);
      throw error;
    }
    const stop = async (): Promise<void> => {
      if (!entry.active) return;
      this.#end(stream, entry);
      await this.#link.request({ op: 'close', params: { stream } });
    };
    signal?.addEventListener('abort', () => stop().catch(reportStop), { once: true });
    return {
      get active() {
        return entry.active;
      },
      stop,
    };
  }

  /** Takes a notice of the host about a stream. */
  take(notice: Exclude<HostNotice, { topic: 'ping' }>): void {
    const entry = this.#streams.get(notice.params.stream);
    // Stopped already: the stop and the notice crossed.
    if (!entry) return;
    if (notice.topic === 'value') this.#deal(notice.params.stream, entry, carried(notice.params));
    else {
      const { stream, code, message, details } = notice.params;
      if (code !== 'values-missed') this.#end(stream, entry);
      entry.onError(new AlthingError(code, message, details ? { details } : {}));
    }
  }

  #deal(stream: number, entry: Stream, value: unknown): void {
    entry.tail = entry.tail
      .then(() => (entry.active ? entry.listener(value) : undefined))
      .catch((error: unknown) => console.error('A subscription listener failed:', error))
      .finally(() => this.#link.notify({ topic: 'credit', params: { stream, count: 1 } }));
  }

  #end(stream: number, entry: Stream): void {
    entry.active = false;
    this.#streams.delete(stream);
  }
}

const reportStop = (error: AlthingError): void =>
  console.error(`A subscription could not be stopped: ${error.code}: ${error.message}`);
