/**
 * The resolved rule and scene: the values of `rule` and `scene` records, plain data that names Things and peers by id.
 * Relies on valibot; what people write (YAML, names, `5m`) is `rule-yaml.ts` and `resolve.ts`.
 *
 * A record's key is the slug of the name. A Thing or peer that was not known when the rule was applied stands as
 * `name:<what was written>`: it behaves like a Thing that is away, until an admin's peer resolves the rule again.
 */
import * as v from 'valibot';
import { encode } from '../core/codec.ts';
import { isPeerId } from '../core/ids.ts';

/** Bounds of one rule; every one is checked in records that come from elsewhere too. */
export const ruleLimits = {
  triggers: 32,
  conditions: 16,
  steps: 200,
  stepDepth: 8,
  repeatTimes: 1000,
  branches: 16,
  retries: 10,
  waiting: 100,
  expressionLength: 2000,
  durationMs: 366 * 24 * 3_600_000,
  sceneValues: 256,
  sizeBytes: 48 * 1024,
} as const;

/** The mark of a Thing or peer that is not resolved yet. */
export const unresolvedMark = 'name:';

/** What was written, where a reference is not resolved yet; undefined for an id. */
export const unresolvedName = (reference: string): string | undefined =>
  reference.startsWith(unresolvedMark) ? reference.slice(unresolvedMark.length) : undefined;

const text = (maxLength: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(maxLength));
const name = text(100);
const thing = v.pipe(
  text(256),
  v.regex(/^(urn:|name:.)/, 'must be a Thing id (urn:...), or name:... where it is not known yet'),
);
const peer = v.pipe(
  text(256),
  v.check(
    (id) => isPeerId(id) || /^name:./.test(id),
    'must be a peer id, or name:... where it is not known yet',
  ),
);
const durationMs = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(ruleLimits.durationMs));
const positiveMs = v.pipe(durationMs, v.minValue(1));
const expression = text(ruleLimits.expressionLength);
const finite = v.pipe(v.number(), v.finite());

const operand = v.union([v.strictObject({ cel: expression }), v.strictObject({ literal: v.unknown() })]);

/** A value: `literal` is taken as it is, `cel` is evaluated when the step's turn comes. */
export type Operand = { readonly cel: string } | { readonly literal: unknown };

const tests = ['changes', 'becomes', 'above', 'below'] as const;
const propertyTrigger = v.pipe(
  v.strictObject({
    thing,
    name,
    changes: v.exactOptional(v.literal(true)),
    becomes: v.exactOptional(v.unknown()),
    above: v.exactOptional(finite),
    below: v.exactOptional(finite),
    hysteresis: v.exactOptional(v.pipe(finite, v.minValue(0))),
    forMs: v.exactOptional(durationMs),
  }),
  v.check(
    (trigger) => tests.filter((test) => Object.hasOwn(trigger, test)).length === 1,
    'must say exactly one of changes, becomes, above and below',
  ),
  v.check(
    ({ hysteresis, above, below }) => hysteresis === undefined || above !== undefined || below !== undefined,
    'has a hysteresis, which only above and below can have',
  ),
);
/** A property changes, becomes a value, or crosses a threshold; with `forMs` it must stay there that long. */
export type PropertyTrigger = v.InferOutput<typeof propertyTrigger>;

const at = v.pipe(
  v.string(),
  v.regex(/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/, 'must be a time of day like "22:30"'),
);
const timeTrigger = v.union([
  v.strictObject({ at }),
  v.strictObject({ cron: text(100) }),
  v.strictObject({
    sun: v.picklist(['sunrise', 'sunset']),
    offsetMs: v.exactOptional(
      v.pipe(v.number(), v.safeInteger(), v.minValue(-12 * 3_600_000), v.maxValue(12 * 3_600_000)),
    ),
  }),
]);
/** A time of day, a cron pattern, or sunrise and sunset with an offset; all in the fabric's zone. */
export type TimeTrigger = v.InferOutput<typeof timeTrigger>;

const goes = v.picklist(['online', 'offline']);
const id = v.exactOptional(
  v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a short name: a-z, 0-9 and dashes')),
);
const eventTrigger = v.strictObject({ thing, name });
const comingTrigger = { goes, forMs: v.exactOptional(durationMs) };

const triggerSchema = v.union([
  v.strictObject({ property: propertyTrigger, id }),
  v.strictObject({ event: eventTrigger, id }),
  v.strictObject({ time: timeTrigger, id }),
  v.strictObject({ peer: v.strictObject({ name: peer, ...comingTrigger }), id }),
  v.strictObject({ thing: v.strictObject({ name: thing, ...comingTrigger }), id }),
  v.strictObject({ manual: v.literal(true), id }),
]);
/** What makes a rule fire. `id` is what `trigger.id` says in expressions; without one it is the trigger's number. */
export type Trigger = v.InferOutput<typeof triggerSchema>;

const selection = v.pipe(
  v.strictObject({
    type: v.exactOptional(name),
    room: v.exactOptional(name),
    capability: v.exactOptional(name),
    online: v.exactOptional(v.boolean()),
  }),
  v.check(
    ({ type, room, capability }) => (type ?? room ?? capability) !== undefined,
    'must say a type, a room or a capability',
  ),
);
/** Things by what they are: `@type`, room, an affordance that they offer, whether they can be reached now. */
export type Selection = v.InferOutput<typeof selection>;

const target = {
  thing: v.exactOptional(thing),
  every: v.exactOptional(selection),
  any: v.exactOptional(selection),
};
const oneTarget = (step: { thing?: unknown; every?: unknown; any?: unknown }): boolean =>
  [step.thing, step.every, step.any].filter((part) => part !== undefined).length === 1;
const targetProblem = 'must say exactly one of thing, every and any';

const writeStep = v.pipe(
  v.strictObject({ ...target, property: name, value: operand }),
  v.check((step) => oneTarget(step), targetProblem),
);
const invokeStep = v.pipe(
  v.strictObject({ ...target, action: name, input: v.exactOptional(operand) }),
  v.check((step) => oneTarget(step), targetProblem),
);
/** `thing`: that one; `every`: all that fit, at once; `any`: the nearest that fits, the next one if that refuses. */
export interface Target {
  readonly thing?: string;
  readonly every?: Selection;
  readonly any?: Selection;
}

const waitStep = v.union([
  v.strictObject({
    until: expression,
    timeoutMs: positiveMs,
    onTimeout: v.exactOptional(v.picklist(['stop', 'continue'])),
  }),
  v.strictObject({
    event: eventTrigger,
    timeoutMs: positiveMs,
    onTimeout: v.exactOptional(v.picklist(['stop', 'continue'])),
  }),
]);

const common = {
  deadlineMs: v.exactOptional(v.pipe(positiveMs, v.maxValue(3_600_000))),
  retry: v.exactOptional(
    v.strictObject({
      times: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(ruleLimits.retries)),
      pauseMs: durationMs,
    }),
  ),
  onFailure: v.exactOptional(
    v.union([v.picklist(['stop', 'continue']), v.lazy((): v.GenericSchema<unknown, Step[]> => stepsSchema)]),
  ),
};

/** A named value is written into the own replica: there is nothing that a second try could change. */
const { retry: _retry, ...withoutRetry } = common;

const lazySteps = v.lazy((): v.GenericSchema<unknown, Step[]> => stepsSchema);
const stepSchema = v.union([
  v.strictObject({ write: writeStep, ...common }),
  v.strictObject({ invoke: invokeStep, ...common }),
  v.strictObject({ scene: name, ...common }),
  v.strictObject({ set: v.strictObject({ name, value: operand }), ...withoutRetry }),
  v.strictObject({ delay: durationMs }),
  v.strictObject({ wait: waitStep }),
  v.strictObject({
    choose: v.pipe(
      v.array(v.strictObject({ if: expression, steps: lazySteps })),
      v.minLength(1),
      v.maxLength(ruleLimits.branches),
    ),
    else: v.exactOptional(lazySteps),
  }),
  v.strictObject({
    repeat: v.strictObject({
      times: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(ruleLimits.repeatTimes)),
      while: v.exactOptional(expression),
      steps: lazySteps,
    }),
  }),
  v.strictObject({
    parallel: v.pipe(v.array(lazySteps), v.minLength(1), v.maxLength(ruleLimits.branches)),
  }),
  v.strictObject({ stop: text(200) }),
]);
const stepsSchema: v.GenericSchema<unknown, Step[]> = v.pipe(
  v.array(stepSchema as unknown as v.GenericSchema<unknown, Step>),
  v.minLength(1),
  v.maxLength(ruleLimits.steps),
);

/** What a step that commands may add: how long it may take, how often to try again, what to do if it fails. */
export interface StepOptions {
  /** Milliseconds for one try; 10 s where it says nothing. */
  readonly deadlineMs?: number;
  /** Further tries after a failure that is certain; an unknown outcome is asked about, never tried again. */
  readonly retry?: { readonly times: number; readonly pauseMs: number };
  /** `stop` (the default) ends the run, `continue` goes on, steps are taken instead and then the run goes on. */
  readonly onFailure?: 'stop' | 'continue' | readonly Step[];
}
export interface WriteStep extends StepOptions {
  readonly write: Target & { readonly property: string; readonly value: Operand };
}
export interface InvokeStep extends StepOptions {
  readonly invoke: Target & { readonly action: string; readonly input?: Operand };
}
export interface SceneStep extends StepOptions {
  /** The slug of the scene. */
  readonly scene: string;
}
export interface SetStep extends Omit<StepOptions, 'retry'> {
  readonly set: { readonly name: string; readonly value: Operand };
}
/** Waits until an expression is true or an event comes, at most `timeoutMs`; then stops (the default) or goes on. */
export interface WaitStep {
  readonly wait: (
    | { readonly until: string }
    | { readonly event: { readonly thing: string; readonly name: string } }
  ) & {
    readonly timeoutMs: number;
    readonly onTimeout?: 'stop' | 'continue';
  };
}
export interface ChooseStep {
  readonly choose: readonly { readonly if: string; readonly steps: readonly Step[] }[];
  readonly else?: readonly Step[];
}
export interface RepeatStep {
  readonly repeat: { readonly times: number; readonly while?: string; readonly steps: readonly Step[] };
}
export interface ParallelStep {
  readonly parallel: readonly (readonly Step[])[];
}
export type Step =
  | WriteStep
  | InvokeStep
  | SceneStep
  | SetStep
  | { readonly delay: number }
  | WaitStep
  | ChooseStep
  | RepeatStep
  | ParallelStep
  | { readonly stop: string };

/** How firings of one rule get along: see `modes.ts`. */
export const ruleModes = ['single', 'restart', 'queued', 'parallel'] as const;
export type RuleMode = (typeof ruleModes)[number];

const ruleSchema = v.pipe(
  v.strictObject({
    name,
    description: v.exactOptional(text(1000)),
    enabled: v.boolean(),
    mode: v.picklist(ruleModes),
    max: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(ruleLimits.waiting))),
    maxPerMinute: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(6000))),
    triggers: v.pipe(v.array(triggerSchema), v.minLength(1), v.maxLength(ruleLimits.triggers)),
    staleMs: v.exactOptional(durationMs),
    conditions: v.pipe(v.array(expression), v.maxLength(ruleLimits.conditions)),
    steps: stepsSchema,
  }),
  v.check(
    ({ triggers }) => repeatedTriggerId(triggers) === undefined,
    'has two triggers with one id, of which only one would fire',
  ),
  v.check(({ steps }) => stepDepth(steps) <= ruleLimits.stepDepth, 'nests its steps deeper than 8'),
  v.check(({ steps }) => allSteps(steps).length <= ruleLimits.steps, 'has more than 200 steps'),
);

/** The index of a trigger whose id an earlier one has; undefined where all differ. They are told apart by their ids. */
export const repeatedTriggerId = (triggers: readonly { readonly id?: string }[]): number | undefined => {
  const ids = triggers.map(({ id }) => id);
  const index = ids.findIndex((one, at) => one !== undefined && ids.indexOf(one) < at);
  return index === -1 ? undefined : index;
};

/** A rule as its record holds it. `max` bounds what runs (parallel) or waits (queued); 10 where it says nothing. */
export interface Rule {
  readonly name: string;
  readonly description?: string;
  readonly enabled: boolean;
  readonly mode: RuleMode;
  readonly max?: number;
  readonly maxPerMinute?: number;
  /** The value that a device saw last stands in for one that it does not give now, where it is no older; milliseconds. */
  readonly staleMs?: number;
  readonly triggers: readonly Trigger[];
  readonly conditions: readonly string[];
  readonly steps: readonly Step[];
}

const sceneSchema = v.strictObject({
  name,
  values: v.pipe(
    v.array(v.strictObject({ thing, property: name, value: v.unknown() })),
    v.maxLength(ruleLimits.sceneValues),
  ),
});
/** Values by Thing and property, applied together. */
export interface Scene {
  readonly name: string;
  readonly values: readonly { readonly thing: string; readonly property: string; readonly value: unknown }[];
}

/** The lists of steps inside one step, with the segment of the step's path that leads there. */
export const innerSteps = (step: Step): (readonly Step[])[] => {
  const lists: (readonly Step[])[] = [];
  if ('choose' in step)
    lists.push(...step.choose.map(({ steps }) => steps), ...(step.else ? [step.else] : []));
  if ('repeat' in step) lists.push(step.repeat.steps);
  if ('parallel' in step) lists.push(...step.parallel);
  if ('onFailure' in step && typeof step.onFailure === 'object') lists.push(step.onFailure);
  return lists;
};

/** Every step, those inside others included. */
export const allSteps = (steps: readonly Step[]): Step[] =>
  steps.flatMap((step) => [step, ...innerSteps(step).flatMap(allSteps)]);

const stepDepth = (steps: readonly Step[]): number =>
  1 + Math.max(0, ...steps.flatMap((step) => innerSteps(step).map(stepDepth)));

/** What is wrong with a value, in a few words: `triggers.0.time.at must be ...`; undefined where nothing is. */
export const ruleProblem = (value: unknown): string | undefined => problemOf(ruleSchema, value);

/** The rule in a record's value; undefined where it is none, or larger or deeper than a rule may be. */
export const parseRule = (value: unknown): Rule | undefined =>
  problemOf(ruleSchema, value) === undefined ? (value as Rule) : undefined;

/** The scene in a record's value; undefined where it is none. */
export const parseScene = (value: unknown): Scene | undefined =>
  problemOf(sceneSchema, value) === undefined ? (value as Scene) : undefined;

const problemOf = (schema: v.GenericSchema, value: unknown): string | undefined => {
  // Before the recursive schema runs: the codec refuses what is nested deeply, without recursion.
  let sizeBytes: number;
  try {
    sizeBytes = encode(value).length;
  } catch (error) {
    return (error as Error).message;
  }
  if (sizeBytes > ruleLimits.sizeBytes) return `is larger than ${ruleLimits.sizeBytes} bytes`;
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return undefined;
  const path = v.getDotPath(parsed.issues[0]);
  return `${path === null ? '' : `${path} `}${parsed.issues[0].message}`;
};
