/**
 * What a rule allows by itself: those who run it may do what its steps say, as far as its author may, and no more.
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
  /** A rule that is in force by its key; `mayUse`: what a member that wrote it may have it do. */
  readonly rule: (
    key: string,
  ) =>
    | { readonly rule: Rule; readonly mayUse?: (thing: ScopedThing, call: ThingCall) => boolean }
    | undefined;
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
  const known = key === undefined ? undefined : facts.rule(key);
  if (!known?.rule.enabled || !runsAt(facts, known.rule, asked.peer)) return false;
  if (known.mayUse && !known.mayUse(asked.thing, call)) return false;
  if (!commands) return looksAt(facts, known.rule, asked);
  return hasCommand(
    known.rule,
    { ...call, thing: asked.thing.id },
    { scene: facts.scene, fits: (selection) => fits(facts, selection, asked.thing) },
  );
};

/**
 * Whether a member is one that may come to run the rule: it speaks for a Thing that triggers it, or the rule has a
 * trigger that no Thing has. Hosting what it commands is not enough: by its types a device could make itself a target.
 */
export const runsAt = ({ speakerOf }: Pick<RuleFacts, 'speakerOf'>, rule: Rule, peer: PeerId): boolean =>
  rule.triggers.some((trigger) => {
    // These run at whoever ranks first, or where somebody says so.
    if (!('property' in trigger || 'event' in trigger)) return true;
    const owner = parseThingId(('property' in trigger ? trigger.property : trigger.event).thing)?.peer;
    return owner !== undefined && speakerOf(owner) === peer;
  });

/** A command as a step gives it, or as it comes to a device. */
export interface SaidCommand {
  readonly op: string;
  readonly thing: string;
  readonly name?: string;
  readonly input?: unknown;
}

/**
 * Whether a step of the rule says this command. A value that a step computes may be any; whether a selection means the
 * Thing is the caller's to say.
 */
export const hasCommand = (
  rule: Rule,
  { op, thing, name, input }: SaidCommand,
  facts: Pick<RuleFacts, 'scene'> & { readonly fits: (selection: Selection) => boolean },
): boolean => {
  const aims = ({ thing: target, every, any }: Target): boolean => {
    if (target !== undefined) return target === thing;
    const selection = every ?? any;
    return selection !== undefined && facts.fits(selection);
  };
  return allSteps(rule.steps).some((step) => {
    if ('write' in step && op === 'writeproperty')
      return step.write.property === name && says(step.write.value, input) && aims(step.write);
    if ('invoke' in step && op === 'invokeaction')
      return step.invoke.action === name && says(step.invoke.input, input) && aims(step.invoke);
    if ('scene' in step && op === 'writeproperty')
      return (facts.scene(step.scene)?.values ?? []).some(
        (value) => value.thing === thing && value.property === name && sameValue(value.value, input),
      );
    return false;
  });
};

const says = (operand: Operand | undefined, input: unknown): boolean => {
  if (operand === undefined) return input === undefined;
  return 'cel' in operand || sameValue(operand.literal, input);
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
