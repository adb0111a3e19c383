/**
 * A random history of a simulated fabric: writing, joining, partitions, power cuts, backups, clones and liars; then rest.
 * Relies on the simulator; the same seed makes the same history.
 */
import { AlthingError } from '../core/errors.ts';
import { thingIdOf } from '../core/ids.ts';
import { revocationDraft } from '../peer/governance/revocation-draft.ts';
import type { Draft } from '../replica/draft.ts';
import type { MemoryDisk } from './memory-store.ts';
import { govern, recover } from './simulated-governance.ts';
import { Liar } from './simulated-liar.ts';
import type { SimulatedPeer } from './simulated-peer.ts';
import { readsOf, Simulator, vectorOf } from './simulator.ts';

/** What may happen in a history. */
export interface HistoryOptions {
  readonly seed: number;
  /** Things that happen; 60 where left out. */
  readonly steps?: number;
  readonly liars?: number;
  /** Whether admins revoke, replace, grant, and change who is an admin. */
  readonly governed?: boolean;
  /** Peers that join at first, the founder not counted; 2 to 5 where left out. */
  readonly members?: number;
}

/** After the last step the fabric has this long to come to rest: three rounds of retelling, and what follows. */
const restMs = 400_000;
const most = 9;
/** A sync of a slow disk takes up to so long. */
const slowSyncMs = 400;

/** A clock that runs is off by no more; one whose battery was dead is behind. */
const maxOffMs = 20_000;

/** A peer may refuse what it is asked to do; it must not break. */
const onlyOurs = (error: unknown): void => {
  if (!(error instanceof AlthingError)) throw error;
};

/** One history under way. */
export class History {
  readonly simulator: Simulator;
  readonly #options: HistoryOptions;
  readonly #liars: Liar[] = [];
  readonly #images = new Map<SimulatedPeer, MemoryDisk>();
  readonly #invites: number[] = [];
  #number = 0;
  #cloned = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.simulator = new Simulator({ seed: options.seed });
  }

  /** Founds the fabric, lets the first members in, lives through all steps, heals everything, and comes to rest. */
  async live(): Promise<void> {
    const { simulator } = this;
    await this.#begin();
    for (let step = this.#options.steps ?? 60; step > 0; step--) {
      this.#happen().catch(onlyOurs);
      await simulator.time.run(simulator.random() < 0.2 ? simulator.pick(20_000) : simulator.pick(600));
    }
    // The power cut of the last step may be still to come: nobody would start its peer again.
    await simulator.time.run(slowSyncMs);
    simulator.network.heal();
    this.#setClocksRight();
    for (const peer of simulator.peers) if (peer.replica && !peer.running) await peer.start();
    await simulator.until(() => this.#isEqual(), restMs);
    // What was equal by chance must stay so.
    await simulator.time.run(150_000);
  }

  /** Peers that keep to the rules and run. */
  get #running(): SimulatedPeer[] {
    return this.simulator.honest.filter(({ running }) => running);
  }

  /** Those of them that hold the fabric's records, by what the founder knows: guests and who came too late do not. */
  get honest(): SimulatedPeer[] {
    return this.#running.filter(({ id }) => this.isPromised(id));
  }

  /** Whether an author's records are to be the same everywhere: those of members. */
  readonly isPromised = (author: string): boolean => {
    const role = this.simulator.peers[0]!.replica.authority.members.get(author)?.role;
    return role !== undefined && role !== 'guest';
  };

  #isEqual(): boolean {
    const said = this.honest.map((peer) => [...readsOf(peer), ...vectorOf(peer, this.isPromised)].join('\n'));
    return new Set(said).size === 1;
  }

  async #begin(): Promise<void> {
    const { simulator } = this;
    const founder = this.#add();
    await founder.start();
    const members = this.#options.members ?? 2 + simulator.pick(4);
    void simulator
      .invite(founder, { uses: members + 2, forMs: 1e9 })
      .then((invite) => this.#invites.push(invite));
    await simulator.time.run(100);
    for (let count = 0; count < members + (this.#options.liars ?? 0); count++) {
      const member = this.#add();
      this.#join(member, founder, this.#invites[0]!);
      await simulator.time.run(200);
      if (count >= members && member.running)
        this.#liars.push(new Liar(simulator, member, { equivocates: false }));
    }
    await simulator.time.run(5000);
  }

  #add(): SimulatedPeer {
    const { simulator } = this;
    const clock = { offsetMs: this.#anyOffset(), driftPpm: simulator.pick(400) - 200 };
    const peer = simulator.add(this.#number, clock);
    if (simulator.random() < 0.3) peer.syncMs = slowSyncMs;
    this.#number += 1;
    return peer;
  }

  #join(joiner: SimulatedPeer, member: SimulatedPeer, invite: number): void {
    // Used up or expired: it stays a stranger.
    this.simulator.join(joiner, member, this.simulator.peers[0]!, invite).catch(onlyOurs);
  }

  /** Something happens somewhere. */
  async #happen(): Promise<void> {
    const { simulator } = this;
    const { random } = simulator;
    const peer = simulator.oneOf(this.#running);
    const dice = random() * 100;
    if (!peer) await this.#startOne();
    else if (this.#options.governed && random() < 0.35) await this.#govern(peer);
    else if (dice < 40)
      await peer.write(...Array.from({ length: 1 + simulator.pick(3) }, () => this.#anyDraft(peer)));
    else if (dice < 50) this.#divideOrHeal();
    else if (dice < 53) peer.crash();
    else if (dice < 57) await this.#crashWriting(peer);
    else if (dice < 68) await this.#startOne();
    else if (dice < 71) this.#images.set(peer, peer.disk.image());
    else if (dice < 75) await this.#restoreOne();
    else if (dice < 77) await this.#clone(peer);
    else if (dice < 80) this.#setClock(peer);
    else if (dice < 83) await this.#inviteMore();
    else if (dice < 87) this.#joinOne(peer);
    else if (this.#liars.length > 0) await simulator.oneOf(this.#liars).act();
    else this.#breakOne(peer);
  }

  async #govern(peer: SimulatedPeer): Promise<void> {
    const { simulator } = this;
    const { admins } = peer.replica.authority;
    const dice = simulator.random();
    if (admins.has(peer.id)) await govern(simulator, peer);
    else if (dice < 0.05) await peer.write(revocationDraft('peer', peer.id));
    else if (dice < 0.1 && this.isPromised(peer.id)) await recover(simulator, peer);
    else if (simulator.peers[0]!.running) await govern(simulator, simulator.peers[0]!);
  }

  /** The power goes about when what was just written reaches the disk. */
  async #crashWriting(peer: SimulatedPeer): Promise<void> {
    const { simulator } = this;
    simulator.time.schedule(peer.syncMs * simulator.random(), () => peer.crash());
    await peer.write(this.#anyDraft(peer));
  }

  async #startOne(): Promise<void> {
    const stopped = this.simulator.peers.filter(({ running, replica }) => replica && !running);
    if (stopped.length > 0) await this.simulator.oneOf(stopped).start();
  }

  #divideOrHeal(): void {
    const { simulator } = this;
    if (simulator.random() < 0.4) {
      simulator.network.heal();
      return;
    }
    const sides = new Map(simulator.peers.map((peer) => [peer, simulator.pick(3)] as const));
    simulator.network.divide((station) => sides.get(station as SimulatedPeer) ?? 0);
  }

  #breakOne(peer: SimulatedPeer): void {
    const sessions = [...this.simulator.network.sessionsOf(peer)];
    if (sessions.length > 0) this.simulator.network.sever(this.simulator.oneOf(sessions));
  }

  async #restoreOne(): Promise<void> {
    const [peer, image] = this.simulator.oneOf([...this.#images]) ?? [];
    if (!peer || !image) return;
    await this.simulator.restore(peer, image.image());
  }

  async #clone(peer: SimulatedPeer): Promise<void> {
    // Two copies of one that is alone never hear of each other: there is nobody between them.
    if (this.#cloned || !this.honest.some(({ number }) => number !== peer.number)) return;
    this.#cloned = true;
    await this.simulator.clone(peer);
    if (this.simulator.random() < 0.5) return;
    peer.crash();
    await peer.start();
  }

  /** Somebody sets it, or its battery is dead and it begins anew. */
  #setClock({ clock }: SimulatedPeer): void {
    const { simulator } = this;
    const dead = simulator.random() < 0.2;
    clock.offsetMs = dead ? -simulator.pick(86_400_000) : this.#anyOffset();
  }

  #anyOffset(): number {
    return this.simulator.pick(2 * maxOffMs) - maxOffMs;
  }

  /**
   * Where most clocks in session are behind, so is the fabric's time, and data stamped by a right one waits for as long,
   * hours it may be, as it should. So somebody sets all but one right: one in the minority must change nothing.
   */
  #setClocksRight(): void {
    const behind = this.simulator.peers.filter(({ clock }) => clock.offsetMs < -maxOffMs);
    for (const { clock } of behind.slice(1)) clock.offsetMs = this.#anyOffset();
  }

  async #inviteMore(): Promise<void> {
    const { simulator } = this;
    const admin = simulator.peers[0]!;
    if (!admin.running) return;
    const terms = { uses: 1 + simulator.pick(2), forMs: simulator.oneOf([3000, 1e9]) };
    this.#invites.push(
      await simulator.invite(admin, { ...terms, role: simulator.oneOf(['member', 'member', 'guest']) }),
    );
  }

  #joinOne(member: SimulatedPeer): void {
    if (this.#number > most) return;
    this.#join(this.#add(), member, this.simulator.oneOf(this.#invites));
  }

  /** Something that a peer might write: of its own, or what is not its to write. */
  #anyDraft(peer: SimulatedPeer): Draft {
    const { simulator } = this;
    const other = simulator.oneOf(simulator.peers);
    const collection = simulator.oneOf([
      'peer',
      'thing',
      'thing',
      'shadow',
      'label',
      'rule',
      'value',
      'from-the-future',
    ]);
    const deleted = simulator.random() < 0.2;
    const value = deleted ? null : { text: 'x'.repeat(simulator.pick(100)), number: simulator.pick(1e9) };
    const owner = simulator.random() < 0.8 ? peer : other;
    const keys: Record<string, string> = {
      peer: owner.id,
      thing: thingIdOf(owner.id, `thing-${simulator.pick(3)}`),
      shadow: thingIdOf(owner.id, `thing-${simulator.pick(3)}`),
    };
    return { collection, key: keys[collection] ?? `key-${simulator.pick(3)}`, value, deleted };
  }
}
