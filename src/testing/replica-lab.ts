/**
 * Replicas over a network in memory: peers that write, crash and restore backups, links that lose and mix messages.
 * Relies on real records, stores' contract, Reconciler and wire form; time is fake, all chance comes from one seed.
 */

import { HybridClock } from '../core/clock.ts';
import { decode, encode } from '../core/codec.ts';
import type { Signer } from '../core/crypto.ts';
import type { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import type { Fabric } from '../fabric/genesis.ts';
import type { Frame } from '../net/frames.ts';
import { decodeSync, encodeSync } from '../net/sync-frames.ts';
import type { Draft } from '../replica/draft.ts';
import type { Quotas } from '../replica/quotas.ts';
import { Reconciler } from '../replica/reconciler.ts';
import { openRecord, type RecordBody, type SignedRecord, signRecord } from '../replica/record.ts';
import { Replica, type VectorEntry } from '../replica/replica.ts';
import type { SyncLink, SyncMessage } from '../replica/sync-messages.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { inviteSigner, joinProof, labFabric, peerSigner } from './control-lab.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryDisk, MemoryStateStore } from './memory-store.ts';
import { randomFrom } from './seed.ts';

/** What a link does to messages, each 0 to 1. A real session does none of it; the laws hold all the same. */
export interface Weather {
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

const calm: Weather = { loss: 0, duplication: 0, reordering: 0 };
/** More messages than any of the labs' histories needs: beyond it the peers talk in circles. */
const maxMessages = 50_000;

/** One direction of a session. */
interface Pipe {
  readonly to: LabPeer;
  /** The receiver's end, as its reconciler knows it. */
  readonly link: SyncLink;
  readonly queue: Uint8Array[];
}

/** Two peers in session. */
interface Session {
  readonly ends: readonly [LabPeer, LabPeer];
  readonly links: readonly [SyncLink, SyncLink];
  readonly pipes: readonly [Pipe, Pipe];
  weather: Weather;
}

/** One peer of the lab, running on a disk of its own. */
export class LabPeer {
  readonly number: number;
  readonly signer: Signer;
  readonly id: PeerId;
  readonly #lab: ReplicaLab;
  disk = new MemoryDisk();
  store!: MemoryStateStore;
  replica!: Replica;
  reconciler!: Reconciler;
  /** Its own wall clock; the lab's unless a test gives it a worse one. */
  wall: () => number;

  constructor(lab: ReplicaLab, number: number) {
    this.#lab = lab;
    this.number = number;
    this.signer = peerSigner(number);
    this.id = peerIdOf(this.signer.publicKey);
    this.wall = lab.clock.now;
  }

  /** Starts from what its disk holds. */
  async start(options: { byHand?: boolean } = {}): Promise<void> {
    const { clock, random, quotas } = this.#lab;
    const now = () => this.wall();
    this.store = new MemoryStateStore(this.disk, options);
    const { records, local } = await this.store.load();
    this.replica = new Replica(records, {
      fabric: this.#lab.fabric,
      signer: this.signer,
      crypto: nodeCrypto,
      clock: new HybridClock(now),
      now,
      store: this.store,
      notes: local,
      yieldTurn: async () => {},
      ...(quotas && { quotas }),
      logger: silentLogger,
    });
    const reconciler = new Reconciler(this.replica, {
      now: this.#lab.monotonic,
      wallNow: clock.now,
      schedule: clock.schedule,
      random,
      crypto: nodeCrypto,
      logger: silentLogger,
    });
    this.reconciler = reconciler;
    this.replica.onChange = (change) => reconciler.replicaChanged(change);
  }

  /** Ends without a word: what was not synced is lost, and all its sessions with it. */
  crash(): void {
    this.#lab.cut(this);
    this.replica.onChange = () => {};
    this.reconciler.close();
    this.store.crash();
  }

  /** Crashes, and starts again, on another disk where one is given. */
  async restart(disk = this.disk): Promise<void> {
    this.crash();
    this.disk = disk;
    await this.start();
  }

  /** Writes records; resolves once they are durable. */
  async write(...drafts: Draft[]): Promise<void> {
    await this.replica.write(() => drafts);
  }

  /** Everything that reading gives: what counts by collection and key, and who belongs. */
  reads(): string[] {
    const { authority } = this.replica;
    const found = readCollections.flatMap((collection) =>
      this.replica.list(collection).map(({ key, hash }) => `${collection} ${key} ${hash}`),
    );
    const members = [...authority.members.values()].map(({ peer, role }) => `member ${peer} ${role}`);
    const invites = [...authority.invites].map(([id, { used }]) => `invite ${id} ${used}`);
    return [...found, ...members, ...invites].sort();
  }

  /** Where every member stands, with digests. */
  vector(): string[] {
    const { authority } = this.replica;
    const text = ({ stream, author, epoch, seq, digest }: VectorEntry) =>
      `${stream} ${peerIdOf(author)} ${epoch} ${seq} ${Buffer.from(digest).toString('hex')}`;
    return this.replica
      .vector()
      .filter(({ author }) => authority.members.has(peerIdOf(author)))
      .map(text)
      .sort();
  }
}

/** Collections that the lab's histories write. */
export const readCollections = ['peer', 'thing', 'shadow', 'label', 'rule', 'value', 'from-the-future'];

/** A fabric of peers, its network and its time. Peer 0 is the founder. */
export class ReplicaLab {
  readonly clock = new FakeClock();
  /** Counts from 0 when the lab begins, as a process's own clock does. */
  readonly monotonic = (): number => this.clock.now() - this.#began;
  readonly #began = this.clock.now();
  readonly random: () => number;
  readonly fabric: Fabric = labFabric;
  /** What one author may have; the protocol's where undefined. */
  readonly quotas: Quotas | undefined;
  readonly peers: LabPeer[] = [];
  /** Positions that stood for two different records on the wire: must stay empty. */
  readonly contradictions: string[] = [];
  /** Sessions that one side ended because the other broke the protocol. */
  readonly failures: { by: LabPeer; error: AlthingError }[] = [];
  /** Messages delivered so far, by kind. */
  readonly delivered: Record<SyncMessage['kind'], number> = {
    vector: 0,
    want: 0,
    records: 0,
    summary: 0,
    'want-hashes': 0,
    hashes: 0,
    'want-named': 0,
    frauds: 0,
    'want-fraud': 0,
    fraud: 0,
  };
  readonly #sent = new Map<string, string>();
  #sessions: Session[] = [];

  constructor(seed: number, quotas?: Quotas) {
    this.quotas = quotas;
    this.random = randomFrom(seed);
  }

  /** A whole number from 0 to n - 1. */
  pick(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** Peers 0 to n - 1, started; the founder has let all others in, who do not know it yet. */
  static async of(n: number, seed: number, quotas?: Quotas): Promise<ReplicaLab> {
    const lab = new ReplicaLab(seed, quotas);
    for (let number = 0; number < n; number++) {
      const peer = new LabPeer(lab, number);
      lab.peers.push(peer);
      await peer.start();
    }
    if (n === 1) return lab;
    await lab.peers[0]!.write(inviteDraft(1, { uses: n + 5, expires: lab.clock.now() + 1e9 }));
    for (let number = 1; number < n; number++) await lab.admit(lab.peers[0]!, number);
    return lab;
  }

  /** Peer `by` lets peer number `joiner` in through invite 1. */
  admit(by: LabPeer, joiner: number, invite = 1): Promise<void> {
    return by.write({
      collection: 'member',
      key: peerIdOf(peerSigner(joiner).publicKey),
      value: {
        type: 'admission',
        invite: inviteSigner(invite).publicKey,
        joiner: peerSigner(joiner).publicKey,
        proof: joinProof(invite, joiner),
      },
    });
  }

  /** Opens a session, unless there is one. */
  connect(a: LabPeer, b: LabPeer, weather: Weather = calm): void {
    if (a === b || this.#sessions.some(({ ends }) => ends.includes(a) && ends.includes(b))) return;
    const link = (at: LabPeer, other: LabPeer): SyncLink => ({
      peer: other.id,
      send: (message) => this.#send(session, at, message),
      fail: (error) => {
        this.failures.push({ by: at, error });
        this.#end(session);
      },
    });
    const links = [link(a, b), link(b, a)] as const;
    const pipes: Session['pipes'] = [
      { to: b, link: links[1], queue: [] },
      { to: a, link: links[0], queue: [] },
    ];
    const session: Session = { ends: [a, b], links, pipes, weather };
    this.#sessions.push(session);
    a.reconciler.add(links[0]);
    b.reconciler.add(links[1]);
  }

  /** Everyone with everyone. */
  connectAll(weather: Weather = calm): void {
    for (const a of this.peers)
      for (const b of this.peers) if (a.number < b.number) this.connect(a, b, weather);
  }

  /** Ends all sessions, or one peer's, or the one between two. */
  cut(a?: LabPeer, b?: LabPeer): void {
    for (const session of [...this.#sessions]) {
      if (a && !session.ends.includes(a)) continue;
      if (b && !session.ends.includes(b)) continue;
      this.#end(session);
    }
  }

  /** Delivers one message that is under way, if there is any. */
  async deliverOne(): Promise<boolean> {
    const busy = this.#sessions.flatMap((session) =>
      session.pipes.filter(({ queue }) => queue.length > 0).map((pipe) => ({ session, pipe })),
    );
    if (busy.length === 0) return false;
    const { session, pipe } = busy[this.pick(busy.length)]!;
    const { loss, duplication, reordering } = session.weather;
    const at = this.random() < reordering ? this.pick(pipe.queue.length) : 0;
    const again = this.random() < duplication;
    const [bytes] = again ? [pipe.queue[at]!] : pipe.queue.splice(at, 1);
    if (!again && this.random() < loss) return true;
    const message = decodeSync(decode(bytes!) as Frame);
    this.delivered[message.kind] += 1;
    await pipe.to.reconciler.handle(pipe.link, message);
    return true;
  }

  /** Delivers everything and lets some minutes pass: what the peers have to say to one another then is said. */
  async settle(): Promise<void> {
    for (let second = 0; second < 150; second += 3) {
      await this.#quiet();
      this.clock.advance(3000);
      for (const { reconciler } of this.peers) reconciler.tick();
    }
    await this.#quiet();
  }

  /** Delivers everything, and what follows from it within a moment. */
  async #quiet(): Promise<void> {
    for (let messages = 0; ; this.clock.advance(100)) {
      while (await this.deliverOne())
        if (messages++ > maxMessages)
          throw new Error(`The peers did not come to rest in ${maxMessages} messages.`);
      if (this.clock.pending === 0) return;
    }
  }

  #send(session: Session, from: LabPeer, message: SyncMessage): void {
    if (!this.#sessions.includes(session)) return;
    if (message.kind === 'records') for (const raw of message.records) this.#noteSent(raw);
    session.pipes[session.ends.indexOf(from)]!.queue.push(encode(encodeSync(message)));
  }

  #noteSent(raw: Uint8Array): void {
    const { stream, authorId, epoch, seq, hash } = openRecord(raw, this.fabric.id, nodeCrypto, {
      trusted: true,
    });
    const position = `${stream} ${authorId} ${epoch} ${seq}`;
    const before = this.#sent.get(position) ?? hash;
    if (before !== hash) this.contradictions.push(position);
    this.#sent.set(position, hash);
  }

  #end(session: Session): void {
    if (!this.#sessions.includes(session)) return;
    this.#sessions = this.#sessions.filter((one) => one !== session);
    for (const [at, peer] of session.ends.entries()) peer.reconciler.remove(session.links[at]!);
  }
}

/** An invite as an admin writes it. */
export const inviteDraft = (
  invite: number,
  terms: { uses: number; expires: number; role?: 'member' | 'guest' },
): Draft => {
  const key = inviteSigner(invite).publicKey;
  const value = { type: 'invite', invite: key, role: 'member', ...terms };
  return { collection: 'member', key: peerIdOf(key), value };
};

/** A record that a peer of the lab signed, whatever it says: by default the first of an empty stream. */
export const signedBy = (lab: ReplicaLab, number: number, body: Partial<RecordBody>): SignedRecord => {
  const signer = peerSigner(number);
  const whole: RecordBody = {
    collection: 'value',
    key: 'k',
    author: signer.publicKey,
    epoch: 1,
    seq: 1,
    hlc: 1,
    deleted: false,
    value: null,
    ...body,
  };
  return openRecord(signRecord(whole, lab.fabric.id, signer), lab.fabric.id, nodeCrypto);
};
