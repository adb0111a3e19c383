/**
 * The executions of rules at this peer: begun, kept, gone on with after a restart, and how those of one rule get along.
 * Relies on `rules/modes.ts` for that, on `admission.ts` for which firings are executed, on `run-driver.ts` for each run.
 */
import type { ConditionInfo, ExecutionInfo } from '../../core/rule-shapes.ts';
import { type ModeState, type ModeStep, newModeState, ruleFires, runEnds } from '../../rules/modes.ts';
import type { FiringId } from '../../rules/placement.ts';
import type { Step } from '../../rules/rule.ts';
import type { RunEnd } from '../../rules/run-state.ts';
import { Admission } from './admission.ts';
import { endInfo, executionInfo } from './execution-info.ts';
import { Executions } from './executions.ts';
import type { Firing } from './firing.ts';
import { inBackground } from './in-background.ts';
import { factsOf, type KeptRun, parseKeptRun } from './kept-run.ts';
import type { BookRule } from './rule-book.ts';
import type { ExecutionFilter } from './rule-store.ts';
import type { RuleWorld } from './rule-world.ts';
import { type DriverOwner, RunDriver } from './run-driver.ts';

/** After a restart a minute is made up for, and the time that a run waits for its devices to come back, too. */
const graceMs = 60_000 + 10_000;
/** Runs at once, those that wait included. */
const maxRuns = 1000;

/** Told of the runs that another peer could take over. */
export interface PlacedRuns {
  /** One begins: resolves when another peer stands by, or none does within a moment. */
  prepared(driver: RunDriver): Promise<void>;
  changed(driver: RunDriver): void;
  ended(run: KeptRun): void;
}

/** All runs of one peer. */
export class RuleRuns {
  readonly #world: RuleWorld;
  readonly #placed: PlacedRuns;
  readonly #executions: Executions;
  readonly #admission: Admission;
  readonly #drivers = new Map<FiringId, RunDriver>();
  readonly #waiting = new Map<FiringId, KeptRun>();
  readonly #modes = new Map<string, ModeState>();
  /** Taken up after a restart, and not gone on with yet. */
  readonly #restored: RunDriver[] = [];
  #isClosed = false;

  constructor(world: RuleWorld, placed: PlacedRuns) {
    this.#world = world;
    this.#placed = placed;
    this.#executions = new Executions(world);
    this.#admission = new Admission(world, this.#executions);
  }

  /** The runs that were begun, by firing. */
  get drivers(): ReadonlyMap<FiringId, RunDriver> {
    return this.#drivers;
  }

  /** Whether a firing runs, waits or ran here. */
  has(firing: FiringId): boolean {
    return this.#drivers.has(firing) || this.#waiting.has(firing) || this.#executions.has(firing);
  }

  /** Whether a firing was executed here, and neither stopped half way nor handed over. */
  isDone(firing: FiringId): boolean {
    const [found] = this.#executions.list({ firing, limit: 1 });
    return found?.outcome === 'done' || found?.outcome === 'stopped' || found?.outcome === 'failed';
  }

  /** Executes a firing where nothing speaks against it; resolves once it will survive a restart, or was refused. */
  async fire(firing: Firing): Promise<void> {
    const book = this.#world.book.rule(firing.rule);
    if (this.#isClosed || !book?.rule.enabled || this.has(firing.firing)) return;
    await this.#admission.admit(firing, book, (conditions) => this.#admitted(firing, book, conditions));
  }

  /**
   * Takes up what was kept when this peer stopped; of those that `isHeld` holds back, it is decided later. Nothing goes
   * on before `resume`, since devices and sessions come back one after the other.
   */
  restore(isHeld: (run: KeptRun) => boolean): void {
    const kept: KeptRun[] = [];
    for (const [firing, value] of this.#world.store.runs()) {
      const run = parseKeptRun(value);
      if (run && run.start.firing === firing) kept.push(run);
      else this.#giveUp(firing);
    }
    kept.sort((a, b) => a.start.clock - b.start.clock);
    for (const run of kept) {
      if (isHeld(run)) continue;
      if (run.state) this.#restored.push(this.#take(run));
      else this.#wait(run);
    }
  }

  /** The steps of what was taken up and waits for `resume`. */
  get restoredSteps(): Step[] {
    return this.#restored.flatMap(({ run }) => run.start.steps);
  }

  /** What was taken up goes on. */
  resume(): void {
    for (const driver of this.#restored.splice(0)) driver.resume(graceMs);
    for (const [rule, mode] of this.#modes)
      if (mode.running.length === 0 && mode.queue.length > 0) this.#next(rule, runEnds(mode, ''));
  }

  /** Goes on with a run that this peer or another one began. */
  adopt(run: KeptRun): void {
    const reason = this.#world.presence.isMember()
      ? this.#reasonToEnd(run.start.rule)
      : 'this peer belongs to the fabric no more';
    if (reason === undefined) {
      this.#take(run).resume(graceMs);
      return;
    }
    this.yieldTo(run, reason);
    // Whoever stands by for it still need not.
    if (run.isPlaced) this.#placed.ended(run);
  }

  /** A run that was kept is another peer's now. */
  yieldTo(run: KeptRun, reason: string): void {
    this.#over(run, { outcome: 'cancelled', message: reason });
  }

  /** Rules have changed: what is disabled or gone runs no longer. */
  rulesChanged(isMember: boolean): void {
    const reasonOf = (rule: string): string | undefined =>
      isMember ? this.#reasonToEnd(rule) : 'this peer belongs to the fabric no more';
    for (const run of [...this.#waiting.values()]) {
      const reason = reasonOf(run.start.rule);
      if (reason !== undefined) this.#drop(run, reason);
    }
    for (const driver of [...this.#drivers.values()]) {
      const reason = reasonOf(driver.run.start.rule);
      if (reason !== undefined) driver.cancel(reason);
    }
    this.#admission.keepOnly(new Set(this.#world.book.rules().map(({ key }) => key)));
  }

  /** What rules did and do here, newest first. */
  executions(filter: ExecutionFilter = {}): ExecutionInfo[] {
    const running = [...this.#drivers.values()].map((driver) => this.#info(driver.run));
    return this.#executions.list(filter, running.reverse());
  }

  /** Stops everything without ending it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#drivers.values()].map((driver) => driver.close()));
    await this.#executions.flush();
  }

  async #admitted(
    firing: Firing,
    { rule, key }: BookRule,
    conditions: readonly ConditionInfo[],
  ): Promise<void> {
    if (this.#isClosed || this.has(firing.firing)) return;
    if (this.#drivers.size + this.#waiting.size >= maxRuns) {
      this.#admission.refuse(firing, rule.name, `${maxRuns} runs are on their way at this peer.`);
      return;
    }
    const run: KeptRun = {
      version: 1,
      name: rule.name,
      chain: firing.chain,
      conditions,
      atMs: firing.atMs,
      isPlaced: firing.isPlaced,
      start: {
        rule: key,
        firing: firing.firing,
        mode: rule.mode,
        clock: firing.clock,
        trigger: firing.trigger,
        steps: rule.steps,
      },
      ...(rule.staleMs !== undefined && { staleMs: rule.staleMs }),
    };
    const step = ruleFires(rule, this.#modeOf(key), firing.firing);
    const refused = step.actions.find((action) => action.type === 'refuse');
    if (refused) {
      const why = refused.reason === 'full' ? 'As many as may run or wait already.' : 'It runs already.';
      if (refused.reason !== 'known') this.#admission.refuse(firing, rule.name, why);
      return;
    }
    await this.#begin(key, step, run);
  }

  /** Carries out what a mode says; `fresh` is the run that has fired. Resolves when that is kept. */
  async #begin(rule: string, { state, actions }: ModeStep, fresh?: KeptRun): Promise<void> {
    this.#modes.set(rule, state);
    for (const action of actions) {
      if (action.type === 'cancel') this.#drivers.get(action.firing)?.cancel('a newer firing of the rule');
      else if (action.type === 'start') {
        const waited = this.#waiting.get(action.firing);
        this.#waiting.delete(action.firing);
        if (waited) await this.#start(waited, true);
        else if (fresh?.start.firing === action.firing) await this.#start(fresh, false);
      } else if (action.type === 'wait' && fresh) {
        this.#waiting.set(action.firing, fresh);
        await this.#write({ runs: [[action.firing, fresh]] });
      }
    }
  }

  /** Nobody waits for a run that begins because another has ended. */
  #next(rule: string, step: ModeStep): void {
    inBackground(this.#begin(rule, step), this.#world, 'A run that waited could not begin.');
  }

  async #start(run: KeptRun, hasWaited: boolean): Promise<void> {
    const { rule, firing } = run.start;
    this.#world.tell({ kind: 'rule-fired', rule, firing });
    const driver = this.#drive(run);
    await driver.begin(hasWaited);
  }

  #drive(run: KeptRun): RunDriver {
    let isKept = false;
    const owner: DriverOwner = {
      save: (now) => {
        const executions = isKept ? [] : [this.#info(now)];
        isKept = true;
        return this.#world.store.write({ runs: [[now.start.firing, now]], executions });
      },
      prepared: () => (run.isPlaced ? this.#placed.prepared(driver) : undefined),
      changed: () => {
        if (run.isPlaced) this.#placed.changed(driver);
      },
      ended: (now, end) => this.#ended(now, end),
    };
    const driver = new RunDriver(this.#world, owner, run);
    this.#drivers.set(run.start.firing, driver);
    return driver;
  }

  #ended(run: KeptRun, end: RunEnd): void {
    const { rule, firing } = run.start;
    this.#drivers.delete(firing);
    this.#over(run, endInfo(end));
    if (run.isPlaced) this.#placed.ended(run);
    this.#next(rule, runEnds(this.#modeOf(rule), firing));
    if (this.#modeOf(rule).running.length === 0) this.#modes.delete(rule);
  }

  #drop(run: KeptRun, reason: string): void {
    const { rule, firing } = run.start;
    this.#waiting.delete(firing);
    this.#modes.set(rule, runEnds(this.#modeOf(rule), firing).state);
    this.#over(run, { outcome: 'cancelled', message: reason });
  }

  #over(run: KeptRun, end: Pick<ExecutionInfo, 'outcome' | 'message'>): void {
    const { rule, firing } = run.start;
    const { outcome, message } = end;
    this.#note({ runs: [[firing, null]], executions: [this.#info(run, end)] });
    this.#world.tell({
      ...{ kind: 'rule-ended', rule, firing, outcome },
      ...(message !== null && { message }),
    });
  }

  /** What was kept of a run is none that this version can go on with: it is not told as running for ever. */
  #giveUp(firing: FiringId): void {
    const [known] = this.#executions.list({ firing, limit: 1 });
    const ended = new Date(this.#world.now()).toISOString();
    const message = 'What was kept of this run cannot be read.';
    const lost = known?.ended === null ? [{ ...known, ended, outcome: 'lost' as const, message }] : [];
    this.#note({ runs: [[firing, null]], executions: lost });
  }

  #reasonToEnd(rule: string): string | undefined {
    const book = this.#world.book.rule(rule);
    if (!book) return 'the rule was removed';
    return book.rule.enabled ? undefined : 'the rule was disabled';
  }

  #take(run: KeptRun): RunDriver {
    const { rule, firing } = run.start;
    const mode = this.#modeOf(rule);
    this.#modes.set(rule, { ...mode, running: [...mode.running, firing] });
    return this.#drive(run);
  }

  #wait(run: KeptRun): void {
    const { rule, firing } = run.start;
    const { running, queue } = this.#modeOf(rule);
    this.#waiting.set(firing, run);
    this.#modes.set(rule, { running, queue: [...queue, firing] });
  }

  #info(run: KeptRun, end?: Pick<ExecutionInfo, 'outcome' | 'message'>): ExecutionInfo {
    return executionInfo(this.#world.self, factsOf(run), {
      ...(run.state && { run: run.state }),
      ...(end && { ended: { atMs: this.#world.now(), ...end } }),
    });
  }

  #modeOf(rule: string): ModeState {
    return this.#modes.get(rule) ?? newModeState();
  }

  #note(changes: Parameters<RuleWorld['store']['write']>[0]): void {
    inBackground(this.#write(changes), this.#world, 'What a rule did could not be kept.');
  }

  /** Writes what cannot be answered for: a run is over, whether the disk works or not. */
  async #write(changes: Parameters<RuleWorld['store']['write']>[0]): Promise<void> {
    try {
      await this.#world.store.write(changes);
    } catch (error) {
      this.#world.logger.warn({ err: error }, 'What a rule did could not be kept.');
    }
  }
}
