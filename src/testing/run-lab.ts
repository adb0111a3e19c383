/**
 * One run of a rule with devices, losses and power cuts, all out of one seed: the engine and the world around `run.ts`.
 * Relies on `OnceLedger` as the devices' memory; time is simulated.
 */
import { OnceLedger, type StepRequest } from '../rules/once.ts';
import type { Step } from '../rules/rule.ts';
import { advanceRun, type RunStep, startRun } from '../rules/run.ts';
import type { Command, RunEffect, RunEvent, RunState } from '../rules/run-state.ts';
import { thingIds } from './rule-arbitraries.ts';

/** An event without its time, which the lab adds. */
type Untimed = RunEvent extends infer Event ? (Event extends unknown ? Omit<Event, 'nowMs'> : never) : never;

/** How a run went, with what the world saw of it. */
export interface RunReport {
  readonly state: RunState;
  /** How often each path was really done by its device. */
  readonly acted: ReadonlyMap<string, number>;
  /** Paths that were commanded although an acknowledgement of them was durable. */
  readonly repeated: readonly string[];
  /** What was answered for expressions and selections, by path. */
  readonly values: ReadonlyMap<string, unknown>;
  readonly selected: ReadonlyMap<string, readonly Command[]>;
}

/** Plays one run to its end. `random` gives numbers in [0, 1); `trouble` is how likely each mishap is. */
export const playRun = (steps: readonly Step[], random: () => number, trouble = 0.15): RunReport => {
  const lab = new RunLab(random, trouble);
  return lab.play(steps);
};

class RunLab {
  readonly #random: () => number;
  readonly #trouble: number;
  readonly #ledger = new OnceLedger();
  readonly #acted = new Map<string, number>();
  readonly #acknowledged = new Set<string>();
  readonly #repeated: string[] = [];
  readonly #values = new Map<string, unknown>();
  readonly #selected = new Map<string, readonly Command[]>();
  #nowMs = 1_000_000;
  #timerMs: number | undefined;
  #disk = '';
  #queue: RunEffect[] = [];
  #crashes = 0;

  constructor(random: () => number, trouble: number) {
    this.#random = random;
    this.#trouble = trouble;
  }

  play(steps: readonly Step[]): RunReport {
    const firing = 'manual/rule/1';
    const trigger = { kind: 'manual', id: '0' } as const;
    this.#take(startRun({ rule: 'rule', firing, mode: 'single', clock: 7, trigger, steps }, this.#nowMs));
    for (let turn = 0; turn < 100_000; turn++) {
      const state = JSON.parse(this.#disk) as RunState;
      if (state.end) {
        const { acted, repeated, values, selected } = this.#seen();
        return { state, acted, repeated, values, selected };
      }
      this.#turn();
    }
    throw new Error('the run never ends');
  }

  #seen() {
    return { acted: this.#acted, repeated: this.#repeated, values: this.#values, selected: this.#selected };
  }

  #turn(): void {
    if (this.#crashes < 20 && this.#mishap()) {
      // A power cut: everything that is not on disk is gone, effects that were not carried out too.
      this.#crashes += 1;
      this.#queue = [];
      this.#nowMs += Math.floor(this.#random() * 20_000);
      this.#event({ type: 'resume', graceMs: Number.MAX_SAFE_INTEGER });
      return;
    }
    if (this.#queue.length > 0) {
      const [effect] = this.#queue.splice(Math.floor(this.#random() * this.#queue.length), 1);
      this.#carryOut(effect!);
      return;
    }
    if (this.#timerMs === undefined) throw new Error('the run waits for nothing');
    this.#nowMs = Math.max(this.#nowMs, this.#timerMs);
    this.#event({ type: 'time' });
  }

  #mishap(): boolean {
    return this.#random() < this.#trouble;
  }

  #event(event: Untimed): void {
    this.#nowMs += 1;
    this.#take(advanceRun(JSON.parse(this.#disk) as RunState, { ...event, nowMs: this.#nowMs } as RunEvent));
  }

  #take({ state, effects }: RunStep): void {
    this.#disk = JSON.stringify(state);
    this.#timerMs = undefined;
    for (const effect of effects) {
      if (effect.type === 'timer') this.#timerMs = effect.atMs;
      else if (effect.type !== 'finished') this.#queue.push(effect);
    }
  }

  #carryOut(effect: RunEffect): void {
    if (effect.type === 'timer' || effect.type === 'finished') return;
    const { path } = effect;
    switch (effect.type) {
      case 'evaluate': {
        if (!this.#values.has(path)) this.#values.set(path, this.#random() < 0.6);
        this.#event({ type: 'evaluated', path, result: { value: this.#values.get(path) } });
        return;
      }
      case 'select': {
        const count = Math.floor(this.#random() * 3);
        const commands = thingIds
          .slice(0, count + 1)
          .map((thing): Command => ({ thing, op: 'writeproperty', name: 'on' }));
        this.#selected.set(path, commands);
        this.#event({ type: 'selected', path, commands });
        return;
      }
      case 'set':
        this.#event({ type: 'outcome', path, outcome: { kind: 'done' } });
        return;
      case 'watch':
        if (this.#random() < 0.7) this.#event({ type: 'occurred', path });
        return;
      case 'command':
        this.#command(path);
        return;
      case 'ask':
        if (this.#mishap()) return; // Out of reach: the time will tell.
        this.#event({ type: 'answered', path, answer: this.#answer(path) });
    }
  }

  #request(path: string): StepRequest {
    return { rule: 'rule', firing: 'manual/rule/1', step: path, mode: 'single', clock: 7 };
  }

  #answer(path: string): Extract<RunEvent, { type: 'answered' }>['answer'] {
    const known = this.#ledger.answer(this.#request(path));
    if (known === 'not-seen') return 'not-seen';
    if (known === 'forgotten' || known.outcome === 'begun') return 'unknown';
    return known.outcome === 'done' ? 'done' : { failed: known.code! };
  }

  #command(path: string): void {
    if (this.#acknowledged.has(path)) this.#repeated.push(path);
    const outcome = (kind: 'unknown' | 'done' | 'failed'): void => {
      if (kind === 'failed')
        this.#event({ type: 'outcome', path, outcome: { kind, code: 'handler-failed' } });
      else this.#event({ type: 'outcome', path, outcome: { kind } });
      if (kind === 'done') this.#acknowledged.add(path);
    };
    // The request was lost.
    if (this.#mishap()) {
      outcome('unknown');
      return;
    }
    const decision = this.#ledger.decide(this.#request(path));
    if (decision.kind === 'do') {
      this.#ledger.take(decision.entry);
      // The device lost its power before it acted.
      if (this.#mishap()) {
        outcome('unknown');
        return;
      }
      const fails = this.#mishap();
      if (!fails) this.#acted.set(path, (this.#acted.get(path) ?? 0) + 1);
      this.#ledger.settle(decision.entry, fails ? 'failed' : 'done', fails ? 'handler-failed' : undefined);
    }
    if (this.#mishap()) return; // The answer was lost, and nobody says so.
    const answer = this.#answer(path);
    if (answer === 'done') outcome('done');
    else outcome(typeof answer === 'object' ? 'failed' : 'unknown');
  }
}
