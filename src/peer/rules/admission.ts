/**
 * Whether a firing is executed: not in a circle, not too often, its conditions true, and in the order in which it came.
 * Relies on `rules/causes.ts` for loops and rates; what is refused is kept and told, at most once a second for a rule.
 */
import type { ConditionInfo } from '../../core/rule-shapes.ts';
import { allHold } from '../../rules/all-hold.ts';
import { type FiringRate, findLoop, takeFiring } from '../../rules/causes.ts';
import { conditionInfo, executionInfo } from './execution-info.ts';
import type { Executions } from './executions.ts';
import { evaluateAll } from './facts.ts';
import { causeOfFiring, type Firing } from './firing.ts';
import type { BookRule } from './rule-book.ts';
import type { RuleWorld } from './rule-world.ts';

/** Firings of one rule whose conditions are being looked at; more than that at once are refused. */
const maxLooking = 100;
const toldEachMs = 1000;

interface Line {
  tail: Promise<void>;
  length: number;
}

/** The door that every firing passes. */
export class Admission {
  readonly #world: RuleWorld;
  readonly #executions: Executions;
  readonly #lines = new Map<string, Line>();
  readonly #rates = new Map<string, FiringRate>();
  readonly #refusedMs = new Map<string, number>();

  constructor(world: RuleWorld, executions: Executions) {
    this.#world = world;
    this.#executions = executions;
  }

  /**
   * Looks at a firing, and calls `admitted`, which decides at once and then keeps, with what the conditions saw where it is to be executed; firings of one rule
   * in the order in which they came, whichever of them has to wait longer for its values.
   */
  async admit(
    firing: Firing,
    { key, rule }: BookRule,
    admitted: (conditions: readonly ConditionInfo[]) => Promise<void>,
  ): Promise<void> {
    const loop = findLoop(firing.chain, key);
    if (loop) {
      const circle = loop.rules.join(' -> ');
      const why = loop.kind === 'own-chain' ? 'It would go round in a circle' : 'Too many rules in a row';
      this.refuse(firing, rule.name, `${why}: ${circle}.`);
      return;
    }
    const { allowed, rate } = takeFiring(this.#rates.get(key), this.#world.now(), rule.maxPerMinute);
    this.#rates.set(key, rate);
    const line = this.#lines.get(key) ?? { tail: Promise.resolve(), length: 0 };
    if (!allowed || line.length >= maxLooking) {
      this.refuse(firing, rule.name, 'It fires too often.');
      return;
    }
    this.#lines.set(key, line);
    line.length += 1;
    const looked = rule.conditions.length === 0 ? undefined : this.#look(firing, rule);
    const before = line.tail;
    let kept: Promise<void> | undefined;
    const passed = (async () => {
      const seen = (await looked) ?? { holds: true as const, conditions: [] };
      await before;
      // The next one has to wait for what its mode says of this one, not for the disk.
      if (seen.holds === true) kept = admitted(seen.conditions);
      else this.#notRun(firing, rule.name, seen);
    })();
    line.tail = passed.then(
      () => this.#passed(key, line),
      () => this.#passed(key, line),
    );
    await passed;
    await kept;
  }

  /** A firing that is not executed, whatever its conditions: kept, and told. */
  refuse(firing: Firing, name: string, message: string): void {
    const nowMs = this.#world.now();
    const toldMs = this.#refusedMs.get(firing.rule);
    if (toldMs !== undefined && nowMs >= toldMs && nowMs - toldMs < toldEachMs) return;
    this.#refusedMs.set(firing.rule, nowMs);
    const ended = { atMs: nowMs, outcome: 'refused', message } as const;
    this.#executions.add(executionInfo(this.#world.self, { ...firing, name, conditions: [] }, { ended }));
    const { rule, firing: id } = firing;
    this.#world.tell({ kind: 'rule-refused', rule, firing: id, message });
    this.#world.logger.warn({ rule, firing: id }, `A rule was not run: ${message}`);
  }

  /** Forgets what it knows of rules that are no more. */
  keepOnly(rules: ReadonlySet<string>): void {
    for (const known of [this.#rates, this.#refusedMs])
      for (const rule of known.keys()) if (!rules.has(rule)) known.delete(rule);
  }

  #passed(key: string, line: Line): void {
    line.length -= 1;
    if (line.length === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
  }

  async #look(firing: Firing, rule: BookRule['rule']) {
    const evaluated = await evaluateAll(this.#world, rule.conditions, {
      trigger: firing.trigger,
      cause: causeOfFiring(firing, this.#world),
      ...(rule.staleMs !== undefined && { staleMs: rule.staleMs }),
    });
    return {
      holds: allHold(evaluated.map(({ evaluation }) => evaluation)),
      conditions: evaluated.map((one) => conditionInfo(this.#world, one)),
    };
  }

  #notRun(
    firing: Firing,
    name: string,
    { holds, conditions }: { holds: boolean | 'unknown'; conditions: readonly ConditionInfo[] },
  ): void {
    const bad = conditions.find(({ result }) =>
      holds === 'unknown' ? result !== 'true' : result === 'false',
    );
    const message =
      holds === 'unknown'
        ? `Whether "${bad?.text}" holds is not known: ${bad?.message ?? ''}`
        : `"${bad?.text}" is false.`;
    const ended = { atMs: this.#world.now(), outcome: 'not-run', message } as const;
    this.#executions.add(executionInfo(this.#world.self, { ...firing, name, conditions }, { ended }));
  }
}
