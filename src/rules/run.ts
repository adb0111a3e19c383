/**
 * The execution of a firing as a pure machine: state and event in, new state and effects out.
 * Relies on the engine to make the state durable before it carries out the effects, and to bring every answer back.
 *
 * A command whose answer is lost is never given again before its device said that it has not seen it; one that was
 * acknowledged is never given again at all. What no device can tell ends as `unknown`, which counts as a failure that
 * is not tried again.
 */
import type { Step, StepOptions, Target } from './rule.ts';
import { Commands, logOf, runLimits } from './run-commands.ts';
import {
  commandPath,
  commandsEnd,
  copyOf,
  deadlineOf,
  dueOf,
  type EvaluationResult,
  failed,
  isPending,
  operandOf,
  type Progress,
  valueFailure,
} from './run-progress.ts';
import type {
  Command,
  CommandState,
  ListState,
  RunEffect,
  RunEnd,
  RunEvent,
  RunLogEntry,
  RunStart,
  RunState,
  SelectRequest,
  StepState,
} from './run-state.ts';

/** A run's new state, and what to do once that is durable. */
export interface RunStep {
  readonly state: RunState;
  readonly effects: readonly RunEffect[];
}

/** Begins the execution of a firing. */
export const startRun = (start: RunStart, nowMs: number): RunStep => {
  const state: RunState = {
    version: 1,
    start,
    startedMs: nowMs,
    list: { at: 0 },
    begun: 0,
    commanded: 0,
    log: [],
  };
  return new Machine(state, { type: 'time', nowMs }).run();
};

/** Moves a run on. The state passed in is not changed; events for what the run no longer waits for do nothing. */
export const advanceRun = (state: RunState, event: RunEvent): RunStep =>
  state.end ? { state, effects: [] } : new Machine(copyOf(state), event).run();

class Machine {
  readonly #state: RunState;
  readonly #event: RunEvent;
  readonly #effects: RunEffect[] = [];
  readonly #commandsNow: Commands;
  #earliestMs = Number.POSITIVE_INFINITY;

  constructor(state: RunState, event: RunEvent) {
    this.#state = state;
    this.#event = event;
    this.#commandsNow = new Commands(state, event, this.#effects);
  }

  run(): RunStep {
    const end = this.#end();
    this.#state.movedMs = this.#nowMs;
    if (end) {
      this.#state.end = end;
      return { state: this.#state, effects: [{ type: 'finished', end }] };
    }
    if (this.#earliestMs < Number.POSITIVE_INFINITY)
      this.#effects.push({ type: 'timer', atMs: this.#earliestMs });
    return { state: this.#state, effects: this.#effects };
  }

  #end(): RunEnd | undefined {
    if (this.#event.type === 'cancel') return { outcome: 'cancelled', reason: this.#event.reason };
    const progress = this.#list(this.#state.list, this.#state.start.steps, '');
    if (progress === 'going') return undefined;
    if (progress === 'done') return { outcome: 'done' };
    return 'end' in progress ? progress.end : { outcome: 'failed', failure: progress.failure };
  }

  get #nowMs(): number {
    return this.#event.nowMs;
  }

  #list(list: ListState, steps: readonly Step[], listPath: string): Progress {
    while (list.at < steps.length) {
      const step = steps[list.at]!;
      const path = listPath === '' ? `${list.at}` : `${listPath}/${list.at}`;
      const fresh = list.step === undefined;
      if (fresh) {
        if ('stop' in step) return { end: { outcome: 'stopped', reason: step.stop } };
        this.#state.begun += 1;
        if (this.#state.begun > runLimits.steps)
          return failed(path, 'too-many', 'The run takes too many steps.');
        list.step = this.#begin(step, path);
      }
      const progress = this.#visit(list.step!, step, path, fresh, list);
      if (progress === 'going') return 'going';
      if (typeof progress === 'object') {
        const caught = this.#caught(progress, list, step as StepOptions, path);
        if (caught !== true) return caught;
        if (list.step) continue;
      }
      list.at += 1;
      delete list.step;
    }
    return 'done';
  }

  /** A failure that the step itself says what to do about: true; else what it is. */
  #caught(
    progress: Exclude<Progress, string>,
    list: ListState,
    { onFailure = 'stop' }: StepOptions,
    path: string,
  ): true | Progress {
    if ('end' in progress || onFailure === 'stop' || list.step?.kind === 'failure') return progress;
    this.#log({ path, what: 'continued', code: progress.failure.code });
    if (onFailure === 'continue') delete list.step;
    else list.step = { kind: 'failure', list: { at: 0 } };
    return true;
  }

  /** The state of a step that begins now, with the effects that begin it. */
  #begin(step: Step, path: string): StepState {
    if ('delay' in step) return { kind: 'delay', untilMs: this.#nowMs + step.delay };
    if ('wait' in step) {
      const untilMs = this.#nowMs + step.wait.timeoutMs;
      this.#watch(step.wait, path, untilMs);
      return { kind: 'wait', untilMs };
    }
    if ('choose' in step) {
      this.#evaluate(step.choose[0]!.if, `${path}/c0`);
      return { kind: 'choose', branch: 0 };
    }
    if ('repeat' in step) return this.#round({ kind: 'repeat', round: -1 }, step, path);
    if ('parallel' in step) return { kind: 'parallel', lists: step.parallel.map(() => ({ at: 0 })) };
    if ('scene' in step) return this.#select({ scene: step.scene }, path, {});
    const operand = operandOf(step);
    if (operand && 'cel' in operand) {
      this.#evaluate(operand.cel, path);
      return { kind: 'value' };
    }
    return this.#withInput(step, path, operand && { input: operand.literal });
  }

  /** A write, invocation or set whose value is known. */
  #withInput(step: Step, path: string, given: { input?: unknown } = {}): StepState {
    if ('set' in step) {
      this.#effects.push({ type: 'set', path, name: step.set.name, value: given.input });
      return { kind: 'set', value: given.input, untilMs: this.#nowMs + deadlineOf(step) };
    }
    if (!('write' in step || 'invoke' in step)) throw new Error('only steps with a value have one');
    const [target, op, name]: [Target, Command['op'], string] =
      'write' in step
        ? [step.write, 'writeproperty', step.write.property]
        : [step.invoke, 'invokeaction', step.invoke.action];
    if (target.thing !== undefined)
      return this.#commands([{ thing: target.thing, op, name, ...given }], false, step, path);
    const selection = target.every ?? target.any!;
    return this.#select(
      { selection, nearestFirst: target.any !== undefined, op, name, ...given },
      path,
      given,
    );
  }

  #select(step: SelectRequest, path: string, given: { input?: unknown }): StepState {
    this.#effects.push({ type: 'select', path, step });
    return { kind: 'select', ...given };
  }

  #commands(commands: readonly Command[], any: boolean, step: StepOptions, path: string): StepState {
    // A path names one command: of two for one affordance (a scene may have them) the last counts.
    const byPath = new Map<string, CommandState>();
    for (const command of commands) {
      const state: CommandState = { command, phase: 'idle', tries: 0 };
      byPath.set(commandPath(path, state), state);
    }
    const states = [...byPath.values()];
    const state: StepState = { kind: 'commands', any, commands: states };
    for (const [index, command] of states.entries()) {
      if (any && index > 0) break;
      this.#commandsNow.give(command, step, path);
    }
    return state;
  }

  #visit(state: StepState, step: Step, path: string, fresh: boolean, holder: ListState): Progress {
    const event = this.#event;
    const dueMs = event.type === 'resume' && !fresh ? dueOf(state, this.#state.movedMs) : undefined;
    // A command of yesterday is not given today.
    if (event.type === 'resume' && dueMs !== undefined && event.nowMs > dueMs + event.graceMs)
      return { end: { outcome: 'lost', path, dueMs } };
    switch (state.kind) {
      case 'value': {
        const { cel } = operandOf(step) as { cel: string };
        const result = this.#evaluated(path, cel, fresh);
        if (result === undefined) return 'going';
        if (!('value' in result)) return valueFailure(path, result);
        holder.step = this.#withInput(step, path, { input: result.value });
        return this.#visit(holder.step, step, path, true, holder);
      }
      case 'select':
        return this.#visitSelect(state, step, path, fresh, holder);
      case 'commands':
        return this.#visitCommands(state, step as StepOptions, path, fresh);
      case 'set':
        return this.#visitSet(state, step, path);
      case 'delay':
        return this.#due(state.untilMs);
      case 'wait':
        return this.#visitWait(state, step, path);
      case 'choose':
        return this.#visitChoose(state, step, path, fresh);
      case 'repeat':
        return this.#visitRepeat(state, step, path, fresh);
      case 'parallel':
        return this.#visitParallel(state, step, path);
      case 'failure':
        return this.#list(state.list, (step as StepOptions).onFailure as readonly Step[], `${path}/f`);
    }
  }

  #visitSelect(
    state: Extract<StepState, { kind: 'select' }>,
    step: Step,
    path: string,
    fresh: boolean,
    holder: ListState,
  ): Progress {
    const event = this.#event;
    if (event.type === 'selected' && event.path === path) {
      const any = ('write' in step && step.write.any) || ('invoke' in step && step.invoke.any);
      if (event.missing) return failed(path, 'not-found', 'There is no such scene.');
      if (any && event.commands.length === 0)
        return failed(path, 'thing-unknown', 'No Thing fits what the step asks for.');
      holder.step = this.#commands(event.commands, Boolean(any), step as StepOptions, path);
      return this.#visit(holder.step, step, path, true, holder);
    }
    if (event.type === 'resume' && !fresh) {
      // Nothing was commanded yet, so what there is may be looked up anew.
      const again =
        'scene' in step
          ? this.#select({ scene: step.scene }, path, {})
          : this.#withInput(step, path, 'input' in state ? { input: state.input } : {});
      holder.step = again;
    }
    return 'going';
  }

  #visitCommands(
    state: Extract<StepState, { kind: 'commands' }>,
    step: StepOptions,
    path: string,
    fresh: boolean,
  ): Progress {
    for (const command of state.commands) {
      if (!isPending(command)) continue;
      const end = this.#commandsNow.visit(command, step, path, fresh);
      if (end) return end;
    }
    let asked: readonly CommandState[] = state.commands;
    if (state.any) {
      let current = state.commands.findLastIndex(({ phase }) => phase !== 'idle');
      // The next nearest, but only where this one certainly did nothing.
      while (state.commands[current]!.phase === 'failed' && current + 1 < state.commands.length)
        this.#commandsNow.give(state.commands[++current]!, step, path);
      asked = [state.commands[current]!];
    }
    for (const command of asked) if (isPending(command)) this.#waitFor(command.untilMs);
    return commandsEnd(asked, path);
  }

  #visitSet(state: Extract<StepState, { kind: 'set' }>, step: Step, path: string): Progress {
    const event = this.#event;
    if (event.type === 'outcome' && event.path === path) {
      if (event.outcome.kind === 'done') {
        this.#log({ path, what: 'done' });
        return 'done';
      }
      return failed(path, event.outcome.kind === 'failed' ? event.outcome.code : 'outcome-unknown');
    }
    // Setting a value again to the same is harmless.
    if (event.type === 'resume') this.#withInput(step, path, { input: state.value });
    else if (this.#nowMs >= state.untilMs) return failed(path, 'timeout');
    this.#waitFor(state.untilMs);
    return 'going';
  }

  #visitWait(state: Extract<StepState, { kind: 'wait' }>, step: Step, path: string): Progress {
    if (!('wait' in step)) return 'done';
    const event = this.#event;
    if ('path' in event && event.path === path) {
      if (event.type === 'occurred') return 'done';
      if (event.type === 'evaluated' && 'value' in event.result && event.result.value === true) return 'done';
    }
    const due = this.#due(state.untilMs);
    if (due === 'going' && event.type === 'resume') this.#watch(step.wait, path, state.untilMs);
    if (due === 'going') return due;
    this.#log({ path, what: 'timeout' });
    if (step.wait.onTimeout === 'continue') return 'done';
    return { end: { outcome: 'stopped', reason: `waited too long at step ${path}` } };
  }

  #visitChoose(
    state: Extract<StepState, { kind: 'choose' }>,
    step: Step,
    path: string,
    fresh: boolean,
  ): Progress {
    if (!('choose' in step)) return 'done';
    const isElse = (): boolean => state.branch === step.choose.length;
    const branchPath = (): string => `${path}/c${isElse() ? 'e' : state.branch}`;
    if (!state.list) {
      const result = this.#evaluated(branchPath(), step.choose[state.branch]!.if, fresh);
      if (result === undefined) return 'going';
      if (!('value' in result)) return valueFailure(branchPath(), result);
      if (result.value === true) {
        this.#log({ path: branchPath(), what: 'chosen' });
        state.list = { at: 0 };
      } else {
        state.branch += 1;
        if (!isElse()) {
          this.#evaluate(step.choose[state.branch]!.if, branchPath());
          return 'going';
        }
        if (!step.else) return 'done';
        this.#log({ path: branchPath(), what: 'chosen' });
        state.list = { at: 0 };
      }
    }
    return this.#list(state.list, isElse() ? step.else! : step.choose[state.branch]!.steps, branchPath());
  }

  /** Begins the next round, or the question whether there is one. */
  #round(
    state: Extract<StepState, { kind: 'repeat' }>,
    step: Extract<Step, { readonly repeat: unknown }>,
    path: string,
  ): StepState {
    state.round += 1;
    delete state.list;
    if (state.round >= step.repeat.times) return state;
    if (step.repeat.while === undefined) state.list = { at: 0 };
    else this.#evaluate(step.repeat.while, `${path}/r${state.round}`);
    return state;
  }

  #visitRepeat(
    state: Extract<StepState, { kind: 'repeat' }>,
    step: Step,
    path: string,
    fresh: boolean,
  ): Progress {
    if (!('repeat' in step)) return 'done';
    let asked = fresh;
    while (state.round < step.repeat.times) {
      const roundPath = `${path}/r${state.round}`;
      if (!state.list) {
        const result = this.#evaluated(roundPath, step.repeat.while!, asked);
        if (result === undefined) return 'going';
        if (!('value' in result)) return valueFailure(roundPath, result);
        if (result.value !== true) return 'done';
        this.#log({ path: roundPath, what: 'round' });
        state.list = { at: 0 };
      }
      const progress = this.#list(state.list, step.repeat.steps, roundPath);
      if (progress !== 'done') return progress;
      this.#round(state, step, path);
      asked = true;
    }
    return 'done';
  }

  #visitParallel(state: Extract<StepState, { kind: 'parallel' }>, step: Step, path: string): Progress {
    if (!('parallel' in step)) return 'done';
    let going = false;
    for (const [index, list] of state.lists.entries()) {
      if (list === null) continue;
      const progress = this.#list(list, step.parallel[index]!, `${path}/p${index}`);
      if (progress === 'going') {
        going = true;
        continue;
      }
      if (typeof progress === 'object') {
        if ('end' in progress) return progress;
        // The others go on; the step fails when all have ended.
        state.failed ??= progress.failure;
      }
      state.lists[index] = null;
    }
    if (going) return 'going';
    return state.failed ? { failure: state.failed } : 'done';
  }

  #due(untilMs: number): 'going' | 'done' {
    if (this.#nowMs >= untilMs) return 'done';
    this.#waitFor(untilMs);
    return 'going';
  }

  /** The result where this event brings it; after a restart the question is asked again. */
  #evaluated(path: string, cel: string, fresh: boolean): EvaluationResult | undefined {
    const event = this.#event;
    if (event.type === 'evaluated' && event.path === path) return event.result;
    if (event.type === 'resume' && !fresh) this.#evaluate(cel, path);
    return undefined;
  }

  #evaluate(cel: string, path: string): void {
    this.#effects.push({ type: 'evaluate', path, cel });
  }

  #watch(wait: Extract<Step, { readonly wait: unknown }>['wait'], path: string, untilMs: number): void {
    const what = 'until' in wait ? { until: wait.until } : { event: wait.event };
    this.#effects.push({ type: 'watch', path, untilMs, wait: what });
  }

  #waitFor(untilMs: number | undefined): void {
    if (untilMs !== undefined) this.#earliestMs = Math.min(this.#earliestMs, untilMs);
  }

  #log(entry: Omit<RunLogEntry, 'atMs'>): void {
    logOf(this.#state, { ...entry, atMs: this.#nowMs });
  }
}
