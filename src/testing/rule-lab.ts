/**
 * Several peers that run rules, in one process with one clock that the test turns: engines, stores and step gates are
 * the real ones. Relies on a simulated network, whose links a test cuts, and on Things that remember what they did.
 */
import { stampOf } from '../core/clock.ts';
import { encode } from '../core/codec.ts';
import { type PeerId, parseThingId, peerIdOf } from '../core/ids.ts';
import { parseRule, type Rule, type Scene } from '../rules/rule.ts';
import type { Place } from '../rules/schedule.ts';
import { FakeClock } from './fake-clock.ts';
import { memoCrypto } from './memo-crypto.ts';
import { type LabAround, LabPeer, type LabRecord, type LabWitness } from './rule-lab-peer.ts';
import type { LabAct } from './rule-lab-things.ts';
import { RuleNetwork, type RuleNetworkOptions } from './rule-network.ts';
import { randomFrom } from './seed.ts';

/** What expressions and plans need, loaded before the clock is turned. */
const loadLanguages = () =>
  Promise.all([
    import('../rules/expression.ts'),
    import('../rules/expression-syntax.ts'),
    import('../rules/schedule.ts'),
  ]);

/** How a fabric is: where nothing is said, nothing takes time but what a test makes wait. */
export interface RuleLabOptions extends RuleNetworkOptions {
  readonly random?: () => number;
  /** A sync of a disk takes up to so long; what is not synced is lost when the power goes. */
  readonly syncMs?: number;
  /** Things come up to so long after their peer. */
  readonly exposeMs?: number;
  readonly witness?: LabWitness;
}

/** Turns of the event loop in which whatever needs no time has happened. */
const turns = 4;

/** The fabric of a test. */
export class RuleLab {
  readonly clock = new FakeClock();
  readonly network: RuleNetwork;
  readonly peers: LabPeer[] = [];
  /** Everything that any Thing began, in the order in which it did. */
  readonly acts: LabAct[] = [];
  /** What was last known of values, by Thing and property. */
  readonly lastKnown = new Map<string, { readonly value: unknown; readonly ageMs: number }>();
  readonly #around: LabAround;
  #stamp = 0;

  constructor(options: RuleLabOptions = {}) {
    const { random = randomFrom(1), syncMs = 0, exposeMs = 0, witness = {}, ...network } = options;
    const { clock, peers, acts, lastKnown } = this;
    this.network = new RuleNetwork(clock, random, network);
    this.#around = {
      ...{ clock, network: this.network, random, witness, syncMs, exposeMs, peers, acts, lastKnown },
      crypto: memoCrypto(random),
      record: (collection, key, value) => this.#record(collection, key, value),
    };
  }

  /** A peer that runs. */
  async start(name: string): Promise<LabPeer> {
    await loadLanguages();
    const peer = new LabPeer(this.#around, name, peerIdOf(new Uint8Array(32).fill(this.peers.length + 1)));
    this.peers.push(peer);
    peer.start();
    return peer;
  }

  peer(id: PeerId): LabPeer | undefined {
    return this.peers.find((peer) => peer.id === id);
  }

  /** Writes a rule as an admin does; null removes it. All know it at once, unless somebody is said to have written it. */
  rule(key: string, rule: Partial<Rule> | null, by?: LabPeer): void {
    const whole = rule && { name: key, enabled: true, mode: 'single', conditions: [], ...rule };
    if (whole && !parseRule(whole)) throw new Error(`${key} is no rule`);
    const records = [this.#record('rule', key, whole)];
    for (const peer of by ? [by] : this.peers) peer.take(records);
  }

  scene(key: string, scene: Scene): void {
    const records = [this.#record('scene', key, scene)];
    for (const peer of this.peers) peer.take(records);
  }

  /** Says where the fabric is. */
  place(place: Place): void {
    const records = [this.#record('setting', 'place', place)];
    for (const peer of this.peers) peer.take(records);
  }

  /** Cuts the network between two peers, or mends it. */
  link(a: LabPeer, b: LabPeer, isLinked: boolean): void {
    if (isLinked) this.network.mend(a, b);
    else this.network.cut(a, b);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass, as it comes due. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.settle();
    for (let dueMs = this.clock.dueMs; dueMs !== undefined && dueMs <= until; dueMs = this.clock.dueMs) {
      this.clock.advance(Math.max(0, dueMs - this.clock.now()));
      await this.settle();
    }
    this.clock.advance(until - this.clock.now());
    await this.settle();
  }

  /** What was done, oldest first. */
  get deeds(): LabAct[] {
    return this.acts.filter(({ outcome }) => outcome === 'done').sort((a, b) => a.endedMs! - b.endedMs!);
  }

  /** The same in short: `lamp.on=true`. */
  get done(): string[] {
    return this.deeds.map(
      ({ thing, name, input }) => `${parseThingId(thing)!.name}.${name}=${JSON.stringify(input)}`,
    );
  }

  async close(): Promise<void> {
    for (const peer of this.peers) await peer.stop();
  }

  #record(collection: string, key: string, value: unknown): LabRecord {
    this.#stamp = Math.max(this.#stamp + 1, stampOf(this.clock.now()));
    const raw = new Uint8Array([...new Uint8Array(64), ...encode([0, 0, 0, 0, 0, 0, 0, value])]);
    const record = { collection, key, raw, hlc: this.#stamp, authorId: this.peers[0]!.id };
    return { ...record, isDeleted: value === null } as unknown as LabRecord;
  }
}
