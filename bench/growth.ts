/**
 * What a fabric costs as it grows: messages, bytes and simulated time, with every peer a real replica in one process.
 * Relies on the simulator; nothing here is measured by a wall clock, so the figures are the same on every machine.
 */
import { stampOf } from '../src/core/clock.ts';
import { thingIdOf } from '../src/core/ids.ts';
import { Neighbourhood } from '../src/net/neighbours.ts';
import { Holdings } from '../src/replica/holdings.ts';
import { comparePositions, openRecord, type RecordBody, signRecord } from '../src/replica/record.ts';
import { nodeCrypto } from '../src/store/node-crypto.ts';
import { foundedMs, inviteSigner, labFabric, peerId, peerSigner } from '../src/testing/control-lab.ts';
import { memoAuthority } from '../src/testing/memo-authority.ts';
import type { SimulatedPeer } from '../src/testing/simulated-peer.ts';
import { Simulator } from '../src/testing/simulator.ts';

/** One thing that happens to a fabric: what it costs a peer on the average, and how long until all know. */
export interface Cost {
  readonly messages: number;
  readonly kilobytes: number;
  readonly seconds: number;
}

/** What the occasions cost in a fabric of `peers`. */
export interface GrowthFigures {
  readonly peers: number;
  /** A peer changes one record. */
  readonly change: Cost;
  /** A new member joins; the cost is that of all others, divided by their number. */
  readonly newcomer: Cost;
  /** What the new member itself is sent until it has all. */
  readonly bootstrapKilobytes: number;
  /** All start at once, and nobody has anything new to say. */
  readonly restart: Cost;
  /** All start at once, and each publishes a new address. */
  readonly restartChanged: Cost | undefined;
  /** A minute in which nothing happens. */
  readonly idle: Cost;
}

/** The sizes that are measured unless others are asked for. */
const sizes = [8, 16, 32, 64, 128, 256, 500, 1000, 2000];
/** Above that many it is not measured what it costs that all have news: every peer is told of every other's. */
const maxWithNewsOfAll = 256;
const seed = 20_260_101;
/** How exactly time is measured, milliseconds. */
const stepMs = 20;
const longestMs = 600_000;
/** A Thing Description of about 2 KB, which each peer has one of. */
const thingBytes = 2000;

/** Each size in turn. `tell` hears of each as soon as it is done. */
export const benchGrowth = async (
  options: { sizes?: readonly number[]; tell?: (figures: GrowthFigures) => void } = {},
): Promise<GrowthFigures[]> => {
  const all: GrowthFigures[] = [];
  for (const peers of options.sizes ?? sizes) {
    const figures = await new Growth(peers).measure();
    options.tell?.(figures);
    all.push(figures);
  }
  return all;
};

/** The records of a fabric of n members as its founder and they themselves wrote them. */
const foundedHoldings = (members: number, uses: number): Holdings => {
  const holdings = new Holdings();
  const put = (number: number, body: Pick<RecordBody, 'collection' | 'key' | 'seq' | 'value'>): string => {
    const signer = peerSigner(number);
    const hlc = stampOf(foundedMs) + body.seq;
    const whole = { ...body, author: signer.publicKey, epoch: 1, hlc, deleted: false };
    const record = openRecord(signRecord(whole, labFabric.id, signer), labFabric.id, nodeCrypto);
    holdings.keep(record);
    return record.hash;
  };
  const invite = inviteSigner(1).publicKey;
  const role = 'member';
  const expires = foundedMs + 1e9;
  let prev: Uint8Array | null = null;
  for (let number = 0; number < members; number++) {
    const joiner = peerSigner(number).publicKey;
    const statement =
      number === 0
        ? { type: 'invite', invite, role, uses, expires }
        : { type: 'confirmation', invite, joiner, role, admitted: foundedMs };
    const control: Pick<RecordBody, 'collection' | 'key' | 'seq' | 'value'> = {
      collection: 'member',
      key: 'x',
      seq: number + 1,
      value: { ...statement, prev },
    };
    prev = Buffer.from(put(0, control), 'hex');
  }
  for (let number = 0; number < members; number++) {
    const id = peerId(number);
    put(number, { collection: 'peer', key: id, seq: 1, value: { name: `peer ${number}`, addresses: [] } });
    const td = 'x'.repeat(thingBytes);
    put(number, { collection: 'thing', key: thingIdOf(id, 'lamp'), seq: 2, value: { td } });
  }
  return holdings;
};

const holdsAllOf = ({ replica }: SimulatedPeer, author: SimulatedPeer): boolean =>
  comparePositions(replica.position('data', author.id), author.replica.position('data', author.id)) === 0;

/** One fabric, measured occasion by occasion. */
class Growth {
  readonly #size: number;
  readonly #simulator: Simulator;
  #neighbourhood: Neighbourhood;
  readonly #byId = new Map<string, SimulatedPeer>();

  constructor(size: number) {
    this.#size = size;
    this.#neighbourhood = new Neighbourhood([]);
    this.#simulator = new Simulator({
      seed,
      authorityOf: memoAuthority(),
      latencyMs: { min: 1, max: 20 },
      neighbours: (peer) => [...this.#neighbourhood.of(peer.id)].map((id) => this.#byId.get(id)!),
    });
  }

  async measure(): Promise<GrowthFigures> {
    const holdings = foundedHoldings(this.#size, this.#size + 1);
    for (let number = 0; number < this.#size; number++) this.#add(number).shared = holdings;
    this.#rearrange();
    const restart = await this.#cost(
      () => this.#startAll(),
      () => this.#allConnected(),
    );
    const idle = await this.#idle();
    const change = await this.#changeOne();
    const joined = await this.#join();
    const restartChanged = this.#size > maxWithNewsOfAll ? undefined : await this.#restartChanged();
    return { peers: this.#size, change, ...joined, restart, restartChanged, idle };
  }

  #add(number: number): SimulatedPeer {
    const peer = this.#simulator.add(number);
    this.#byId.set(peer.id, peer);
    return peer;
  }

  #rearrange(): void {
    this.#neighbourhood = new Neighbourhood(this.#byId.keys());
  }

  async #startAll(): Promise<void> {
    for (const peer of this.#simulator.peers) await peer.start();
  }

  #allConnected(): boolean {
    return this.#simulator.peers.every((peer) => peer.sessions >= this.#neighbourhood.of(peer.id).size);
  }

  /** A peer writes anew what it is called: one record, of a few hundred bytes. */
  #publish(peer: SimulatedPeer): Promise<unknown> {
    const value = { name: `peer ${peer.number}`, addresses: [`192.0.2.1:${this.#simulator.pick(65_000)}`] };
    return peer.write({ collection: 'peer', key: peer.id, value });
  }

  async #changeOne(): Promise<Cost> {
    const author = this.#simulator.oneOf(this.#simulator.peers);
    const before = author.replica.position('data', author.id);
    return this.#cost(
      async () => void this.#publish(author),
      () =>
        comparePositions(author.replica.position('data', author.id), before) > 0 && this.#allHold([author]),
    );
  }

  async #restartChanged(): Promise<Cost> {
    const { peers } = this.#simulator;
    const started = peers.map(() => false);
    return this.#cost(
      async () => {
        for (const peer of peers) peer.crash();
        await this.#startAll();
        for (const [at, peer] of peers.entries())
          void this.#publish(peer).then(() => {
            started[at] = true;
          });
      },
      () => started.every(Boolean) && this.#allConnected() && this.#allHold(peers),
    );
  }

  async #join(): Promise<Pick<GrowthFigures, 'newcomer' | 'bootstrapKilobytes'>> {
    const { peers, network } = this.#simulator;
    const others = [...peers];
    const founder = others[0]!;
    const newcomer = this.#add(this.#size);
    this.#rearrange();
    const sentTo = (): number => network.receivedBy(newcomer).bytes;
    let published = false;
    const cost = await this.#cost(
      async () => {
        void this.#simulator
          .join(newcomer, this.#simulator.oneOf(others), founder, 1)
          .then(() => this.#publish(newcomer))
          .then(() => {
            published = true;
          });
      },
      // What the others had they have.
      () =>
        published &&
        this.#allHold([newcomer]) &&
        this.#allAreMembers() &&
        others.every((other) => holdsAllOf(newcomer, other)),
    );
    return { newcomer: cost, bootstrapKilobytes: sentTo() / 1000 };
  }

  #allAreMembers(): boolean {
    return this.#simulator.peers.every(({ replica }) => replica.authority.members.size === this.#size + 1);
  }

  #allHold(authors: readonly SimulatedPeer[]): boolean {
    return this.#simulator.peers.every((peer) => authors.every((author) => holdsAllOf(peer, author)));
  }

  async #idle(): Promise<Cost> {
    await this.#simulator.time.run(5000);
    const from = this.#simulator.time.now();
    return this.#cost(
      async () => {},
      () => this.#simulator.time.now() - from >= 60_000,
    );
  }

  /** What happens from `begin` until `done`, and in the half second after that in which the news dies away. */
  async #cost(begin: () => Promise<void>, done: () => boolean): Promise<Cost> {
    const { time, network, peers } = this.#simulator;
    const before = network.total();
    const from = time.now();
    await begin();
    while (!done()) {
      if (time.now() - from > longestMs) throw new Error(`${this.#size} peers did not come to rest.`);
      await time.run(stepMs);
    }
    const seconds = (time.now() - from) / 1000;
    await time.run(500);
    const after = network.total();
    return {
      messages: (after.messages - before.messages) / peers.length,
      kilobytes: (after.bytes - before.bytes) / 1000 / peers.length,
      seconds,
    };
  }
}
