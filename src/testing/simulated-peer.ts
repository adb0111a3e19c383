/**
 * One peer of a simulated fabric: the real replica, reconciler and door, on a disk that syncs late and can be swapped.
 * Relies on its fabric for time, network and the others; whatever it does follows from the fabric's seed.
 */
import { HybridClock } from '../core/clock.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import type { computeAuthority } from '../fabric/authority.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { Membership } from '../peer/membership.ts';
import type { Draft } from '../replica/draft.ts';
import type { Holdings } from '../replica/holdings.ts';
import { Reconciler } from '../replica/reconciler.ts';
import { openRecord, type SignedRecord } from '../replica/record.ts';
import type { StateBatch, StateStore } from '../replica/record-store.ts';
import { Replica } from '../replica/replica.ts';
import type { SyncLink, SyncMessage } from '../replica/sync-messages.ts';
import { writingClock } from '../replica/writing-clock.ts';
import { peerSigner } from './control-lab.ts';
import { MemoryDisk, MemoryStateStore } from './memory-store.ts';
import { SharedHoldings } from './shared-holdings.ts';
import type { SimulatedNetwork, Station } from './simulated-network.ts';
import { DeviceClock, type SimulatedTime } from './simulated-time.ts';

/** What a peer needs of the fabric around it. */
export interface Surroundings {
  readonly fabric: Fabric;
  readonly time: SimulatedTime;
  readonly network: SimulatedNetwork;
  readonly crypto: Crypto;
  readonly random: () => number;
  /** Computes authority; each peer by itself where left out. */
  readonly authorityOf?: typeof computeAuthority;
  /** Running peers that this one may want to be in session with. */
  others(peer: SimulatedPeer): Iterable<SimulatedPeer>;
  /** A write of this peer was acknowledged. */
  acknowledged(peer: SimulatedPeer, records: readonly SignedRecord[]): void;
  /** This peer learned who belongs now. */
  learned(peer: SimulatedPeer): void;
}

const tickMs = 1000;
/** Share of ticks at which the session with one device gives way to one with its clone. */
const displaced = 0.2;

/** A peer that keeps to the rules; what it sends can be bent by `bend`. */
export class SimulatedPeer implements Station {
  readonly number: number;
  readonly signer: Signer;
  readonly id: PeerId;
  readonly clock: DeviceClock;
  /** A sync of its disk takes up to so long. */
  syncMs = 20;
  readonly #around: Surroundings;
  disk = new MemoryDisk();
  /** What it holds beside what is on its disk, shared with other peers. */
  shared: Holdings | undefined;
  replica!: Replica;
  reconciler!: Reconciler;
  membership!: Membership;
  running = false;
  /** What the member that let it in gave it; kept in its home. */
  storedProof: readonly Uint8Array[] = [];
  /** What a liar makes of the messages of its program. */
  bend: ((message: SyncMessage, to: Station) => readonly SyncMessage[]) | undefined;
  #store!: MemoryStateStore;
  #stopTicking: () => void = () => {};
  readonly #links = new Map<PeerId, { readonly link: SyncLink; readonly other: SimulatedPeer }>();

  /** @param number whose key it has; two peers of one number are a device and its clone */
  constructor(around: Surroundings, number: number, clock: { offsetMs?: number; driftPpm?: number } = {}) {
    this.#around = around;
    this.number = number;
    this.signer = peerSigner(number);
    this.id = peerIdOf(this.signer.publicKey);
    this.clock = new DeviceClock(around.time, clock);
  }

  /** How many it is in session with, as far as it knows. */
  get sessions(): number {
    return this.#links.size;
  }

  /** Starts from what its disk holds. */
  async start(): Promise<void> {
    const { fabric, time, crypto, random, authorityOf } = this.#around;
    this.#store = new MemoryStateStore(this.disk, { byHand: true });
    const { records, local } = await this.#store.load();
    this.replica = new Replica(this.#held(records), {
      fabric,
      signer: this.signer,
      crypto,
      clock: new HybridClock(writingClock(this.clock.now, this.#fabricTime)),
      now: this.clock.now,
      fabricTimeMs: this.#fabricTime,
      store: this.#lateStore(this.#store),
      notes: local,
      yieldTurn: async () => {},
      ...(authorityOf && { authorityOf }),
      logger: silentLogger,
    });
    this.membership = new Membership(this.replica, {
      crypto,
      now: this.clock.now,
      storedProof: this.storedProof,
      dismissal: [],
      dismissed: () => {},
      admitted: () => {},
    });
    const reconciler = new Reconciler(this.replica, {
      now: time.now,
      wallNow: this.clock.now,
      schedule: time.schedule,
      random,
      crypto,
      logger: silentLogger,
    });
    this.reconciler = reconciler;
    this.replica.onChange = (change) => {
      reconciler.replicaChanged(change);
      if (!change.membership) return;
      this.#around.learned(this);
      this.#confirm();
    };
    this.running = true;
    this.#stopTicking = time.schedule(tickMs * random(), () => this.#tick());
  }

  #held(records: readonly Uint8Array[]): readonly Uint8Array[] | Holdings {
    if (!this.shared) return records;
    const { fabric, crypto } = this.#around;
    const holdings = new SharedHoldings(this.shared);
    for (const raw of records) holdings.keep(openRecord(raw, fabric.id, crypto, { trusted: true }));
    return holdings;
  }

  /** The power goes: unsynced writes are lost but for some that had just reached the disk, and all sessions break. */
  crash(): void {
    if (!this.running) return;
    this.running = false;
    this.#stopTicking();
    this.replica.onChange = () => {};
    this.reconciler.close();
    this.#around.network.drop(this);
    this.#links.clear();
    this.#store.crash(Math.floor(this.#around.random() * (this.#store.waiting + 1)));
  }

  /** Writes records; resolves when they are durable here, never if the power goes before. */
  async write(...drafts: Draft[]): Promise<readonly SignedRecord[]> {
    const records = await this.replica.write(() => drafts);
    this.#around.acknowledged(this, records);
    return records;
  }

  outgoing(message: SyncMessage, to: Station): readonly SyncMessage[] {
    return this.bend ? this.bend(message, to) : [message];
  }

  /** Sends to all in session what its program would not. */
  say(message: SyncMessage): void {
    for (const { link } of this.#links.values()) link.send(message);
  }

  async handle(link: SyncLink, message: SyncMessage): Promise<void> {
    if (this.running) await this.reconciler.handle(link, message);
  }

  ended(link: SyncLink): void {
    if (!this.running) return;
    this.#forget(link);
    this.reconciler.remove(link);
  }

  /** Takes up a session that both sides agreed to; of two with one key the newer stays. */
  begin(link: SyncLink, other: SimulatedPeer): void {
    this.#links
      .get(other.id)
      ?.link.fail(new AlthingError('cancelled', 'A newer session takes the place of this one.'));
    this.#links.set(other.id, { link, other });
    this.reconciler.add(link);
  }

  /** Whether this peer would let that one's session begin. */
  lets(other: SimulatedPeer): boolean {
    try {
      this.membership.check(other.id, other.membership.proof());
      return this.membership.roleOf(other.id) !== 'guest';
    } catch (error) {
      if (error instanceof AlthingError) return false;
      throw error;
    }
  }

  /** What those in session take for the time: the middle of their clocks, the later one of two. */
  readonly #fabricTime = (): number => {
    const clocks = [this.clock.now(), ...[...this.#links.values()].map(({ other }) => other.clock.now())];
    return clocks.sort((a, b) => a - b)[clocks.length >> 1]!;
  };

  /** A device and its clone displace each other now and then. */
  #wants(other: SimulatedPeer): boolean {
    const known = this.#links.get(other.id);
    return !known || (known.other !== other && this.#around.random() < displaced);
  }

  #forget(link: SyncLink): void {
    if (this.#links.get(link.peer)?.link === link) this.#links.delete(link.peer);
  }

  /** Commits wait for the disk, several together. */
  #lateStore(store: MemoryStateStore): StateStore {
    const { time, random } = this.#around;
    return {
      load: () => store.load(),
      close: () => store.close(),
      commit: (batch: StateBatch) => {
        if (store.waiting === 0) time.schedule(this.syncMs * random(), () => store.sync());
        return store.commit(batch);
      },
    };
  }

  #tick(): void {
    const { time, network } = this.#around;
    this.#stopTicking = time.schedule(tickMs, () => this.#tick());
    this.reconciler.tick();
    for (const { link, other } of [...this.#links.values()])
      if (this.membership.roleOf(other.id) === undefined)
        link.fail(new AlthingError('not-a-member', `${other.id} does not belong to this fabric any more.`));
    for (const other of this.#around.others(this)) {
      if (!network.canReach(this, other) || !this.#wants(other) || !other.#wants(this)) continue;
      if (!this.lets(other) || !other.lets(this)) continue;
      const [mine, theirs] = network.open(this, other);
      this.begin(mine, other);
      other.begin(theirs, this);
    }
    this.#confirm();
  }

  #confirm(): void {
    this.membership.confirm().catch((error: unknown) => {
      if (!(error instanceof AlthingError)) throw error;
    });
  }
}
