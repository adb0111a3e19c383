/**
 * With whom a peer needs a session at the moment: its neighbours, those whose values it follows, those it has just asked.
 * Relies on `neighbours.ts` for the fabric's shape; the time is passed in.
 */
import type { PeerId } from '../core/ids.ts';
import { Neighbourhood } from './neighbours.ts';

/** What one peer needs. */
export class Wanted {
  readonly #self: PeerId;
  #members: ReadonlySet<PeerId> = new Set();
  #shape = new Neighbourhood([]);
  #neighbours: ReadonlySet<PeerId> = new Set();
  #followed: ReadonlySet<PeerId> = new Set();
  /** Until when each is needed because it was asked for. */
  readonly #asked = new Map<PeerId, number>();

  constructor(self: PeerId) {
    this.#self = self;
  }

  /** True where everybody keeps a session with everybody. */
  get isMesh(): boolean {
    return this.#shape.isMesh;
  }

  /** The members from now on, and those of them that pass no records on. */
  set(members: Iterable<PeerId>, leaves: ReadonlySet<PeerId>): void {
    this.#members = new Set(members);
    // A leaf stands on its own rings all the same: so it has neighbours, who do not have it.
    const others = new Set([...leaves].filter((peer) => peer !== this.#self));
    this.#shape = new Neighbourhood(this.#members, { leaves: others });
  }

  isMember(peer: PeerId): boolean {
    return this.#members.has(peer);
  }

  /** Whether records are to be kept equal with this one. */
  isNeighbour(peer: PeerId): boolean {
    return this.#neighbours.has(peer);
  }

  /** Keeps a peer needed until then, on the clock that `all` is given. */
  ask(peer: PeerId, until: number): void {
    this.#asked.set(peer, Math.max(until, this.#asked.get(peer) ?? 0));
  }

  /** Whether a session with this one is to be kept for as long as it is so. */
  lasts(peer: PeerId): boolean {
    return this.#neighbours.has(peer) || this.#followed.has(peer);
  }

  /**
   * All that are needed now, once more computed.
   * @param away says who is believed to be off
   * @param followed those whose values this peer observes or subscribes to
   */
  all(now: number, away: (peer: PeerId) => boolean, followed: Iterable<PeerId>): Set<PeerId> {
    const isOther = (peer: PeerId): boolean => peer !== this.#self && this.#members.has(peer);
    this.#neighbours = this.#shape.of(this.#self, { away });
    this.#followed = new Set([...followed].filter(isOther));
    for (const [peer, until] of this.#asked) if (until <= now) this.#asked.delete(peer);
    return new Set([...this.#neighbours, ...this.#followed, ...[...this.#asked.keys()].filter(isOther)]);
  }
}
