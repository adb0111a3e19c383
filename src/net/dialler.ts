/**
 * One attempt to reach a peer: all its addresses in parallel, staggered, the first that is really it wins.
 * Relies on a way to dial and on the handshake; keeps nothing between attempts.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Channel, Endpoint } from './channel.ts';
import { FrameChannel } from './frame-channel.ts';
import { type Gatekeeper, greet } from './handshake.ts';

/** Makes a channel to an address; what answers may be anybody. */
export type Dial = (
  endpoint: Endpoint,
  options: { timeoutMs: number; signal: AbortSignal },
) => Promise<Channel>;

/** The next address is tried this much later, unless the ones before have failed. */
const staggerMs = 100;
const dialTimeoutMs = 3000;
/** More addresses of one peer than this are not tried in one attempt. */
const maxEndpoints = 12;

/**
 * Dials and greets. `meant` decides, by the key that the channel proved, whether this is whom we meant: only then is
 * anything said. Rejects with the most telling failure, `peer-offline` if all were silent, `cancelled` when aborted.
 */
export const reach = async (
  endpoints: readonly Endpoint[],
  dial: Dial,
  gate: Gatekeeper,
  options: { meant: (peer: PeerId) => boolean; signal: AbortSignal },
): Promise<FrameChannel> => {
  const tries = endpoints.slice(0, maxEndpoints);
  const controller = new AbortController();
  const signal = AbortSignal.any([controller.signal, options.signal]);
  const attempt = async (endpoint: Endpoint): Promise<FrameChannel> => {
    const channel = await dial(endpoint, { timeoutMs: dialTimeoutMs, signal });
    const frames = new FrameChannel(channel);
    if (!options.meant(channel.remote)) {
      frames.close();
      throw new AlthingError(
        'wrong-peer',
        `${channel.remoteAddress} is ${channel.remote}: another was meant.`,
      );
    }
    const abort = (): void => frames.close(undefined, { abrupt: true });
    signal.addEventListener('abort', abort, { once: true });
    try {
      await greet(frames, gate);
    } catch (error) {
      frames.close(undefined, { abrupt: true });
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return frames;
  };
  try {
    return await firstOf(tries, attempt, signal);
  } finally {
    controller.abort();
  }
};

/** Runs `attempt` over the list, one more each `staggerMs` or as soon as one fails; the first success wins. */
const firstOf = <T, R extends FrameChannel>(
  list: readonly T[],
  attempt: (one: T) => Promise<R>,
  signal: AbortSignal,
): Promise<R> =>
  new Promise((resolve, reject) => {
    let next = 0;
    let running = 0;
    let done = false;
    let timer: NodeJS.Timeout | undefined;
    let worst: AlthingError | undefined;
    const finish = (): void => {
      done = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    };
    const aborted = (): void => {
      if (done) return;
      finish();
      reject(new AlthingError('cancelled', 'Dialling was given up.'));
    };
    const failed = (error: unknown): void => {
      running -= 1;
      const said = toAlthingError(error, 'peer-offline');
      if (!worst || worst.code === 'peer-offline' || worst.code === 'wrong-peer') worst = said;
      if (done) return;
      if (next < list.length) start();
      else if (running === 0) {
        finish();
        reject(worst);
      }
    };
    const start = (): void => {
      clearTimeout(timer);
      const one = list[next];
      if (one === undefined || done) return;
      next += 1;
      running += 1;
      attempt(one).then((result) => {
        // A second success came too late to be wanted.
        if (done) return result.close();
        finish();
        resolve(result);
      }, failed);
      timer = setTimeout(start, staggerMs);
    };
    if (signal.aborted) return aborted();
    if (list.length === 0) {
      reject(new AlthingError('peer-offline', 'No address of the peer is known.'));
      return;
    }
    signal.addEventListener('abort', aborted, { once: true });
    start();
  });
