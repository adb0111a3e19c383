/**
 * The one place that keeps sessions: dials, redials for ever, settles doubles, and ends what nobody needs or may have.
 * Relies on `wanted.ts` for who is needed, on `dialler.ts` for an attempt and on its owner for addresses.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { AnswerBudget } from './answer-budget.ts';
import type { Channel, Endpoint } from './channel.ts';
import { Attempt, type Dial } from './dialler.ts';
import { FrameChannel } from './frame-channel.ts';
import type { DoorOutcome, Visitor } from './handshake.ts';
import { Session, type SessionHost } from './session.ts';
import { Wanted } from './wanted.ts';

export interface SupervisorOptions {
  readonly self: PeerId;
  readonly dial: Dial;
  /** What this side says in a channel that it dialled. */
  readonly greet: (frames: FrameChannel) => Promise<void>;
  /** What it answers in one that somebody else did. */
  readonly answer: (frames: FrameChannel) => Promise<DoorOutcome>;
  /** Whether a peer in session belongs still, by all that is known now. */
  readonly belongs: (peer: PeerId) => boolean;
  readonly host: SessionHost;
  /** The addresses of a peer, the likeliest first. */
  readonly endpointsOf: (peer: PeerId) => readonly Endpoint[];
  /** Peers with whom sessions are kept although they are no neighbours: this peer follows their values. */
  readonly followed: () => Iterable<PeerId>;
  readonly random: () => number;
  readonly logger: Logger;
  /** After how long without a call or stream a session that nobody needs is let go (default 180 000). */
  readonly restAfterMs?: number;
  /** A session is ready for use; `first`: there was none with this peer. */
  readonly opened: (session: Session, first: boolean) => void;
  /** Records are to be kept equal over this session: it is with a neighbour. May be told again. */
  readonly neighbour: (session: Session) => void;
  /** A session has ended; `last`: none with this peer is left. */
  readonly closed: (session: Session, last: boolean, reason: AlthingError | undefined) => void;
  /** An attempt failed: somebody may know a better address. */
  readonly fruitless: (peer: PeerId | undefined) => void;
}

/** Of two channels completed within this, the one dialled by the lower key stays, which is the one that decides. */
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
/** Above the size of a mesh, what is needed is looked at so often. */
const reviewMs = 1000;
/** Who could not be reached so often, or for so long, is believed to be away: another one stands in. */
const awayFailures = 2;
const awayMs = 4000;
/** A session that nobody needs rests when nothing was open on it for this long. */
const defaultRestAfterMs = 180_000;
/** What is waited for a session that has to be made first, at most. */
const maxReachMs = 5000;
/** A peer that has just not answered is not dialled for every call. */
const refusedMs = 500;
/** Callers that wait for a session at once. */
const maxWaiting = 1024;
/** Sessions that this peer does not need itself, at most: then the one that has been idle longest makes room. */
const maxVisiting = 256;
const makesRoomAfterMs = 1000;

interface Target {
  /** Unknown for a bootstrap address until it has answered. */
  peer: PeerId | undefined;
  readonly endpoint?: Endpoint;
  failures: number;
  /** When the last session ended, or when it was first wanted. */
  lastSeen: number;
  /** When an attempt failed last. */
  failedAt?: number;
  timer?: NodeJS.Timeout | undefined;
  attempt?: Attempt | undefined;
}

/** A caller that waits for a session. */
interface Waiting {
  readonly peer: PeerId;
  resolve(session: Session): void;
  reject(error: AlthingError): void;
}

/** Keeps sessions with all that are needed, and lets members come. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #targets = new Map<PeerId, Target>();
  readonly #bootstrap: Target[] = [];
  readonly #current = new Map<PeerId, Session>();
  readonly #all = new Set<Session>();
  readonly #answers = new AnswerBudget();
  readonly #wanted: Wanted;
  readonly #restAfterMs: number;
  readonly #waiting = new Set<Waiting>();
  #reviewer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#wanted = new Wanted(options.self);
    this.#restAfterMs = options.restAfterMs ?? defaultRestAfterMs;
  }

  /** The session to use with a peer, if there is one. */
  session(peer: PeerId): Session | undefined {
    const session = this.#current.get(peer);
    return session?.usable ? session : undefined;
  }

  sessions(): Session[] {
    return [...this.#current.values()];
  }

  /**
   * These are the members from now on. With whom of them sessions are kept follows from the fabric's shape. Whoever does
   * not belong any more has none from this moment on, whatever is under way on it or towards it.
   * @param leaves those of them that pass no records on
   */
  want(members: Iterable<PeerId>, options: { leaves?: ReadonlySet<PeerId> } = {}): void {
    if (this.#closed) return;
    this.#wanted.set(members, options.leaves ?? new Set());
    for (const session of this.#all) this.#closeIfGone(session);
    clearInterval(this.#reviewer);
    this.#reviewer = this.#wanted.isMesh ? undefined : setInterval(() => this.#review(), reviewMs);
    this.#review();
  }

  /** Whether this peer tries to be in session with that one: only then does it say something that there is none. */
  seeks(peer: PeerId): boolean {
    return this.#targets.has(peer);
  }

  /**
   * The session with a member, made first where this peer keeps none. Throws `peer-offline` where the member does not
   * answer (at once where it was sought in vain already), `cancelled`, `too-many`.
   */
  async reach(peer: PeerId, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Session> {
    const there = this.session(peer);
    if (there) return there;
    const known = this.#targets.get(peer);
    const recently = known?.failedAt !== undefined && performance.now() - known.failedAt < refusedMs;
    if (this.#closed || !this.#wanted.isMember(peer) || recently || (known && this.#wanted.lasts(peer)))
      throw offline(peer);
    if (this.#waiting.size >= maxWaiting)
      throw new AlthingError('too-many', `${maxWaiting} calls wait for devices to answer already.`);
    const timeoutMs = Math.min(options.timeoutMs, maxReachMs);
    this.#wanted.ask(peer, performance.now() + timeoutMs);
    this.#review();
    this.kick(peer);
    return this.#sessionWithin(peer, { ...options, timeoutMs });
  }

  /** Addresses given by a person, whose peers are not known yet: each is tried until a member answers there. */
  bootstrap(endpoints: readonly Endpoint[]): void {
    for (const former of this.#bootstrap.splice(0)) {
      former.attempt?.close();
      this.#stop(former);
    }
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
      const outcome = await this.#options.answer(frames);
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
    clearInterval(this.#reviewer);
    for (const one of [...this.#waiting]) one.reject(offline(one.peer));
    for (const target of [...this.#targets.values(), ...this.#bootstrap]) {
      target.attempt?.close();
      this.#stop(target);
    }
    for (const session of this.#all) session.close();
  }

  /** Begins and ends what the present need asks for. */
  #review(): void {
    const now = performance.now();
    const away = (peer: PeerId): boolean => this.#isAway(peer, now);
    const wanted = this.#wanted.all(now, away, this.#options.followed());
    for (const peer of wanted) {
      if (this.#targets.has(peer)) continue;
      const target: Target = { peer, failures: 0, lastSeen: now };
      this.#targets.set(peer, target);
      if (!this.#satisfied(target)) this.#later(target, this.#options.self < peer ? 0 : courtesyMs);
    }
    for (const [peer, target] of this.#targets) {
      if (wanted.has(peer)) continue;
      this.#targets.delete(peer);
      if (!this.#wanted.isMember(peer)) target.attempt?.close();
      this.#stop(target);
    }
    for (const session of this.#current.values()) {
      this.#tellNeighbour(session);
      if (this.#isIdle(session)) session.rest();
    }
  }

  #tellNeighbour(session: Session): void {
    if (this.#wanted.isMesh || this.#wanted.isNeighbour(session.peer)) this.#options.neighbour(session);
  }

  #isAway(peer: PeerId, now: number): boolean {
    const target = this.#targets.get(peer);
    if (!target || this.#current.has(peer)) return false;
    return target.failures >= awayFailures || now - target.lastSeen > awayMs;
  }

  /** Whether this side would let the session go. */
  #isIdle(session: Session, afterMs = this.#restAfterMs): boolean {
    return session.usable && !this.#targets.has(session.peer) && session.idleMs >= afterMs;
  }

  #closeIfGone(session: Session): boolean {
    const { peer, visitor } = session;
    if (visitor.kind !== 'member' || this.#options.belongs(peer)) return false;
    const error = new AlthingError('not-a-member', `${peer} belongs to the fabric no more.`);
    session.close(error, { abrupt: true });
    return true;
  }

  #sessionWithin(
    peer: PeerId,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Session> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        peer,
        resolve: (session) => {
          settle();
          resolve(session);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const abort = (): void => waiting.reject(new AlthingError('cancelled', 'The caller gave up.'));
      const timer = setTimeout(() => waiting.reject(offline(peer)), timeoutMs);
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
    });
  }

  #waitingFor(peer: PeerId): Waiting[] {
    return [...this.#waiting].filter((one) => one.peer === peer);
  }

  #satisfied(target: Target): boolean {
    return target.peer !== undefined && this.session(target.peer) !== undefined;
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
    const { dial, greet, endpointsOf } = this.#options;
    const attempt = new Attempt({
      endpoints: () => (endpoint ? [endpoint] : endpointsOf(peer!)),
      dial,
      greet,
      meant: (found) => (endpoint ? this.#wanted.isMember(found) : found === peer),
    });
    target.attempt = attempt;
    if (!peer || this.#wanted.lasts(peer)) this.#chase(target, attempt);
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
    target.failedAt = performance.now();
    if (target.peer) for (const one of this.#waitingFor(target.peer)) one.reject(offline(target.peer));
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
    const session = new Session(frames, this.#options.host, visitor, this.#answers);
    session.onClose = (ended, reason) => this.#ended(ended, reason);
    session.onRetired = (retired) => this.#retired(retired);
    session.onRest = (resting) => {
      if (this.#isIdle(resting, this.#restAfterMs / 2)) {
        resting.retire({ tell: true });
        this.#retired(resting);
      }
    };
    this.#all.add(session);
    if (this.#closed) session.close();
    // What the door checked may have ended since.
    if (this.#closed || this.#closeIfGone(session) || !this.#hasRoom(session)) return;
    const existing = this.#current.get(peer);
    this.#settle(existing, session);
    this.#cutOffOthers(peer);
    const target = this.#targets.get(peer);
    const wasAway = target !== undefined && target.failures > 0;
    if (target) {
      this.#stop(target);
      target.failures = 0;
      target.lastSeen = performance.now();
    }
    this.#options.opened(session, existing === undefined);
    this.#tellNeighbour(session);
    session.start();
    for (const one of this.#waitingFor(peer)) one.resolve(session);
    // What kept this one away may have kept others away, too.
    if (wasAway) this.kick();
  }

  /**
   * Which of two sessions stays is decided by the lower key alone and told: two who measure the time between them would
   * not always agree. The other end goes over to the newer one meanwhile, and has both.
   */
  #settle(existing: Session | undefined, fresh: Session): void {
    const decides = this.#options.self < fresh.peer;
    const stays = existing?.usable && decides && !this.#newWins(existing, fresh);
    if (!stays) this.#current.set(fresh.peer, fresh);
    if (existing && decides) (stays ? fresh : existing).retire({ tell: true });
  }

  /** A session is used no more: where there is another one with the peer, that is. */
  #retired(session: Session): void {
    const { peer } = session;
    if (this.#current.get(peer) !== session) return;
    const other = [...this.#all].findLast((one) => one.peer === peer && one.usable);
    if (other) this.#current.set(peer, other);
  }

  /** Keeps those who come from being more than this peer can bear. */
  #hasRoom(fresh: Session): boolean {
    if (this.#targets.has(fresh.peer) || this.#current.has(fresh.peer)) return true;
    const visiting = [...this.#current.values()].filter(({ peer }) => !this.#targets.has(peer));
    if (visiting.length < maxVisiting) return true;
    const idlest = visiting.reduce((most, one) => (one.idleMs > most.idleMs ? one : most));
    const makesRoom = idlest.idleMs >= makesRoomAfterMs;
    const error = new AlthingError('too-many', `${maxVisiting} others are in session with this peer.`);
    (makesRoom ? idlest : fresh).close(error);
    return makesRoom;
  }

  /** A peer that opens session after session must not pile them up here by never letting one end. */
  #cutOffOthers(peer: PeerId): void {
    const others = [...this.#all].filter((session) => session.peer === peer);
    const current = this.#current.get(peer);
    for (const session of others.filter((one) => one !== current).slice(0, -maxDraining))
      session.close(undefined, { abrupt: true });
  }

  /** Young doubles by who dialled, otherwise the newer. */
  #newWins(existing: Session, fresh: Session): boolean {
    if (fresh.since - existing.since > doubleMs || existing.dialled === fresh.dialled) return true;
    return fresh.dialled === this.#options.self < fresh.peer;
  }

  #ended(session: Session, reason: AlthingError | undefined): void {
    this.#all.delete(session);
    const { peer } = session;
    this.#retired(session);
    const last = this.#current.get(peer) === session;
    if (last) this.#current.delete(peer);
    this.#options.closed(session, last, reason);
    const target = this.#targets.get(peer);
    if (!last || this.#closed || !target) return;
    target.lastSeen = performance.now();
    this.#later(target, this.#options.self < peer ? 0 : courtesyMs);
  }
}

const offline = (peer: PeerId): AlthingError =>
  new AlthingError('peer-offline', `${peer} cannot be reached at the moment.`);
