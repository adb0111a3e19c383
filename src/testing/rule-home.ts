/**
 * Random homes for histories of rules: Things, scenes, and rules of every trigger, mode and step that do something there.
 * Relies on a seeded source of chance; times are short, so that much happens in few minutes.
 */
import type { PeerId } from '../core/ids.ts';
import {
  type Operand,
  parseRule,
  type Rule,
  ruleModes,
  type Step,
  type StepOptions,
  type Trigger,
} from '../rules/rule.ts';
import type { LabPeer } from './rule-lab-peer.ts';
import type { LabThing } from './rule-lab-things.ts';

/** Levels that properties have: few, so that what rules wait for comes about. */
const levels = 5;
const maxDepth = 3;
export const sceneKey = 'evening';

/** A home, and what its rules may be. */
export class RuleHome {
  readonly #random: () => number;
  readonly #peers: readonly LabPeer[];

  constructor(random: () => number, peers: readonly LabPeer[]) {
    this.#random = random;
    this.#peers = peers;
  }

  /** Gives every peer its Things. */
  furnish(): void {
    for (const [index, peer] of this.#peers.entries()) {
      peer.expose('lamp', { x: 0, y: 0 });
      if (this.chance(0.6) || index === 0) peer.expose('sensor', { m: 0 });
      if (this.chance(0.3)) peer.expose('meter', { w: 0 }, false);
    }
  }

  /** Whole number below n. */
  pick(n: number): number {
    return Math.floor(this.#random() * n);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** One of these; of none nothing, which callers that know better need not look for. */
  oneOf<Item>(items: readonly Item[]): Item {
    return items[this.pick(items.length)]!;
  }

  get level(): number {
    return this.pick(levels);
  }

  get things(): LabThing[] {
    return this.#peers.flatMap((peer) => [...peer.things.values()]);
  }

  /** A scene over some lamps. */
  scene(): { thing: string; property: string; value: unknown }[] {
    return this.#lamps()
      .filter(() => this.chance(0.6))
      .map((lamp) => ({ thing: lamp, property: 'x', value: this.level }));
  }

  rule(): Rule {
    const rule: Rule = {
      name: 'Random',
      enabled: true,
      mode: this.oneOf(ruleModes),
      ...(this.chance(0.5) && { max: 1 + this.pick(5) }),
      ...(this.chance(0.2) && { maxPerMinute: 5 + this.pick(40) }),
      triggers: this.#some(2, () => this.#trigger()),
      conditions: this.chance(0.3) ? this.#some(2, () => this.#question()) : [],
      steps: this.#steps(1),
    };
    if (!parseRule(rule)) throw new Error(`no rule: ${JSON.stringify(rule)}`);
    return rule;
  }

  #some<Item>(most: number, make: () => Item): Item[] {
    return Array.from({ length: 1 + this.pick(most) }, make);
  }

  #lamps(): string[] {
    return this.things.filter(({ td }) => td.title === 'lamp').map(({ id }) => id);
  }

  #property(): { thing: string; name: string } {
    const thing = this.oneOf(this.things);
    return { thing: thing.id, name: this.oneOf(Object.keys(thing.values)) };
  }

  #trigger(): Trigger {
    const dice = this.pick(100);
    if (dice < 30) return { property: this.#propertyTrigger() };
    if (dice < 50) return { event: { thing: this.oneOf(this.things).id, name: 'bell' } };
    if (dice < 75) return { time: this.#time() };
    const coming = {
      goes: this.oneOf(['online', 'offline'] as const),
      ...(this.chance(0.3) && { forMs: 1000 * (1 + this.pick(8)) }),
    };
    if (dice < 87) return { peer: { name: this.#anyPeer(), ...coming } };
    if (dice < 95) return { thing: { name: this.oneOf(this.things).id, ...coming } };
    return { manual: true };
  }

  #propertyTrigger() {
    const from = this.#property();
    const lasts = this.chance(0.25) && { forMs: 1000 * (2 + this.pick(20)) };
    switch (this.pick(4)) {
      case 0:
        return { ...from, changes: true as const, ...lasts };
      case 1:
        return { ...from, becomes: this.level, ...lasts };
      case 2:
        return { ...from, above: this.level, hysteresis: this.pick(3), ...lasts };
      default:
        return { ...from, below: this.level, ...lasts };
    }
  }

  #time() {
    if (this.chance(0.6)) return { cron: this.oneOf(['* * * * *', '*/2 * * * *']) };
    if (this.chance(0.3)) return { sun: 'sunrise' as const, offsetMs: (112 + this.pick(14)) * 60_000 };
    return { at: `08:0${this.pick(10)}:${10 + this.pick(50)}` };
  }

  #anyPeer(): PeerId {
    return this.oneOf(this.#peers).id;
  }

  /** Something that is true or false, or not known. */
  #question(): string {
    const { thing, name } = this.#property();
    return this.oneOf([
      `thing("${thing}").${name} ${this.oneOf(['<', '>', '=='])} ${this.level}`,
      `online("${this.#anyPeer()}")`,
      `!known(value("seen")) || value("seen") != ${this.level}`,
      'trigger.kind != "manual"',
    ]);
  }

  #operand(): Operand {
    if (this.chance(0.75)) return { literal: this.level };
    const { thing, name } = this.#property();
    return { cel: this.oneOf([`thing("${thing}").${name}`, 'trigger.kind', `${this.level} + 1`]) };
  }

  #steps(depth: number): Step[] {
    return this.#some(depth === 1 ? 4 : 2, () => this.#step(depth));
  }

  #step(depth: number): Step {
    const dice = this.pick(depth < maxDepth ? 100 : 80);
    if (dice < 52) return this.#command(depth);
    if (dice < 58) return { set: { name: 'seen', value: this.#operand() } };
    if (dice < 70) return { delay: 500 * (1 + this.pick(60)) };
    if (dice < 78) return { wait: this.#wait() };
    if (dice < 80) return { stop: 'enough' };
    if (dice < 87)
      return {
        choose: this.#some(2, () => ({ if: this.#question(), steps: this.#steps(depth + 1) })),
        ...(this.chance(0.5) && { else: this.#steps(depth + 1) }),
      };
    if (dice < 93)
      return {
        repeat: {
          times: 1 + this.pick(3),
          ...(this.chance(0.3) && { while: this.#question() }),
          steps: this.#steps(depth + 1),
        },
      };
    return { parallel: this.#some(3, () => this.#steps(depth + 1)) };
  }

  #command(depth: number): Step {
    const options = this.#options(depth);
    const dice = this.pick(100);
    if (dice < 8) return { scene: sceneKey, ...options };
    const target = dice < 75 ? { thing: this.oneOf(this.#lamps()) } : this.#selection();
    if (dice % 4 === 0) return { invoke: { ...target, action: 'go', input: this.#operand() }, ...options };
    return { write: { ...target, property: this.oneOf(['x', 'y']), value: this.#operand() }, ...options };
  }

  #selection() {
    const selection = { type: 'Lab', capability: 'x' };
    return this.chance(0.5) ? { every: selection } : { any: selection };
  }

  #options(depth: number): StepOptions {
    return {
      ...(this.chance(0.3) && { deadlineMs: 1000 * (2 + this.pick(8)) }),
      ...(this.chance(0.3) && { retry: { times: 1 + this.pick(2), pauseMs: 500 * this.pick(8) } }),
      ...(this.chance(0.6) && { onFailure: 'continue' as const }),
      ...(depth < maxDepth && this.chance(0.1) && { onFailure: this.#steps(depth + 1) }),
    };
  }

  #wait() {
    const onTimeout = this.oneOf(['stop', 'continue'] as const);
    const timeoutMs = 1000 * (2 + this.pick(30));
    if (this.chance(0.5)) return { until: this.#question(), timeoutMs, onTimeout };
    return { event: { thing: this.oneOf(this.things).id, name: 'bell' }, timeoutMs, onTimeout };
  }
}
