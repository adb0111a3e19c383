/**
 * Every place of a rule that names a Thing or a peer, and every expression in it: to visit and to replace.
 * Relies on the rule's structure, which is the same in drafts and in records.
 */
import type { Operand, Rule, Step, Target, Trigger } from './rule.ts';
import type { ShapePath } from './shape.ts';

/** What to put in the place of a reference or an expression; the path leads to it. */
export interface ReferenceMap {
  thing(reference: string, path: ShapePath): string;
  peer(reference: string, path: ShapePath): string;
  expression(text: string, path: ShapePath): string;
}

/** A copy of the rule with every reference and every expression replaced. */
export const mapReferences = (rule: Rule, map: ReferenceMap): Rule => ({
  ...rule,
  triggers: rule.triggers.map((trigger, index) => mapTrigger(trigger, ['triggers', index], map)),
  conditions: rule.conditions.map((text, index) => map.expression(text, ['conditions', index])),
  steps: mapSteps(rule.steps, ['steps'], map),
});

/** Calls back for every expression of a rule. */
export const eachExpression = (rule: Rule, visit: (text: string, path: ShapePath) => void): void => {
  mapReferences(rule, {
    thing: (reference) => reference,
    peer: (reference) => reference,
    expression: (text, path) => {
      visit(text, path);
      return text;
    },
  });
};

const mapTrigger = (trigger: Trigger, path: ShapePath, map: ReferenceMap): Trigger => {
  if ('property' in trigger) {
    const thing = map.thing(trigger.property.thing, [...path, 'property', 'thing']);
    return { ...trigger, property: { ...trigger.property, thing } };
  }
  if ('event' in trigger) {
    const thing = map.thing(trigger.event.thing, [...path, 'event', 'thing']);
    return { ...trigger, event: { ...trigger.event, thing } };
  }
  if ('peer' in trigger) {
    const name = map.peer(trigger.peer.name, [...path, 'peer', 'name']);
    return { ...trigger, peer: { ...trigger.peer, name } };
  }
  if ('thing' in trigger) {
    const name = map.thing(trigger.thing.name, [...path, 'thing', 'name']);
    return { ...trigger, thing: { ...trigger.thing, name } };
  }
  return trigger;
};

const mapSteps = (steps: readonly Step[], path: ShapePath, map: ReferenceMap): Step[] =>
  steps.map((step, index) => mapStep(step, [...path, index], map));

const mapOperand = (operand: Operand, path: ShapePath, map: ReferenceMap): Operand =>
  'cel' in operand ? { cel: map.expression(operand.cel, [...path, 'cel']) } : operand;

const mapTarget = <T extends Target>(target: T, path: ShapePath, map: ReferenceMap): T =>
  target.thing === undefined ? target : { ...target, thing: map.thing(target.thing, [...path, 'thing']) };

const mapStep = (given: Step, path: ShapePath, map: ReferenceMap): Step => {
  let step = given;
  if ('onFailure' in step && typeof step.onFailure === 'object')
    step = { ...step, onFailure: mapSteps(step.onFailure, [...path, 'onFailure'], map) };
  if ('write' in step) {
    const write = mapTarget(step.write, [...path, 'write'], map);
    return { ...step, write: { ...write, value: mapOperand(write.value, [...path, 'write', 'value'], map) } };
  }
  if ('invoke' in step) {
    const invoke = mapTarget(step.invoke, [...path, 'invoke'], map);
    if (invoke.input === undefined) return { ...step, invoke };
    return {
      ...step,
      invoke: { ...invoke, input: mapOperand(invoke.input, [...path, 'invoke', 'input'], map) },
    };
  }
  if ('set' in step)
    return {
      ...step,
      set: { ...step.set, value: mapOperand(step.set.value, [...path, 'set', 'value'], map) },
    };
  if ('wait' in step) {
    const { wait } = step;
    if ('until' in wait)
      return { wait: { ...wait, until: map.expression(wait.until, [...path, 'wait', 'until']) } };
    const thing = map.thing(wait.event.thing, [...path, 'wait', 'event', 'thing']);
    return { wait: { ...wait, event: { ...wait.event, thing } } };
  }
  if ('choose' in step)
    return {
      choose: step.choose.map(({ if: condition, steps }, index) => ({
        if: map.expression(condition, [...path, 'choose', index, 'if']),
        steps: mapSteps(steps, [...path, 'choose', index, 'steps'], map),
      })),
      ...(step.else && { else: mapSteps(step.else, [...path, 'else'], map) }),
    };
  if ('repeat' in step) {
    const { repeat } = step;
    return {
      repeat: {
        ...repeat,
        ...(repeat.while !== undefined && {
          while: map.expression(repeat.while, [...path, 'repeat', 'while']),
        }),
        steps: mapSteps(repeat.steps, [...path, 'repeat', 'steps'], map),
      },
    };
  }
  if ('parallel' in step)
    return {
      parallel: step.parallel.map((steps, index) => mapSteps(steps, [...path, 'parallel', index], map)),
    };
  return step;
};
