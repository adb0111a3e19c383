/**
 * Whether a run that another member handed over is one of a rule of this fabric, so that no member has another do in
 * its own name what no rule says. Relies on the rule as it is here; where that has changed the run is not taken.
 */
import { allSteps, type Operand, type Rule, type Scene, type Target } from '../../rules/rule.ts';
import type { Command, ListState, StepState } from '../../rules/run-state.ts';
import { sameValue } from '../../rules/trigger-state.ts';
import type { KeptRun } from './kept-run.ts';

/** Whether the rule could have made this run, with these commands. */
export const isOfRule = (run: KeptRun, rule: Rule, scene: (key: string) => Scene | undefined): boolean => {
  const { start, state, isPlaced } = run;
  if (!isPlaced || !rule.enabled || start.mode !== rule.mode || !sameValue(start.steps, rule.steps))
    return false;
  if (!state) return false;
  if (!sameValue(state.start, start)) return false;
  const says = ({ thing, op, name, ...given }: Command): boolean =>
    allSteps(rule.steps).some((step) => {
      if ('write' in step)
        return (
          op === 'writeproperty' &&
          step.write.property === name &&
          aims(step.write, thing) &&
          gives(step.write.value, given)
        );
      if ('invoke' in step)
        return (
          op === 'invokeaction' &&
          step.invoke.action === name &&
          aims(step.invoke, thing) &&
          gives(step.invoke.input, given)
        );
      if (!('scene' in step) || op !== 'writeproperty') return false;
      const values = scene(step.scene)?.values ?? [];
      return values.some(
        (one) => one.thing === thing && one.property === name && sameValue(one.value, given.input),
      );
    });
  return commandsIn(state.list).every(says);
};

/** Of a selection any Thing: the device of the Thing decides whether the rule means it. */
const aims = (target: Target, thing: string): boolean => target.thing === undefined || target.thing === thing;

const gives = (operand: Operand | undefined, given: { readonly input?: unknown }): boolean => {
  if (operand === undefined) return given.input === undefined;
  return 'cel' in operand || sameValue(operand.literal, given.input);
};

const commandsIn = (list: ListState): Command[] => (list.step ? commandsOf(list.step) : []);

const commandsOf = (step: StepState): Command[] => {
  switch (step.kind) {
    case 'commands':
      return step.commands.map(({ command }) => command);
    case 'choose':
    case 'repeat':
      return step.list ? commandsIn(step.list) : [];
    case 'parallel':
      return step.lists.flatMap((list) => (list ? commandsIn(list) : []));
    case 'failure':
      return commandsIn(step.list);
    default:
      return [];
  }
};
