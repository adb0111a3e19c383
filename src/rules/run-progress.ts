/**
 * How steps of a run stand and how they end: the small questions that the machine in `run.ts` asks of them.
 * Relies on nothing but the state's types.
 */
import type { Operand, Step, StepOptions } from './rule.ts';
import type { CommandState, Failure, ListState, RunEnd, RunEvent, RunState, StepState } from './run-state.ts';

const defaultDeadlineMs = 10_000;

/** How a step or a list of them stands. */
export type Progress = 'going' | 'done' | { readonly failure: Failure } | { readonly end: RunEnd };

/** What an expression gave. */
export type EvaluationResult = Extract<RunEvent, { type: 'evaluated' }>['result'];

/** The value that a step writes, passes or sets. */
export const operandOf = (step: Step): Operand | undefined => {
  if ('write' in step) return step.write.value;
  if ('invoke' in step) return step.invoke.input;
  return 'set' in step ? step.set.value : undefined;
};

/** Milliseconds for one try of a step that commands. */
export const deadlineOf = (step: StepOptions): number => step.deadlineMs ?? defaultDeadlineMs;

/**
 * What a device remembers a command by: a further try is another one, a repetition the same. It names Thing and
 * affordance, so that two hosts that select differently never give one path to two commands.
 */
export const commandPath = (path: string, { command, tries }: CommandState): string =>
  `${path}/t${tries}:${command.thing}/${command.name}`;

/** Whether this is a path of that command, as `commandPath` makes them. */
export const namesCommand = (
  path: string,
  command: { readonly thing: string; readonly name?: string },
): boolean => path.endsWith(`:${command.thing}/${command.name}`);

/** That a step failed, and why. */
export const failed = (path: string, code: string, message?: string): { readonly failure: Failure } => ({
  failure: { path, code, ...(message !== undefined && { message }) },
});

/** That an expression gave no value. */
export const valueFailure = (path: string, result: { unknown: string } | { error: string }): Progress =>
  failed(path, 'rule-failed', 'unknown' in result ? `Not known now: ${result.unknown}.` : result.error);

/** A state that may be changed without the given one changing; what never changes is shared. */
export const copyOf = (state: RunState): RunState => ({
  ...state,
  list: copyOfList(state.list),
  log: [...state.log],
});

const copyOfList = (list: ListState): ListState =>
  list.step ? { ...list, step: copyOfStep(list.step) } : { ...list };

const copyOfStep = (step: StepState): StepState => {
  switch (step.kind) {
    case 'commands':
      return { ...step, commands: step.commands.map((command) => ({ ...command })) };
    case 'choose':
    case 'repeat':
      return step.list ? { ...step, list: copyOfList(step.list) } : { ...step };
    case 'parallel':
      return { ...step, lists: step.lists.map((list) => list && copyOfList(list)) };
    case 'failure':
      return { ...step, list: copyOfList(step.list) };
    default:
      return { ...step };
  }
};

/** Whether a command still waits for something. */
export const isPending = ({ phase }: CommandState): boolean =>
  phase === 'sent' || phase === 'asking' || phase === 'pausing';

/** How a step with several commands stands. */
export const commandsEnd = (commands: readonly CommandState[], path: string): Progress => {
  if (commands.some(isPending)) return 'going';
  const bad = commands.find(({ phase }) => phase !== 'done');
  return bad ? failed(path, bad.code ?? 'outcome-unknown', `${bad.command.thing} did not do it.`) : 'done';
};

/** When a step that has begun was due to go on; undefined where steps inside it say so. Looks come at once. */
export const dueOf = (state: StepState, movedMs: number | undefined): number | undefined => {
  switch (state.kind) {
    case 'delay':
    case 'wait':
    case 'set':
      return state.untilMs;
    case 'commands': {
      const due = state.commands.filter(isPending).map(({ untilMs = Number.POSITIVE_INFINITY }) => untilMs);
      return due.length > 0 ? Math.min(...due) : undefined;
    }
    case 'value':
    case 'select':
      return movedMs;
    case 'choose':
    case 'repeat':
      return state.list ? undefined : movedMs;
    default:
      return undefined;
  }
};
