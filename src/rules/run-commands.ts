/**
 * The commands of one step: given, tried again, asked about, settled.
 * Relies on the run's state, of which it changes the part that belongs to commands; effects are collected.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { StepOptions } from './rule.ts';
import { commandPath, deadlineOf, type Progress } from './run-progress.ts';
import type { CommandState, RunEffect, RunEvent, RunLogEntry, RunState } from './run-state.ts';

/** Most steps that one run begins, commands that it gives, and lines that its log keeps. */
export const runLimits = { steps: 10_000, commands: 1000, log: 300 } as const;

/**
 * What a device that has started, knows the rule and knows the time says again. Everything else may work the next
 * time: what broke, a Thing that is not exposed yet, a rule that has not arrived.
 */
const finalCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'bad-input',
  'value-invalid',
  'value-too-large',
  'uri-variable-invalid',
  'affordance-unknown',
  'operation-unsupported',
  'step-forgotten',
  'handler-missing',
  'revoked',
  'wrong-fabric',
]);

/** Adds a line to a run's log, which is bounded. */
export const logOf = (state: RunState, entry: RunLogEntry): void => {
  if (state.log.length < runLimits.log) state.log.push(entry);
};

/** Moves commands on, for one event. */
export class Commands {
  readonly #state: RunState;
  readonly #event: RunEvent;
  readonly #effects: RunEffect[];

  constructor(state: RunState, event: RunEvent, effects: RunEffect[]) {
    this.#state = state;
    this.#event = event;
    this.#effects = effects;
  }

  get #nowMs(): number {
    return this.#event.nowMs;
  }

  /** Gives a command: the first time, or once more as another try. */
  give(state: CommandState, step: StepOptions, path: string): void {
    this.#state.commanded += 1;
    if (this.#state.commanded > runLimits.commands) {
      Object.assign(state, { phase: 'failed', code: 'too-many' });
      return;
    }
    state.phase = 'sent';
    state.untilMs = this.#nowMs + deadlineOf(step);
    this.#effects.push({
      type: 'command',
      path: commandPath(path, state),
      command: state.command,
      deadlineMs: deadlineOf(step),
    });
  }

  /** Moves one command on; an end where its device says that the whole run is over. */
  visit(state: CommandState, step: StepOptions, path: string, fresh: boolean): Progress | undefined {
    const event = this.#event;
    const own = commandPath(path, state);
    const mine = 'path' in event && event.path === own;
    if (mine && event.type === 'outcome') {
      const { outcome } = event;
      if (outcome.kind === 'superseded') return { end: { outcome: 'superseded' } };
      if (outcome.kind === 'done') this.#settle(state, 'done', own);
      else if (outcome.kind === 'failed') this.#fail(state, step, outcome.code, own);
      else if (state.phase === 'sent') this.#ask(state, step, own);
    } else if (mine && event.type === 'answered' && state.phase === 'asking') {
      const { answer } = event;
      if (answer === 'done') this.#settle(state, 'done', own);
      else if (answer === 'unknown') this.#settle(state, 'unknown', own, 'outcome-unknown');
      else if (answer === 'not-seen') {
        // Its device has not begun it, and refuses it twice: giving it again is safe, under the same path.
        state.phase = 'sent';
        state.untilMs = this.#nowMs + deadlineOf(step);
        this.#effects.push({
          type: 'command',
          path: own,
          command: state.command,
          deadlineMs: deadlineOf(step),
        });
      } else this.#fail(state, step, answer.failed, own);
    } else if (event.type === 'resume' && !fresh) {
      if (state.phase !== 'pausing') this.#ask(state, step, own);
    } else if (this.#nowMs >= (state.untilMs ?? Number.POSITIVE_INFINITY)) {
      if (state.phase === 'sent') this.#ask(state, step, own);
      else if (state.phase === 'asking') this.#settle(state, 'unknown', own, 'outcome-unknown');
      else {
        state.tries += 1;
        this.give(state, step, path);
      }
    }
    return undefined;
  }

  #ask(state: CommandState, step: StepOptions, path: string): void {
    state.phase = 'asking';
    state.untilMs = this.#nowMs + deadlineOf(step);
    this.#effects.push({ type: 'ask', path, command: state.command, untilMs: state.untilMs });
  }

  #fail(state: CommandState, { retry }: StepOptions, code: string, path: string): void {
    if (retry && !finalCodes.has(code) && state.tries < retry.times) {
      state.phase = 'pausing';
      state.untilMs = this.#nowMs + retry.pauseMs;
      this.#log({ path, what: 'failed', command: state.command, code });
    } else this.#settle(state, 'failed', path, code);
  }

  #settle(state: CommandState, phase: 'done' | 'failed' | 'unknown', path: string, code?: string): void {
    state.phase = phase;
    if (code !== undefined) state.code = code;
    delete state.untilMs;
    this.#log({ path, what: phase, command: state.command, ...(code !== undefined && { code }) });
  }

  #log(entry: Omit<RunLogEntry, 'atMs'>): void {
    logOf(this.#state, { ...entry, atMs: this.#nowMs });
  }
}
