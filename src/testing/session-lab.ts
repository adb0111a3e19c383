/**
 * Sessions over channels in memory: two real ends, or one real end and a raw one that says whatever a test wants.
 * Relies on the real Session and frames; the membership handshake is left out, its own tests have it.
 */
import { peerIdOf } from '../core/ids.ts';
import type { AnswerBudget } from '../net/answer-budget.ts';
import type { Channel } from '../net/channel.ts';
import { FrameChannel } from '../net/frame-channel.ts';
import { encodeFrame, type Frame } from '../net/frames.ts';
import { Session } from '../net/session.ts';
import type { SyncMessage } from '../replica/sync-messages.ts';
import type { ThingServer } from '../thing/operations.ts';
import { type MemoryChannel, type MemoryChannelOptions, memoryChannelPair } from './memory-channel.ts';
import { waitFor } from './wait-for.ts';

/** The asking peer's id, and the device's. */
export const asker = peerIdOf(new Uint8Array(32).fill(1));
export const device = peerIdOf(new Uint8Array(32).fill(2));

/** A device that answers nothing: to be overridden. */
export const noServer: ThingServer = {
  request: () => Promise.reject(new Error('this server takes no requests')),
  stream: () => Promise.reject(new Error('this server has no streams')),
};

/** A session on a channel of a member. */
export const sessionOver = (
  channel: Channel,
  server: ThingServer = noServer,
  sync: (session: Session, message: SyncMessage) => Promise<void> = async () => {},
  budget?: AnswerBudget,
): Session => {
  const frames = new FrameChannel(channel);
  frames.trust();
  const session = new Session(frames, { serverFor: () => server, sync }, { kind: 'member' }, budget);
  session.start();
  return session;
};

/** Two sessions over one channel: `mine` asks, `theirs` serves. */
export interface SessionPair {
  readonly mine: Session;
  readonly theirs: Session;
  readonly myChannel: MemoryChannel;
  readonly theirChannel: MemoryChannel;
}

/** @param server what `theirs` serves; @param mineServer what `mine` serves */
export const sessionPair = (
  server: ThingServer,
  options: MemoryChannelOptions & { mineServer?: ThingServer } = {},
): SessionPair => {
  const [myChannel, theirChannel] = memoryChannelPair(asker, device, options);
  const theirs = sessionOver(theirChannel, server);
  const mine = sessionOver(myChannel, options.mineServer);
  return { mine, theirs, myChannel, theirChannel };
};

/** The other end of a session in a test's hands. */
export class RawEnd {
  readonly channel: MemoryChannel;
  /** Every frame that came, pings left out. */
  readonly frames: Frame[] = [];
  readonly #frames: FrameChannel;

  constructor(channel: MemoryChannel) {
    this.channel = channel;
    this.#frames = new FrameChannel(channel);
    this.#frames.trust();
    this.#frames.handle((frame) => {
      if (frame[0] !== 30) this.frames.push(frame);
    });
  }

  get closed(): boolean {
    return this.#frames.closed;
  }

  send(...frames: Frame[]): void {
    for (const frame of frames) this.channel.send(encodeFrame(frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.channel.send(bytes);
  }

  /** The first frame that fits, once it is there. */
  frame(what: string, fits: (frame: Frame) => boolean): Promise<Frame> {
    return waitFor(() => this.frames.find(fits), {
      timeoutMs: 5000,
      what: () => `${what}; there was ${JSON.stringify(this.frames.slice(-20)).slice(0, 2000)}`,
    });
  }
}

/** A session of a device whose asker is raw. */
export const rawAsker = (
  server: ThingServer,
  options: MemoryChannelOptions & { budget?: AnswerBudget } = {},
): { raw: RawEnd; session: Session; channel: MemoryChannel } => {
  const [mine, theirs] = memoryChannelPair(asker, device, options);
  const session = sessionOver(theirs, server, undefined, options.budget);
  return { raw: new RawEnd(mine), session, channel: theirs };
};

/** A session of an asker whose device is raw. */
export const rawDevice = (options: MemoryChannelOptions = {}): { raw: RawEnd; session: Session } => {
  const [mine, theirs] = memoryChannelPair(asker, device, options);
  const session = sessionOver(mine);
  return { raw: new RawEnd(theirs), session };
};
