/**
 * The shape of a run's state as it comes back from a disk or from another peer: nothing of it is believed unchecked.
 * Relies on valibot; whether the state fits the rule's steps only the machine finds out, and a run that does not ends.
 */
import * as v from 'valibot';
import { isMoment } from '../thing/cause-link.ts';
import { runLimits } from './run-commands.ts';
import type { ListState, RunState, StepState } from './run-state.ts';

const moment = v.custom<number>(isMoment);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(runLimits.steps));
const path = v.pipe(v.string(), v.maxLength(600));
const name = v.pipe(v.string(), v.maxLength(1000));
const code = v.pipe(v.string(), v.maxLength(64));

const command = v.strictObject({
  thing: v.pipe(v.string(), v.maxLength(200)),
  op: v.picklist(['writeproperty', 'invokeaction']),
  name,
  input: v.exactOptional(v.unknown()),
});
const commandState = v.strictObject({
  command,
  phase: v.picklist(['idle', 'sent', 'pausing', 'asking', 'done', 'failed', 'unknown']),
  tries: count,
  untilMs: v.exactOptional(moment),
  code: v.exactOptional(code),
});
const failure = v.strictObject({
  path,
  code,
  message: v.exactOptional(v.pipe(v.string(), v.maxLength(5000))),
});

const list: v.GenericSchema<ListState> = v.strictObject({
  at: count,
  step: v.exactOptional(v.lazy(() => step)),
}) as v.GenericSchema<ListState>;

const step = v.variant('kind', [
  v.strictObject({ kind: v.literal('value') }),
  v.strictObject({ kind: v.literal('select'), input: v.exactOptional(v.unknown()) }),
  v.strictObject({
    kind: v.literal('commands'),
    any: v.boolean(),
    commands: v.pipe(v.array(commandState), v.maxLength(runLimits.commands)),
  }),
  v.strictObject({ kind: v.literal('set'), value: v.unknown(), untilMs: moment }),
  v.strictObject({ kind: v.literal('delay'), untilMs: moment }),
  v.strictObject({ kind: v.literal('wait'), untilMs: moment }),
  v.strictObject({ kind: v.literal('choose'), branch: count, list: v.exactOptional(list) }),
  v.strictObject({ kind: v.literal('repeat'), round: count, list: v.exactOptional(list) }),
  v.strictObject({
    kind: v.literal('parallel'),
    lists: v.pipe(v.array(v.nullable(list)), v.maxLength(runLimits.steps)),
    failed: v.exactOptional(failure),
  }),
  v.strictObject({ kind: v.literal('failure'), list }),
]) as v.GenericSchema<StepState>;

const state = v.strictObject({
  version: v.literal(1),
  /** The same as that of the run around it, which is checked there. */
  start: v.unknown(),
  startedMs: moment,
  movedMs: v.exactOptional(moment),
  list,
  begun: count,
  commanded: count,
  log: v.pipe(
    v.array(
      v.strictObject({
        path,
        atMs: moment,
        what: v.picklist(['done', 'failed', 'unknown', 'continued', 'timeout', 'chosen', 'round']),
        command: v.exactOptional(command),
        code: v.exactOptional(code),
      }),
    ),
    v.maxLength(runLimits.log),
  ),
});

/** Whether this is the state of a run that has not ended; `start` is not looked at. */
export const isRunState = (value: unknown): value is RunState => v.is(state, value);

/** The latest moment for which a list of steps waits; 0 where it waits for none. */
export const latestMs = ({ step: now }: ListState): number => {
  switch (now?.kind) {
    case 'commands':
      return Math.max(0, ...now.commands.map(({ untilMs = 0 }) => untilMs));
    case 'set':
    case 'delay':
    case 'wait':
      return now.untilMs;
    case 'choose':
    case 'repeat':
    case 'failure':
      return now.list ? latestMs(now.list) : 0;
    case 'parallel':
      return Math.max(0, ...now.lists.map((one) => (one ? latestMs(one) : 0)));
    default:
      return 0;
  }
};
