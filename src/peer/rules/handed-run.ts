/**
 * Whether a run that another member handed over is one of a rule of this fabric, so that no member has another do in
 * its own name what no rule says. Relies on the rule as it is here; where that has changed the run is not taken.
 */
import type { Rule, Scene } from '../../rules/rule.ts';
import { hasCommand } from '../../rules/rule-access.ts';
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
  // Of a selection any Thing: the device of the Thing decides whether the rule means it.
  return commandsIn(state.list).every((command) => hasCommand(rule, command, { scene, fits: () => true }));
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
