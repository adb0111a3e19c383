/**
 * The sessions of simulated peers that run rules: requests, streams and records cross them, late, or not at all.
 * Relies on a clock that a test turns. Where the options say nothing, nothing takes time and a cut is seen at once.
 */
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { StreamPosition } from '../thing/operations.ts';
import type { FakeClock } from './fake-clock.ts';

/** Whoever can be at one end of a session. */
export interface RuleStation {
  readonly id: PeerId;
  readonly isUp: boolean;
  /** A session with a peer has begun or ended, as this station sees it. */
  sessionChanged(peer: PeerId, isOnline: boolean): void;
}

/** How a network is; all in milliseconds, the most that chance makes of it. */
export interface RuleNetworkOptions {
  /** One way; nothing overtakes within a session. */
  readonly latencyMs?: number;
  /** Until a side that hears nothing takes the other for dead. */
  readonly deafMs?: number;
  /** Until two that can reach each other again have a session. */
  readonly redialMs?: number;
}

interface Open {
  /** The session has ended. */
  end(): void;
  /** The station that waited is no more. */
  drop(): void;
}

interface Side {
  readonly station: RuleStation;
  isOpen: boolean;
  /** Nothing reaches it any more. */
  isDeaf: boolean;
  lastArrivalMs: number;
  readonly waiting: Set<Open>;
}

type Session = readonly [Side, Side];

/** An answer is waited for a little longer than the device was given. */
const graceMs = 250;

/** All sessions, and who can reach whom. */
export class RuleNetwork {
  readonly #clock: FakeClock;
  readonly #random: () => number;
  readonly #options: Required<RuleNetworkOptions>;
  readonly #stations = new Map<PeerId, RuleStation>();
  readonly #sessions = new Set<Session>();
  /** Ways that are cut: from whom, to whom. */
  readonly #cut = new Set<string>();

  constructor(clock: FakeClock, random: () => number, options: RuleNetworkOptions = {}) {
    this.#clock = clock;
    this.#random = random;
    this.#options = { latencyMs: 0, deafMs: 0, redialMs: 0, ...options };
  }

  /** A station has started. */
  started(station: RuleStation): void {
    this.#stations.set(station.id, station);
    for (const other of this.#stations.values()) if (other !== station) this.#redial(station, other);
  }

  /** A station is gone: the others notice. */
  gone(station: RuleStation): void {
    for (const session of [...this.#sessions]) {
      const own = session.find((side) => side.station === station);
      if (!own) continue;
      own.isOpen = false;
      for (const { drop } of own.waiting) drop();
      own.waiting.clear();
      this.#deafen(session, otherOf(session, own));
      this.#forget(session);
    }
  }

  /** Whether a station has a session with another, as far as it knows. */
  isOnline(from: PeerId, to: PeerId): boolean {
    return this.#sideOf(from, to) !== undefined;
  }

  /** Those that a station has a session with. */
  peersOf(station: RuleStation): PeerId[] {
    return [...this.#stations.keys()].filter((other) => this.isOnline(station.id, other));
  }

  /** Cuts the way between two, or only that from the first to the second; their session ends as each notices. */
  cut(a: RuleStation, b: RuleStation, { oneWay = false } = {}): void {
    this.#cut.add(wayOf(a, b));
    if (!oneWay) this.#cut.add(wayOf(b, a));
    const session = this.#sessionOf(a, b);
    for (const side of session ?? []) if (!oneWay || side.station === b) this.#deafen(session!, side);
  }

  /** Both ways are open again. */
  mend(a: RuleStation, b: RuleStation): void {
    this.#cut.delete(wayOf(a, b));
    this.#cut.delete(wayOf(b, a));
    this.#redial(a, b);
  }

  /** A session breaks; there will be another. */
  sever(a: RuleStation, b: RuleStation): void {
    const session = this.#sessionOf(a, b);
    for (const side of session ?? []) this.#deafen(session!, side);
  }

  /** Asks; `serve` is called where the question arrives. Throws `peer-offline`, `outcome-unknown`, `timeout`, what it throws. */
  request(from: RuleStation, to: PeerId, serve: () => Promise<unknown>, timeoutMs: number): Promise<unknown> {
    const [session, own] = this.#sideOf(from.id, to) ?? [];
    if (!session || !own) return Promise.reject(new AlthingError('peer-offline', 'It cannot be reached.'));
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        if (own.waiting.delete(open)) {
          cancel();
          act();
        }
      };
      const fail = (code: 'outcome-unknown' | 'timeout'): void =>
        settle(() => reject(new AlthingError(code, 'No answer came.')));
      const cancel = this.#clock.schedule(timeoutMs + graceMs, () => fail('timeout'));
      const open: Open = { end: () => fail('outcome-unknown'), drop: cancel };
      own.waiting.add(open);
      const answering = otherOf(session, own);
      this.#send(session, own, () => {
        void serve().then(
          (answer) => this.#send(session, answering, () => settle(() => resolve(structuredClone(answer)))),
          (error: unknown) => this.#send(session, answering, () => settle(() => reject(error))),
        );
      });
    });
  }

  /** Follows something; `subscribe` is called where it is. Throws as `request` does; `lost` says that the session ended. */
  async stream(
    from: RuleStation,
    to: PeerId,
    subscribe: (next: (value: unknown, position: StreamPosition) => void) => () => void,
    sink: { next(value: unknown, position: StreamPosition): void; lost(): void },
  ): Promise<() => void> {
    const [session, own] = this.#sideOf(from.id, to) ?? [];
    if (!session || !own) throw new AlthingError('peer-offline', 'It cannot be reached.');
    const publisher = otherOf(session, own);
    const sending: Open = { end: () => unsubscribe(), drop: () => {} };
    let unsubscribe = (): void => {};
    await this.request(
      from,
      to,
      async () => {
        unsubscribe = subscribe((value, position) =>
          this.#send(session, publisher, () => sink.next(structuredClone(value), position)),
        );
        publisher.waiting.add(sending);
      },
      10_000,
    );
    const open: Open = { end: sink.lost, drop: () => {} };
    own.waiting.add(open);
    return () => {
      own.waiting.delete(open);
      this.#send(session, own, () => {
        publisher.waiting.delete(sending);
        unsubscribe();
      });
    };
  }

  /** Sends what has no answer, where there is a session. */
  post(from: RuleStation, to: PeerId, arrive: () => void): void {
    const [session, own] = this.#sideOf(from.id, to) ?? [];
    if (session && own) this.#send(session, own, arrive);
  }

  #send(session: Session, from: Side, arrive: () => void): void {
    if (from.isOpen) this.#carry(otherOf(session, from), arrive);
  }

  #carry(to: Side, arrive: () => void): void {
    const { latencyMs } = this.#options;
    const arrived = (): void => {
      if (to.isOpen && !to.isDeaf) arrive();
    };
    if (latencyMs === 0) {
      arrived();
      return;
    }
    const nowMs = this.#clock.now();
    to.lastArrivalMs = Math.max(to.lastArrivalMs, nowMs + Math.ceil(latencyMs * this.#random()));
    this.#clock.schedule(to.lastArrivalMs - nowMs, arrived);
  }

  #deafen(session: Session, side: Side): void {
    if (side.isDeaf) return;
    side.isDeaf = true;
    this.#after(this.#options.deafMs, () => this.#close(session, side));
  }

  #close(session: Session, side: Side): void {
    if (!side.isOpen) return;
    const other = otherOf(session, side);
    side.isOpen = false;
    this.#carry(other, () => this.#close(session, other));
    this.#forget(session);
    for (const open of [...side.waiting]) open.end();
    side.waiting.clear();
    if (side.station.isUp) side.station.sessionChanged(other.station.id, false);
    this.#redial(side.station, other.station);
  }

  #forget(session: Session): void {
    if (session.every(({ isOpen }) => !isOpen)) this.#sessions.delete(session);
  }

  #redial(a: RuleStation, b: RuleStation): void {
    this.#after(this.#options.redialMs, () => this.#connect(a, b));
  }

  #connect(a: RuleStation, b: RuleStation): void {
    const before = this.#sessionOf(a, b);
    const isWhole = before?.every(({ isOpen, isDeaf }) => isOpen && !isDeaf);
    if (!a.isUp || !b.isUp || isWhole || this.#cut.has(wayOf(a, b)) || this.#cut.has(wayOf(b, a))) return;
    // A side that has not noticed yet learns of it by the new session.
    for (const side of before ?? []) this.#close(before!, side);
    const side = (station: RuleStation): Side => ({
      station,
      isOpen: true,
      isDeaf: false,
      lastArrivalMs: 0,
      waiting: new Set(),
    });
    const session: Session = [side(a), side(b)];
    this.#sessions.add(session);
    a.sessionChanged(b.id, true);
    b.sessionChanged(a.id, true);
  }

  #sideOf(from: PeerId, to: PeerId): [Session, Side] | undefined {
    for (const session of this.#sessions)
      for (const side of session)
        if (side.isOpen && side.station.id === from && otherOf(session, side).station.id === to)
          return [session, side];
    return undefined;
  }

  #sessionOf(a: RuleStation, b: RuleStation): Session | undefined {
    return (this.#sideOf(a.id, b.id) ?? this.#sideOf(b.id, a.id))?.[0];
  }

  #after(mostMs: number, callback: () => void): void {
    if (mostMs === 0) callback();
    else this.#clock.schedule(Math.ceil(mostMs * this.#random()), callback);
  }
}

const wayOf = (from: RuleStation, to: RuleStation): string => `${from.id} ${to.id}`;

const otherOf = (session: Session, side: Side): Side => (session[0] === side ? session[1] : session[0]);
