/**
 * What expressions are evaluated on: values of Things here and elsewhere, presence, the fabric's values, the time.
 * Relies on the world for all of it; everything is fetched at once, and what does not answer in time is unknown.
 */
import { toAlthingError } from '../../core/errors.ts';
import type { ValueSeen } from '../../core/rule-shapes.ts';
import type { Evaluation, TriggerData } from '../../rules/expression.ts';
import type { Use } from '../../rules/expression-syntax.ts';
import { unresolvedName } from '../../rules/rule.ts';
import type { Cause } from '../../thing/scripting-api.ts';
import { type Compiled, compiled } from './expressions.ts';
import type { RuleWorld } from './rule-world.ts';

/** For whom something is evaluated. */
export interface FactsFor {
  readonly trigger: TriggerData;
  /** Names the rule, by which devices let it read. */
  readonly cause: Cause;
  /** A last known value that is no older stands in for a device that does not answer. */
  readonly staleMs?: number;
}

/** An outcome with what it was made on. */
export interface Evaluated {
  readonly text: string;
  readonly evaluation: Evaluation;
  readonly values: readonly ValueSeen[];
}

const readTimeoutMs = 2000;

interface Fact {
  readonly value: unknown;
  readonly ageMs: number | null;
}

/** Evaluates expressions as the world is now; each of several uses of one value is fetched once. */
export const evaluateAll = async (
  world: RuleWorld,
  texts: readonly string[],
  asked: FactsFor,
): Promise<Evaluated[]> => {
  const facts = new Map<string, Promise<Fact>>();
  const factOf = (use: Use): Promise<Fact> => {
    const key = JSON.stringify(use);
    let fact = facts.get(key);
    if (!fact) {
      fact = fetchFact(world, use, asked);
      facts.set(key, fact);
    }
    return fact;
  };
  return Promise.all(texts.map((text) => evaluateOne(world, text, asked, factOf)));
};

/** The same for one. */
export const evaluate = async (world: RuleWorld, text: string, asked: FactsFor): Promise<Evaluated> =>
  (await evaluateAll(world, [text], asked))[0]!;

const evaluateOne = async (
  world: RuleWorld,
  text: string,
  { trigger }: FactsFor,
  factOf: (use: Use) => Promise<Fact>,
): Promise<Evaluated> => {
  let made: Compiled;
  try {
    made = await compiled(text);
  } catch (error) {
    // It was checked where it was applied; what another version made may not be understood here.
    return { text, evaluation: { kind: 'error', message: toAlthingError(error).message }, values: [] };
  }
  const { expression } = made;
  const seen = new Map<string, Fact>();
  await Promise.all(
    expression.uses.map(async (use) => {
      seen.set(JSON.stringify(use), await factOf(use));
    }),
  );
  const evaluation = expression.evaluate({
    read: (use) => seen.get(JSON.stringify(use))?.value,
    trigger,
    nowMs: world.now(),
    zone: world.book.place().zone,
  });
  const values = expression.uses.map((use): ValueSeen => {
    const { value, ageMs } = seen.get(JSON.stringify(use))!;
    const thing = use.kind === 'property' ? use.thing : null;
    return { what: nameOfUse(world, use), thing, ...(value !== undefined && { value }), ageMs };
  });
  return { text, evaluation, values };
};

/** What people call what an expression uses: `hall-lux.illuminance`, `online(phone)`, `value(last-visit)`. */
export const nameOfUse = ({ things }: Pick<RuleWorld, 'things'>, use: Use): string => {
  if (use.kind === 'value') return `value(${use.name})`;
  if (use.kind === 'online') return `online(${unresolvedName(use.peer) ?? things.nameOf(use.peer)})`;
  return `${unresolvedName(use.thing) ?? things.nameOf(use.thing)}.${use.property}`;
};

const unknownFact: Fact = { value: undefined, ageMs: null };

const fetchFact = async (world: RuleWorld, use: Use, asked: FactsFor): Promise<Fact> => {
  const { book, presence } = world;
  if (use.kind === 'value') return { value: book.value(use.name), ageMs: null };
  // A name that is not resolved yet is a peer or a Thing that is away.
  if (use.kind === 'online')
    return {
      value: unresolvedName(use.peer) === undefined ? presence.isOnline(use.peer) : false,
      ageMs: null,
    };
  if (unresolvedName(use.thing) !== undefined) return unknownFact;
  const { thing, property } = use;
  try {
    const call = { thing, op: 'readproperty', name: property } as const;
    const value = await world.connector.request(call, { timeoutMs: readTimeoutMs, cause: asked.cause });
    return { value: value ?? null, ageMs: null };
  } catch (error) {
    world.logger.debug({ err: error, thing, property }, 'A rule could not read a value.');
    const last = asked.staleMs === undefined ? undefined : world.things.lastKnown(thing, property);
    return last && last.ageMs <= asked.staleMs! ? last : unknownFact;
  }
};
