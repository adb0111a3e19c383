/**
 * The shape of a fabric: with whom a peer keeps sessions for the records. A home is a full mesh; above that the members
 * stand on four rings, each in another order, and everyone knows those before and after it on each.
 * Relies on the list of members alone, so that both ends of a link choose it without a word.
 */
import { type PeerId, publicKeyOf } from '../core/ids.ts';

/** Up to so many members everybody keeps a session with everybody. */
export const meshMembers = 32;
/** Rings in all. Each cuts 8 of a key's 32 bytes out, so that the orders have nothing to do with each other. */
const rings = 4;
/** Neighbours where everybody is there: two on each ring. */
export const maxNeighbours = 2 * rings;

export interface NeighbourOptions {
  /** Whether a peer is believed to be off or out of reach: the next on the ring stands in. Default: nobody is. */
  readonly away?: (peer: PeerId) => boolean;
}

/**
 * The rings of one list of members. Several random rings over one another make a graph that stays connected with a good
 * part of its members off, whose longest way grows with the logarithm of their number; a member that comes or goes
 * changes the links of its neighbours alone.
 */
export class Neighbourhood {
  readonly #members: readonly PeerId[];
  readonly #rings: readonly (readonly PeerId[])[];
  /** A member's place on each ring. */
  readonly #places = new Map<PeerId, number[]>();

  /** @param leaves members that pass no records on: on the rings nobody relies on them, and guests are such */
  constructor(members: Iterable<PeerId>, options: { leaves?: ReadonlySet<PeerId> } = {}) {
    this.#members = [...new Set(members)];
    if (this.#members.length <= meshMembers) {
      this.#rings = [];
      return;
    }
    const { leaves = new Set() } = options;
    const keys = this.#members
      .filter((peer) => !leaves.has(peer))
      .map((peer) => ({ peer, key: Buffer.from(publicKeyOf(peer)) }));
    this.#rings = Array.from({ length: rings }, (_, ring) =>
      keys
        .map(({ peer, key }) => ({ peer, at: key.readBigUInt64BE(8 * ring) }))
        .sort((a, b) => (a.at === b.at ? (a.peer < b.peer ? -1 : 1) : a.at < b.at ? -1 : 1))
        .map(({ peer }) => peer),
    );
    for (const { peer } of keys) this.#places.set(peer, []);
    for (const ring of this.#rings)
      for (const [place, peer] of ring.entries()) this.#places.get(peer)!.push(place);
  }

  /** Whether everybody is everybody's neighbour. */
  get isMesh(): boolean {
    return this.#rings.length === 0;
  }

  /**
   * With whom a member is to keep a session: in both directions of each ring everybody up to the first that is not
   * away. Those that are away are among them, since after a parting of the network both sides believe it of each other.
   * Who stands on no ring has nobody there.
   */
  of(self: PeerId, options: NeighbourOptions = {}): Set<PeerId> {
    const { away = () => false } = options;
    if (this.isMesh) return new Set(this.#members.filter((peer) => peer !== self));
    const found = new Set<PeerId>();
    for (const [ring, place] of (this.#places.get(self) ?? []).entries())
      for (const step of [1, -1]) this.#walk(this.#rings[ring]!, place, { step, away, found });
    return found;
  }

  #walk(
    ring: readonly PeerId[],
    start: number,
    { step, away, found }: { step: number; away: (peer: PeerId) => boolean; found: Set<PeerId> },
  ): void {
    const { length } = ring;
    for (let walked = 1; walked < length; walked += 1) {
      const peer = ring[(start + step * walked + length * 2) % length]!;
      found.add(peer);
      if (!away(peer)) return;
    }
  }
}
