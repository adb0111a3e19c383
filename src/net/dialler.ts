/**
 * One attempt to reach a peer: all its addresses in parallel, staggered; the first that is really it is greeted.
 * Relies on a way to dial and a way to greet; keeps nothing between attempts.
 */
import { AlthingError, type ErrorCode, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Channel, Endpoint } from './channel.ts';
import { FrameChannel } from './frame-channel.ts';

/** Makes a channel to an address; what answers may be anybody. */
export type Dial = (
  endpoint: Endpoint,
  options: { timeoutMs: number; signal: AbortSignal },
) => Promise<Channel>;

/** The next address is tried this much later, unless the ones before have failed. */
const staggerMs = 100;
const dialTimeoutMs = 3000;
/** More addresses of one peer than this are not tried in one round. */
const maxEndpoints = 12;
/** A round that began within this is not begun anew: good news comes in several copies. */
const freshRoundMs = 300;
/** Dials under way at once. */
const maxDials = 24;
/** Failures that say less than any other. */
const vague: ReadonlySet<ErrorCode> = new Set(['peer-offline', 'wrong-peer']);

export interface AttemptOptions {
  /** The addresses as they are known now, the likeliest first. */
  readonly endpoints: () => readonly Endpoint[];
  readonly dial: Dial;
  /** Says who we are, and is refused or accepted. */
  readonly greet: (frames: FrameChannel) => Promise<void>;
  /** Decides by the key that a channel proved whether this is whom we meant: only then is anything said. */
  readonly meant: (peer: PeerId) => boolean;
}

/**
 * Dials and greets. Only one channel is ever greeted: the other side takes a channel into use with our first word, so
 * to greet two and keep one would end a session there.
 */
export class Attempt {
  /** Rejects with the most telling failure, `peer-offline` if all were silent, `cancelled` when given up. */
  readonly result: Promise<FrameChannel>;
  readonly #options: AttemptOptions;
  readonly #dialling = new AbortController();
  readonly #found = Promise.withResolvers<Channel>();
  #queue: Endpoint[] = [];
  #running = 0;
  #roundBegan = Number.NEGATIVE_INFINITY;
  #nextDial: NodeJS.Timeout | undefined;
  #nextRound: NodeJS.Timeout | undefined;
  #failure: AlthingError | undefined;
  #greeting: FrameChannel | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.result = this.#found.promise.then((channel) => this.#greet(channel));
    this.again();
  }

  /** Good news: dials all addresses that are known now, beside those that are being dialled already. */
  again(): void {
    if (this.#dialling.signal.aborted) return;
    clearTimeout(this.#nextRound);
    this.#nextRound = undefined;
    const wait = this.#roundBegan + freshRoundMs - performance.now();
    if (wait > 0) {
      this.#nextRound = setTimeout(() => this.again(), wait);
      return;
    }
    this.#roundBegan = performance.now();
    this.#queue = this.#options.endpoints().slice(0, maxEndpoints);
    this.#dialNext();
  }

  /** Gives up, unless the greeting has begun: that comes to its own end. */
  cancel(): void {
    this.#end(new AlthingError('cancelled', 'Dialling was given up.'));
  }

  /** Gives up whatever has begun. */
  close(): void {
    this.cancel();
    this.#greeting?.close(undefined, { abrupt: true });
  }

  #dialNext(): void {
    clearTimeout(this.#nextDial);
    // Where there are too many, the end of one leads back here.
    if (this.#running >= maxDials) return;
    const endpoint = this.#queue.shift();
    if (endpoint) {
      void this.#dial(endpoint);
      if (this.#queue.length > 0) this.#nextDial = setTimeout(() => this.#dialNext(), staggerMs);
    } else if (this.#running === 0 && !this.#nextRound)
      this.#end(this.#failure ?? new AlthingError('peer-offline', 'No address of the peer is known.'));
  }

  async #dial(endpoint: Endpoint): Promise<void> {
    const { dial, meant } = this.#options;
    const { signal } = this.#dialling;
    this.#running += 1;
    try {
      const channel = await dial(endpoint, { timeoutMs: dialTimeoutMs, signal });
      if (signal.aborted || !meant(channel.remote)) {
        channel.close({ abrupt: true });
        throw new AlthingError(
          'wrong-peer',
          `${channel.remoteAddress} is ${channel.remote}: another was meant.`,
        );
      }
      this.#found.resolve(channel);
      this.#end();
    } catch (error) {
      const said = toAlthingError(error, 'peer-offline');
      if (!this.#failure || vague.has(this.#failure.code)) this.#failure = said;
    } finally {
      this.#running -= 1;
    }
    if (!signal.aborted) this.#dialNext();
  }

  #end(error?: AlthingError): void {
    clearTimeout(this.#nextDial);
    clearTimeout(this.#nextRound);
    this.#dialling.abort();
    if (error) this.#found.reject(error);
  }

  async #greet(channel: Channel): Promise<FrameChannel> {
    const frames = new FrameChannel(channel);
    this.#greeting = frames;
    try {
      await this.#options.greet(frames);
      return frames;
    } catch (error) {
      frames.close(undefined, { abrupt: true });
      throw error;
    }
  }
}
