/**
 * What a rule allows by itself: an admin signed it, so those who run it may do what its steps say, and no more.
 * Relies on the rule as it is now and on the device that is asked, which knows its own Thing; a call names its rule.
 */
import { type PeerId, parseThingId } from '../core/ids.ts';
import { hasType, type ScopedThing } from '../fabric/scope.ts';
import type { ThingCall } from '../thing/operations.ts';
import type { Cause } from '../thing/scripting-api.ts';
import type { Use } from './expression-syntax.ts';
import { allSteps, type Operand, type Rule, type Scene, type Selection, type Target } from './rule.ts';
import { sameValue } from './trigger-state.ts';

/** What is known where the call comes in. */
export interface RuleFacts {
  /** An admin's rule by its key, as records have it. */
  readonly rule: (key: string) => Rule | undefined;
  readonly scene: (name: string) => Scene | undefined;
  /** Everything that the rule's expressions use. */
  readonly uses: (rule: Rule) => Iterable<Use>;
  readonly speakerOf: (owner: PeerId) => PeerId;
  /** What selections ask of a Thing beside its types; undefined for what is not listed. */
  readonly listed: (
    thing: string,
  ) => { readonly room: string | undefined; readonly affordances: ReadonlySet<string> } | undefined;
}

/** A call on a Thing of this device. */
export interface RuleCall {
  /** A member that is no guest. */
  readonly peer: PeerId;
  readonly thing: ScopedThing;
  readonly call: ThingCall;
  readonly cause: Cause;
  /** Without uriVariables a step means what it says. */
  readonly hasVariables: boolean;
}

/** Whether the rule that a call names allows it. */
export const ruleAllows = (facts: RuleFacts, asked: RuleCall): boolean => {
  const { call, cause, hasVariables } = asked;
  if (hasVariables) return false;
  const commands = call.op === 'writeproperty' || call.op === 'invokeaction';
  // A command without its step would be done as often as it is sent.
  const key = commands ? cause.step?.rule : (cause.step?.rule ?? cause.chain?.at(-1)?.rule);
  const rule = key === undefined ? undefined : facts.rule(key);
  if (!rule?.enabled || !runsAt(facts, rule, asked.peer)) return false;
  return commands ? hasStep(facts, rule, asked) : looksAt(facts, rule, asked);
};

/** Whether a peer is one that may come to run the rule. */
const runsAt = ({ scene, speakerOf }: RuleFacts, rule: Rule, peer: PeerId): boolean => {
  // These run at whoever ranks first, or where somebody says so.
  if (rule.triggers.some((trigger) => !('property' in trigger || 'event' in trigger))) return true;
  const things = new Set<string>();
  for (const trigger of rule.triggers) {
    if ('property' in trigger) things.add(trigger.property.thing);
    if ('event' in trigger) things.add(trigger.event.thing);
  }
  for (const step of allSteps(rule.steps)) {
    if ('write' in step && step.write.thing !== undefined) things.add(step.write.thing);
    if ('invoke' in step && step.invoke.thing !== undefined) things.add(step.invoke.thing);
    if ('scene' in step) for (const { thing } of scene(step.scene)?.values ?? []) things.add(thing);
  }
  for (const thing of things) {
    const owner = parseThingId(thing)?.peer;
    if (owner !== undefined && speakerOf(owner) === peer) return true;
  }
  return false;
};

const hasStep = (facts: RuleFacts, rule: Rule, { thing, call }: RuleCall): boolean =>
  allSteps(rule.steps).some((step) => {
    if ('write' in step && call.op === 'writeproperty') {
      const { property, value } = step.write;
      return property === call.name && says(value, call.input) && aims(facts, step.write, thing);
    }
    if ('invoke' in step && call.op === 'invokeaction') {
      const { action, input } = step.invoke;
      return action === call.name && says(input, call.input) && aims(facts, step.invoke, thing);
    }
    if ('scene' in step && call.op === 'writeproperty')
      return (facts.scene(step.scene)?.values ?? []).some(
        (value) =>
          value.thing === thing.id && value.property === call.name && sameValue(value.value, call.input),
      );
    return false;
  });

const says = (operand: Operand | undefined, input: unknown): boolean => {
  if (operand === undefined) return (input ?? null) === null;
  return 'cel' in operand || sameValue(operand.literal, input);
};

const aims = (facts: RuleFacts, { thing: target, every, any }: Target, thing: ScopedThing): boolean => {
  if (target !== undefined) return target === thing.id;
  const selection = every ?? any;
  return selection !== undefined && fits(facts, selection, thing);
};

const fits = ({ listed }: RuleFacts, { type, room, capability }: Selection, thing: ScopedThing): boolean => {
  if (type !== undefined && !hasType(thing.types, type)) return false;
  if (room === undefined && capability === undefined) return true;
  const known = listed(thing.id);
  if (!known || (room !== undefined && known.room !== room)) return false;
  return capability === undefined || known.affordances.has(capability);
};

/** Reading and following what its expressions use, and the events that it waits for. */
const looksAt = ({ uses }: RuleFacts, rule: Rule, { thing, call }: RuleCall): boolean => {
  const { op, name } = call;
  if (op === 'subscribeevent')
    return allSteps(rule.steps).some(
      (step) =>
        'wait' in step &&
        'event' in step.wait &&
        step.wait.event.thing === thing.id &&
        step.wait.event.name === name,
    );
  if (op !== 'readproperty' && op !== 'observeproperty') return false;
  for (const use of uses(rule))
    if (use.kind === 'property' && use.thing === thing.id && use.property === name) return true;
  return false;
};
