/**
 * Executions as others may see them: without what they saw of Things that whoever asks may not see.
 * Relies on the Thing that is named with each value; that a rule ran, and which way it took, is hidden from no member.
 */
import type { ExecutionInfo, StepInfo, TriggerInfo, ValueSeen } from '../../core/rule-shapes.ts';

/** An execution with what is of Things that are not seen replaced by `hidden`. */
export const withHidden = (execution: ExecutionInfo, sees: (thing: string) => boolean): ExecutionInfo => ({
  ...execution,
  trigger: shownTrigger(execution.trigger, sees),
  conditions: execution.conditions.map((condition) => ({
    ...condition,
    values: condition.values.map((seen) => shownValue(seen, sees)),
  })),
  steps: execution.steps.map((step) => shownStep(step, sees)),
});

const shownTrigger = (trigger: TriggerInfo, sees: (thing: string) => boolean): TriggerInfo => {
  const { value: _value, previous: _previous, event: _event, ...bare } = trigger;
  return trigger.thing === null || sees(trigger.thing) ? trigger : { ...bare, hidden: true };
};

const shownValue = (seen: ValueSeen, sees: (thing: string) => boolean): ValueSeen => {
  const { value: _value, ...bare } = seen;
  // What does not say of which Thing it is might be of any.
  const isShown = seen.thing === null || (seen.thing !== undefined && sees(seen.thing));
  return isShown ? seen : { ...bare, hidden: true };
};

const shownStep = (step: StepInfo, sees: (thing: string) => boolean): StepInfo => {
  const { input: _input, ...bare } = step;
  return step.thing === null || sees(step.thing) ? step : { ...bare, hidden: true };
};
