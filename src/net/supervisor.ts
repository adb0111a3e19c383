/**
 * The one place that decides with whom to keep a session, dials, redials for ever, and settles doubles.
 * Relies on `dialler.ts` for an attempt and on its owner for addresses; keeps one timer a target at most.
 */
import { type AlthingError, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Channel, Endpoint } from './channel.ts';
import { Attempt, type Dial } from './dialler.ts';
import { FrameChannel } from './frame-channel.ts';
import { answerDoor, type Gatekeeper, type Visitor } from './handshake.ts';
import { Session, type SessionHost } from './session.ts';

export interface SupervisorOptions {
  readonly self: PeerId;
  readonly dial: Dial;
  readonly gate: Gatekeeper;
  readonly host: SessionHost;
  /** The addresses of a peer, the likeliest first. */
  readonly endpointsOf: (peer: PeerId) => readonly Endpoint[];
  readonly random: () => number;
  readonly logger: Logger;
  /** A session is ready for use; `first`: there was none with this peer. */
  readonly opened: (session: Session, first: boolean) => void;
  /** A session has ended; `last`: none with this peer is left. */
  readonly closed: (session: Session, last: boolean, reason: AlthingError | undefined) => void;
  /** An attempt failed: somebody may know a better address. */
  readonly fruitless: (peer: PeerId | undefined) => void;
}

/** Of two channels completed within this, the one dialled by the lower key stays. */
const doubleMs = 2000;
const firstDelayMs = 250;
const maxDelayMs = 30_000;
/** A peer lost within this is likely to come back any moment, and is redialled as often as this. */
const recentMs = 60_000;
const recentDelayMs = 400;
/** So many of these redials bear no fruit before the others are asked. */
const redialsBeforeAsking = 8;
/** Later, what one waits is this part of the time that the peer has been away. */
const patience = 0.1;
/** The higher key of a pair lets the lower one dial first. */
const courtesyMs = 120;

/** Sessions of one peer that were replaced and still end what they had begun, at most. */
const maxDraining = 4;

interface Target {
  /** Unknown for a bootstrap address until it has answered. */
  peer: PeerId | undefined;
  readonly endpoint?: Endpoint;
  failures: number;
  /** When the last session ended, or when it was first wanted. */
  lastSeen: number;
  timer?: NodeJS.Timeout | undefined;
  attempt?: Attempt | undefined;
}

/** Keeps sessions with all wanted peers. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #targets = new Map<PeerId, Target>();
  readonly #bootstrap: Target[] = [];
  readonly #current = new Map<PeerId, Session>();
  readonly #all = new Set<Session>();
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The session to use with a peer, if there is one. */
  session(peer: PeerId): Session | undefined {
    const session = this.#current.get(peer);
    return session?.usable ? session : undefined;
  }

  sessions(): Session[] {
    return [...this.#current.values()];
  }

  /** Exactly these peers are to be in session from now on. Sessions with others are closed. */
  want(peers: Iterable<PeerId>): void {
    const wanted = new Set(peers);
    wanted.delete(this.#options.self);
    for (const peer of wanted) {
      if (this.#targets.has(peer)) continue;
      const target: Target = { peer, failures: 0, lastSeen: performance.now() };
      this.#targets.set(peer, target);
      if (!this.#current.has(peer)) this.#later(target, this.#options.self < peer ? 0 : courtesyMs);
    }
    for (const [peer, target] of this.#targets) {
      if (wanted.has(peer)) continue;
      this.#targets.delete(peer);
      this.#stop(target);
      this.#current.get(peer)?.close();
    }
  }

  /** Addresses given by a person, whose peers are not known yet: each is tried until a member answers there. */
  bootstrap(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      const target: Target = { peer: undefined, endpoint, failures: 0, lastSeen: performance.now() };
      this.#bootstrap.push(target);
      this.#later(target, 0);
    }
  }

  /** Good news: dials the peer, or all that are away, at once. */
  kick(peer?: PeerId): void {
    const targets =
      peer === undefined ? [...this.#targets.values(), ...this.#bootstrap] : [this.#targets.get(peer)];
    for (const target of targets) {
      if (!target || this.#satisfied(target)) continue;
      target.failures = 0;
      if (target.attempt) target.attempt.again();
      else this.#later(target, 0);
    }
  }

  /** The machine's addresses are these now: sessions over others are dead, whatever their sockets think. */
  addressesAre(addresses: ReadonlySet<string>): void {
    for (const session of this.#all) {
      const { localAddress } = session;
      if (localAddress.startsWith('127.') || localAddress === '::1' || addresses.has(localAddress)) continue;
      session.close(undefined, { abrupt: true });
    }
  }

  /** A channel that somebody dialled. `accepted` is called once it has proven that it belongs here. */
  async accept(channel: Channel, accepted: () => void): Promise<void> {
    const frames = new FrameChannel(channel);
    try {
      const outcome = await answerDoor(frames, this.#options.gate);
      if (outcome.kind === 'joined') return;
      accepted();
      this.#adopt(frames, outcome);
    } catch (error) {
      const { code, message } = toAlthingError(error);
      this.#options.logger.info({ code, address: channel.remoteAddress, peer: channel.remote }, message);
    }
  }

  /** Ends all sessions and attempts. */
  close(): void {
    this.#closed = true;
    for (const target of [...this.#targets.values(), ...this.#bootstrap]) {
      target.attempt?.close();
      this.#stop(target);
    }
    for (const session of this.#all) session.close();
  }

  #satisfied(target: Target): boolean {
    return target.peer !== undefined && this.#current.has(target.peer);
  }

  #stop(target: Target): void {
    clearTimeout(target.timer);
    target.timer = undefined;
    target.attempt?.cancel();
    target.attempt = undefined;
  }

  #later(target: Target, delayMs: number): void {
    if (this.#closed) return;
    this.#stop(target);
    target.timer = setTimeout(() => void this.#dial(target), delayMs);
  }

  async #dial(target: Target): Promise<void> {
    if (this.#closed || this.#satisfied(target)) return;
    const { peer, endpoint } = target;
    const { dial, gate, endpointsOf } = this.#options;
    const attempt = new Attempt({
      endpoints: () => (endpoint ? [endpoint] : endpointsOf(peer!)),
      dial,
      gate,
      meant: (found) => (endpoint ? this.#targets.has(found) : found === peer),
    });
    target.attempt = attempt;
    this.#chase(target, attempt);
    try {
      const frames = await attempt.result;
      if (target.attempt === attempt) this.#stop(target);
      target.peer ??= frames.channel.remote;
      this.#adopt(frames, { kind: 'member' });
    } catch (error) {
      if (target.attempt !== attempt) return;
      target.attempt = undefined;
      this.#failed(target, toAlthingError(error));
    }
  }

  /** Dials one that was lost lately again and again, beside the dials that still wait for an answer. */
  #chase(target: Target, attempt: Attempt, redials = 1): void {
    if (performance.now() - target.lastSeen >= recentMs) return;
    target.timer = setTimeout(() => {
      attempt.again();
      if (redials % redialsBeforeAsking === 0) this.#options.fruitless(target.peer);
      this.#chase(target, attempt, redials + 1);
    }, recentDelayMs);
  }

  #failed(target: Target, error: AlthingError): void {
    target.failures += 1;
    const name = target.peer ?? target.endpoint?.host;
    this.#options.logger.debug({ peer: name, code: error.code, failures: target.failures }, error.message);
    const awayMs = performance.now() - target.lastSeen;
    const cap = awayMs < recentMs ? recentDelayMs : Math.min(awayMs * patience, maxDelayMs);
    const delay = Math.min(firstDelayMs * 1.7 ** Math.min(target.failures - 1, 20), cap);
    this.#later(target, delay * (0.5 + this.#options.random() / 2));
    this.#options.fruitless(target.peer);
  }

  #adopt(frames: FrameChannel, visitor: Visitor): void {
    const peer = frames.channel.remote;
    const session = new Session(frames, this.#options.host, visitor);
    session.onClose = (ended, reason) => this.#ended(ended, reason);
    this.#all.add(session);
    if (this.#closed) {
      session.close();
      return;
    }
    const existing = this.#current.get(peer);
    const stays = existing?.usable && !this.#newWins(existing, session);
    if (stays) session.retire();
    else {
      this.#current.set(peer, session);
      existing?.retire();
    }
    this.#cutOffDraining(peer);
    const target = this.#targets.get(peer);
    const wasAway = target !== undefined && target.failures > 0;
    if (target) {
      this.#stop(target);
      target.failures = 0;
      target.lastSeen = performance.now();
    }
    this.#options.opened(session, existing === undefined);
    session.start();
    // What kept this one away may have kept others away, too.
    if (wasAway) this.kick();
  }

  /** A peer that opens session after session must not pile them up here by never letting one end. */
  #cutOffDraining(peer: PeerId): void {
    const draining = [...this.#all].filter((session) => session.peer === peer && !session.usable);
    for (const session of draining.slice(0, -maxDraining)) session.close(undefined, { abrupt: true });
  }

  /** Both ends must choose alike: young doubles by who dialled, otherwise the newer. */
  #newWins(existing: Session, fresh: Session): boolean {
    if (fresh.since - existing.since > doubleMs || existing.dialled === fresh.dialled) return true;
    return fresh.dialled === this.#options.self < fresh.peer;
  }

  #ended(session: Session, reason: AlthingError | undefined): void {
    this.#all.delete(session);
    const { peer } = session;
    const last = this.#current.get(peer) === session;
    if (last) this.#current.delete(peer);
    this.#options.closed(session, last, reason);
    const target = this.#targets.get(peer);
    if (!last || this.#closed || !target) return;
    target.lastSeen = performance.now();
    this.#later(target, this.#options.self < peer ? 0 : courtesyMs);
  }
}
