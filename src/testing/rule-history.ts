/**
 * Random histories of homes that run rules: Things speak, people change rules, power and network fail, clocks are wrong.
 * Relies on the lab for the real engines, and on a seed for all chance, so that what a history shows can be shown again.
 */
import { AlthingError } from '../core/errors.ts';
import { RuleChronicle } from './rule-chronicle.ts';
import { RuleHome, sceneKey } from './rule-home.ts';
import { RuleLab } from './rule-lab.ts';
import type { LabPeer } from './rule-lab-peer.ts';
import type { LabThing } from './rule-lab-things.ts';
import { randomFrom } from './seed.ts';

/** `quiet`: nothing breaks; `stormy`: power, network and devices fail; `astray`: clocks are wrong by minutes, too. */
export const historyKinds = ['quiet', 'stormy', 'astray'] as const;
export type HistoryKind = (typeof historyKinds)[number];

export interface RuleHistoryOptions {
  readonly seed: number;
  readonly kind: HistoryKind;
  /** Things that happen; 60 where left out. */
  readonly turns?: number;
}

/** Presence is settled half a minute after a start. */
const settlingMs = 35_000;
/** After the last turn all that runs comes to its end: delays and waits of a run are a few minutes at most. */
const restMs = 900_000;
const maxOffMs = 240_000;
const minute = 60_000;
/** Points that a peer passes at most before its power goes. */
const mostPoints = 25;

/** What happened, to see that enough did. */
export interface HistoryCounts {
  crashes: number;
  /** Crashes by where they came: `commit`, `sync`, `begin`, `done`, `answer ...`, `heard ...`. */
  readonly points: Map<string, number>;
  cuts: number;
  oneWayCuts: number;
  breaks: number;
  changes: number;
  clocks: number;
  late: number;
  failed: number;
}

/** One history. */
export class RuleHistory {
  readonly chronicle = new RuleChronicle();
  readonly lab: RuleLab;
  readonly counts: HistoryCounts;
  readonly kind: HistoryKind;
  /** When it was over, and all was whole again. */
  endedMs = 0;
  /** What was still being counted or stood by for when nothing was left to do. */
  readonly leftOver: string[] = [];
  readonly #home: RuleHome;
  readonly #options: RuleHistoryOptions;
  readonly #rules: string[] = [];
  #doomed: { peer: LabPeer; points: number } | undefined;

  constructor(options: RuleHistoryOptions) {
    this.#options = options;
    this.kind = options.kind;
    const random = randomFrom(options.seed);
    const isQuiet = options.kind === 'quiet';
    this.lab = new RuleLab({
      ...{ random, witness: this.chronicle },
      ...(isQuiet
        ? { latencyMs: 30, syncMs: 20 }
        : { latencyMs: 250, syncMs: 150, deafMs: 1800, redialMs: 1500, exposeMs: 2500 }),
    });
    this.#home = new RuleHome(random, this.lab.peers);
    this.chronicle.lab = this.lab;
    this.chronicle.at = (peer, point) => this.#passes(peer, point);
    const none = { crashes: 0, cuts: 0, oneWayCuts: 0, breaks: 0, changes: 0, clocks: 0, late: 0, failed: 0 };
    this.counts = { ...none, points: new Map() };
  }

  /** Sets the home up, lives through all turns, mends everything, and waits until nothing is left to do. */
  async live(): Promise<void> {
    const { lab } = this;
    await this.#begin();
    for (let turn = this.#options.turns ?? 60; turn > 0; turn--) {
      this.#happen();
      await lab.pass(this.#anyPause());
    }
    this.#doomed = undefined;
    this.#mendAll();
    for (const peer of lab.peers) if (!peer.isUp) peer.start();
    await lab.pass(settlingMs);
    this.endedMs = lab.clock.now();
    await this.#rest();
  }

  async #begin(): Promise<void> {
    const { lab } = this;
    const home = this.#home;
    for (let number = 3 + home.pick(4); number > 0; number--) await lab.start(`p${number}`);
    home.furnish();
    for (const thing of home.things) this.#command(thing);
    await lab.pass(3000);
    lab.place({ zone: 'UTC', latitude: 0, longitude: 0 });
    lab.scene(sceneKey, { name: sceneKey, values: home.scene() });
    for (let number = 2 + home.pick(4); number > 0; number--) {
      this.#rules.push(`r${number}`);
      lab.rule(`r${number}`, home.rule());
    }
    await lab.pass(settlingMs);
  }

  /** Devices take a moment; where something breaks some fail, and some answer when nobody waits any more. */
  #command(thing: LabThing): void {
    const home = this.#home;
    thing.acting = async () => {
      const isQuiet = this.kind === 'quiet';
      const isLate = !isQuiet && home.chance(0.04);
      if (isLate) this.counts.late += 1;
      const takesMs = isLate ? home.pick(15_000) : home.pick(isQuiet ? 50 : 300);
      await new Promise<void>((resolve) => this.lab.clock.schedule(takesMs, resolve));
      if (isQuiet || !home.chance(0.06)) return;
      this.counts.failed += 1;
      throw new AlthingError('handler-failed', 'The lamp is broken.');
    };
  }

  #anyPause(): number {
    const home = this.#home;
    const dice = home.pick(100);
    if (dice < 30) return home.pick(300);
    if (dice < 75) return home.pick(4000);
    return dice < 92 ? home.pick(20_000) : 40_000 + home.pick(60_000);
  }

  #happen(): void {
    const home = this.#home;
    const dice = home.pick(this.kind === 'quiet' ? 48 : 100);
    if (dice < 22) this.#say('property');
    else if (dice < 34) this.#say('event');
    else if (dice < 38) for (let times = 3 + home.pick(8); times > 0; times--) this.#say('event');
    else if (dice < 42) this.#fire();
    else if (dice < 48) this.#changeRule();
    else if (dice < 56) this.#anyUp()?.crash({ power: home.chance(0.5) });
    else if (dice < 66) this.#doom();
    else if (dice < 69) void this.#anyUp()?.stop();
    else if (dice < 78) this.#startOne();
    else if (dice < 88) this.#cut();
    else if (dice < 93) this.#break();
    else if (dice < 97 || this.kind === 'stormy') this.#mendAll();
    else this.#setClock();
  }

  #anyUp(): LabPeer | undefined {
    return this.#home.oneOf(this.lab.peers.filter(({ isUp }) => isUp));
  }

  #say(what: 'property' | 'event'): void {
    const home = this.#home;
    const heard = home.chance(0.7) ? home.oneOf(this.#listenedTo(what)) : undefined;
    const thing = home.things.find(({ id }) => id === heard?.thing) ?? home.oneOf(home.things);
    const peer = this.lab.peers.find(({ things }) => things.has(thing.id))!;
    if (what === 'event') peer.emit(thing, 'bell', home.level);
    else peer.emit(thing, heard?.name ?? home.oneOf(Object.keys(thing.values)), home.level);
  }

  /** What triggers rules at the moment. */
  #listenedTo(what: 'property' | 'event'): { readonly thing: string; readonly name: string }[] {
    return this.lab.peers[0]!.book.rules().flatMap(({ rule }) =>
      rule.triggers.flatMap((trigger) => {
        if (what === 'event') return 'event' in trigger ? [trigger.event] : [];
        return 'property' in trigger ? [trigger.property] : [];
      }),
    );
  }

  #fire(): void {
    const refused = (error: unknown): void => {
      // It is disabled or removed at the moment.
      if (!(error instanceof AlthingError)) throw error;
    };
    this.#anyUp()?.engine.fire(this.#home.oneOf(this.#rules), this.#home.level).catch(refused);
  }

  #changeRule(): void {
    const home = this.#home;
    const by = this.#anyUp();
    if (!by) return;
    const key = home.oneOf(this.#rules);
    const rule = by.book.rule(key)?.rule;
    this.counts.changes += 1;
    if (!rule || home.chance(0.4)) this.lab.rule(key, home.rule(), by);
    else if (home.chance(0.5)) this.lab.rule(key, { ...rule, enabled: !rule.enabled }, by);
    else this.lab.rule(key, null, by);
  }

  /** The power will go at one of the next things that a peer does. */
  #doom(): void {
    const peer = this.#anyUp();
    if (peer) this.#doomed = { peer, points: this.#home.pick(mostPoints) };
  }

  #passes(peer: LabPeer, point: string): void {
    if (this.#doomed?.peer !== peer || this.#doomed.points-- > 0) return;
    this.#doomed = undefined;
    this.counts.points.set(point, (this.counts.points.get(point) ?? 0) + 1);
    this.#goes(peer);
  }

  #goes(peer: LabPeer): void {
    this.counts.crashes += 1;
    peer.crash({ power: this.#home.chance(0.5) });
    // Most come back by themselves.
    if (this.#home.chance(0.6))
      this.lab.clock.schedule(this.#home.pick(12_000), () => !peer.isUp && peer.start());
  }

  #startOne(): void {
    this.#home.oneOf(this.lab.peers.filter(({ isUp }) => !isUp))?.start();
  }

  #cut(): void {
    const home = this.#home;
    const { peers, network } = this.lab;
    const sides = new Map(peers.map((peer) => [peer, home.pick(2)]));
    const isWhole = home.chance(0.6);
    const [a, b] = [home.oneOf(peers), home.oneOf(peers)];
    this.counts.cuts += 1;
    if (!isWhole) {
      const oneWay = home.chance(0.6);
      if (oneWay) this.counts.oneWayCuts += 1;
      if (a !== b) network.cut(a, b, { oneWay });
      return;
    }
    for (const one of peers)
      for (const other of peers) if (sides.get(one)! < sides.get(other)!) network.cut(one, other);
  }

  #break(): void {
    const { peers, network } = this.lab;
    const [a, b] = [this.#home.oneOf(peers), this.#home.oneOf(peers)];
    if (a === b) return;
    this.counts.breaks += 1;
    network.sever(a, b);
  }

  #mendAll(): void {
    const { peers, network } = this.lab;
    for (const [index, one] of peers.entries())
      for (const other of peers.slice(index + 1)) network.mend(one, other);
  }

  #setClock(): void {
    const peer = this.#home.oneOf(this.lab.peers);
    this.counts.clocks += 1;
    peer.offsetMs = this.#home.pick(2 * maxOffMs) - maxOffMs;
    this.chronicle.changed(peer);
  }

  /** No rule fires any more; what runs ends. Then whatever is left shows. */
  async #rest(): Promise<void> {
    const { lab } = this;
    for (const peer of lab.peers) peer.offsetMs = 0;
    for (const key of this.#rules) lab.rule(key, { triggers: [{ manual: true }], steps: [{ stop: 'over' }] });
    await lab.pass(restMs);
    await this.#showCopies();
    for (const key of this.#rules) lab.rule(key, null);
    await lab.pass(minute);
    for (const peer of lab.peers) {
      const runs = [...peer.disk.local.keys()].filter((key) => key.includes('/run/'));
      this.leftOver.push(...runs.map((key) => `${peer.name} keeps ${key}`));
      for (const { firing, ended } of peer.executions())
        if (ended === null) this.leftOver.push(`${peer.name} still runs ${firing}`);
    }
    if (lab.clock.pending > 0) this.leftOver.push(`${lab.clock.pending} timers are set`);
    await lab.close();
  }

  /** A copy of a run that ended long ago shows when its runner goes: somebody takes it over. */
  async #showCopies(): Promise<void> {
    const { lab } = this;
    const told = (): number => lab.peers.reduce((sum, peer) => sum + peer.told.length, 0);
    for (const peer of lab.peers) {
      const before = told();
      peer.crash();
      await lab.pass(10_000);
      peer.start();
      await lab.pass(settlingMs);
      if (told() === before) continue;
      const last = lab.peers.flatMap((one) =>
        one.told.slice(-1).map(({ firing }) => `${one.name} ${firing}`),
      );
      this.leftOver.push(`runs of ${peer.name} that are over were taken over: ${last.join(', ')}`);
    }
  }
}
