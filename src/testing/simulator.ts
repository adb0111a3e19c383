/**
 * A whole fabric in one process, without sockets: real replicas, reconcilers and doors over simulated time and network.
 * Relies on a seed for all chance, so that what a run shows can be shown again.
 */
import { peerIdOf } from '../core/ids.ts';
import type { computeAuthority } from '../fabric/authority.ts';
import { comparePositions, openRecord, type SignedRecord } from '../replica/record.ts';
import type { VectorEntry } from '../replica/replica.ts';
import { inviteSigner, joinProof, labFabric } from './control-lab.ts';
import { memoCrypto } from './memo-crypto.ts';
import { randomFrom } from './seed.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { SimulatedPeer, type Surroundings } from './simulated-peer.ts';
import { SimulatedTime } from './simulated-time.ts';

export interface SimulatorOptions {
  readonly seed: number;
  /** Computes authority; each peer by itself where left out. */
  readonly authorityOf?: typeof computeAuthority;
  /** One way, milliseconds. */
  readonly latencyMs?: { readonly min: number; readonly max: number };
  /** Of whom a peer wants to be in session with whom; everyone with everyone where left out. */
  readonly neighbours?: (peer: SimulatedPeer, others: readonly SimulatedPeer[]) => Iterable<SimulatedPeer>;
}

/** A fabric whose founder is peer 0. */
export class Simulator {
  readonly time = new SimulatedTime();
  readonly random: () => number;
  readonly network: SimulatedNetwork;
  readonly peers: SimulatedPeer[] = [];
  /** Peers that do as they please; of their records nothing is promised. */
  readonly liars = new Set<string>();
  /** Positions of honest peers that stood for two different records on the wire: must stay empty. */
  readonly contradictions: string[] = [];
  /** What honest peers wrote, were told that it is durable, and nobody had reason to lose. */
  readonly acknowledged = new Set<SignedRecord>();
  /** Acknowledged records that their author lost by going back to an older copy: only others can give them back. */
  readonly #keptByOthers = new Set<SignedRecord>();
  readonly #around: Surroundings;
  readonly #sent = new Map<string, string>();
  #invites = 0;

  constructor(options: SimulatorOptions) {
    this.random = randomFrom(options.seed);
    const { random, time } = this;
    const crypto = memoCrypto(random);
    this.network = new SimulatedNetwork({
      time,
      random,
      latencyMs: options.latencyMs ?? { min: 1, max: 200 },
      observe: (message) => {
        if (message.kind === 'records') for (const raw of message.records) this.#noteSent(raw);
      },
    });
    this.#around = {
      fabric: labFabric,
      time,
      network: this.network,
      crypto,
      random,
      ...(options.authorityOf && { authorityOf: options.authorityOf }),
      others: (peer) => options.neighbours?.(peer, this.peers) ?? this.#shuffled(peer),
      acknowledged: (peer, records) => {
        if (!this.liars.has(peer.id)) for (const record of records) this.acknowledged.add(record);
      },
      // Data of one that is out is dropped by all, itself included: should it come back, it says anew what it has.
      learned: ({ id, replica }) => {
        const { gone } = replica.authority;
        for (const record of this.#keptByOthers) if (!this.#isHeld(record, gone)) this.#forgive(record);
        if (!gone.has(id)) return;
        for (const record of this.acknowledged)
          if (record.authorId === id && record.stream === 'data') this.acknowledged.delete(record);
      },
    };
  }

  /** A whole number from 0 to n - 1. */
  pick(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** One of these. */
  oneOf<Item>(items: readonly Item[]): Item {
    return items[this.pick(items.length)]!;
  }

  /** Adds a peer, stopped: the founder first, others to be let in by `join`. */
  add(number: number, clock: { offsetMs?: number; driftPpm?: number } = {}): SimulatedPeer {
    const peer = new SimulatedPeer(this.#around, number, clock);
    this.peers.push(peer);
    return peer;
  }

  /** An admin writes an invite; its number, once it is durable. */
  async invite(
    admin: SimulatedPeer,
    terms: { uses: number; forMs: number; role?: 'member' | 'guest' },
  ): Promise<number> {
    this.#invites += 1;
    const number = this.#invites;
    const key = inviteSigner(number).publicKey;
    const { uses, forMs, role = 'member' } = terms;
    const value = { type: 'invite', invite: key, role, uses, expires: admin.clock.now() + forMs };
    await admin.write({ collection: 'member', key: peerIdOf(key), value });
    return number;
  }

  /** Peer `joiner` redeems an invite at `member`, as with a ticket that `admin` made, and starts. Throws the invite codes. */
  async join(
    joiner: SimulatedPeer,
    member: SimulatedPeer,
    admin: SimulatedPeer,
    invite: number,
  ): Promise<void> {
    const key = inviteSigner(invite).publicKey;
    const ticket = admin.replica.control.filter((record) => record.key === peerIdOf(key));
    joiner.storedProof = await member.membership.admit({
      invite: key,
      joiner: joiner.id,
      proof: joinProof(invite, joiner.number),
      records: [...ticket.map(({ raw }) => raw), ...admin.membership.proof()],
    });
    await joiner.start();
  }

  /** A peer goes on from an older copy of its disk, or on an empty one. What nobody holds any more is not missed. */
  async restore(peer: SimulatedPeer, disk: SimulatedPeer['disk']): Promise<void> {
    peer.crash();
    peer.disk = disk;
    await peer.start();
    const { gone } = peer.replica.authority;
    for (const record of this.acknowledged) {
      if (record.authorId === peer.id && !holds(peer, record)) this.#keptByOthers.add(record);
      if (!this.#isHeld(record, gone)) this.#forgive(record);
    }
  }

  /** Whether somebody has it who keeps to the rules and has not been put out: those who were are no longer asked. */
  #isHeld(record: SignedRecord, gone: ReadonlyMap<string, unknown>): boolean {
    return this.peers.some((one) => !this.liars.has(one.id) && !gone.has(one.id) && holds(one, record));
  }

  #forgive(record: SignedRecord): void {
    this.acknowledged.delete(record);
    this.#keptByOthers.delete(record);
  }

  /** A second device starts on a copy of this one's home. */
  async clone(peer: SimulatedPeer): Promise<SimulatedPeer> {
    const clone = this.add(peer.number, { offsetMs: peer.clock.offsetMs });
    clone.disk = peer.disk.image();
    clone.storedProof = peer.storedProof;
    await clone.start();
    return clone;
  }

  /** Peers that keep to the rules. */
  get honest(): SimulatedPeer[] {
    return this.peers.filter(({ id }) => !this.liars.has(id));
  }

  /** Lives on until `done` says so, looking once a second; false where it did not within `maxMs`. */
  async until(done: () => boolean, maxMs: number): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < maxMs; waitedMs += 1000) {
      if (done()) return true;
      await this.time.run(1000);
    }
    return done();
  }

  #shuffled(peer: SimulatedPeer): SimulatedPeer[] {
    const others = this.peers.filter(({ id }) => id !== peer.id);
    const start = this.pick(others.length + 1);
    return [...others.slice(start), ...others.slice(0, start)];
  }

  #noteSent(raw: Uint8Array): void {
    let record: SignedRecord;
    try {
      record = openRecord(raw, labFabric.id, this.#around.crypto);
    } catch {
      // What a liar made up is not its alleged author's word.
      return;
    }
    if (this.liars.has(record.authorId)) return;
    const position = `${record.stream} ${record.authorId} ${record.epoch} ${record.seq}`;
    const before = this.#sent.get(position) ?? record.hash;
    if (before !== record.hash) this.contradictions.push(position);
    this.#sent.set(position, record.hash);
  }
}

/** Whether a peer holds this record, or for its slot a later one of the same author. */
export const holds = (peer: SimulatedPeer, record: SignedRecord): boolean => {
  if (!peer.replica) return false;
  const { stream, authorId, epoch, seq } = record;
  const before = { epoch, seq: seq - 1 };
  const live = peer.replica.range(stream, authorId, before, Number.MAX_SAFE_INTEGER)?.records ?? [];
  return live.some(
    (one) =>
      one.hash === record.hash ||
      (stream === 'data' &&
        one.collection === record.collection &&
        one.key === record.key &&
        comparePositions(one, record) > 0),
  );
};

/** Collections that simulated histories write. */
export const simulatedCollections = ['peer', 'thing', 'shadow', 'label', 'rule', 'value', 'from-the-future'];

/** Everything that reading gives at a peer: what counts by collection and key, and who belongs. */
export const readsOf = ({ replica }: SimulatedPeer): string[] => {
  const { members, invites, admins, gone, grants, restrictions, adminSets } = replica.authority;
  const records = simulatedCollections.flatMap((collection) =>
    replica.list(collection).map(({ key, hash }) => `${collection} ${key} ${hash}`),
  );
  return [
    ...records,
    ...[...members.values()].map(({ peer, role }) => `member ${peer} ${role}`),
    ...[...invites].map(([id, { used }]) => `invite ${id} ${used}`),
    ...[...admins].map((peer) => `admin ${peer}`),
    ...[...gone].map(([peer, { how, by, atMs }]) => `gone ${peer} ${how} ${by} ${atMs}`),
    ...[...grants].map(({ id }) => `grant ${id}`),
    ...[...restrictions].map(([thing, restricted]) => `restriction ${thing} ${restricted}`),
    ...adminSets.open.map(({ id, needs }) => `proposed ${id} ${needs}`),
  ].sort();
};

/** Where those authors stand at a peer, with digests of what it holds of them. */
export const vectorOf = ({ replica }: SimulatedPeer, isTold: (author: string) => boolean): string[] => {
  const text = ({ stream, author, epoch, seq, digest }: VectorEntry) =>
    `${stream} ${peerIdOf(author)} ${epoch} ${seq} ${Buffer.from(digest).toString('hex')}`;
  return replica
    .vector()
    .filter(({ epoch, author }) => epoch > 0 && isTold(peerIdOf(author)))
    .map(text)
    .sort();
};
