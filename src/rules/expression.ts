/**
 * CEL expressions over properties, presence, the fabric's values, the trigger and the time: typed, bounded, without
 * code, and with three outcomes. Relies on `@marcbachmann/cel-js` for types and evaluation, on `expression-syntax.ts`
 * for the bounds and for what an expression needs to know first.
 *
 * Everything needed is fetched before, because `thing("x")` takes literals only. Each use becomes a function of the
 * compiled expression; one whose value is unknown throws, and CEL's own rule for errors does the rest: `unknown ||
 * true` is true, `unknown && false` is false, all else that meets an unknown is unknown. `known(...)` tests for it.
 * Numbers are of one kind, as in JSON: `thing("x").level * 2` needs no conversion.
 */
import { Environment } from '@marcbachmann/cel-js';
import { AlthingError } from '../core/errors.ts';
import { fromCel, toCel } from './cel-values.ts';
import {
  applyEdits,
  type Edit,
  expressionError,
  originalOffset,
  readExpression,
  type Use,
} from './expression-syntax.ts';
import { dateText, timeText, zonedTime } from './zoned-time.ts';

/** The types that an expression can have, as CEL names them; `dyn` where only the values will tell. */
export type ExpressionType = string;

/** What a trigger says to expressions: `trigger.value`, `trigger.event`, ... */
export interface TriggerData {
  readonly kind: 'property' | 'event' | 'time' | 'peer' | 'thing' | 'manual';
  /** The trigger's `id`, or its number as text. */
  readonly id: string;
  /** Id of the Thing or peer that the trigger is about. */
  readonly thing?: string;
  readonly peer?: string;
  readonly goes?: 'online' | 'offline';
  /** Name of the property or event. */
  readonly name?: string;
  readonly value?: unknown;
  readonly previous?: unknown;
  /** The event's data, or the input of a manual firing. */
  readonly event?: unknown;
}

/** What an evaluation is made on. */
export interface ExpressionInputs {
  /** The value of a use; undefined where it is not known now. */
  readonly read: (use: Use) => unknown;
  readonly trigger: TriggerData;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** The fabric's time zone (IANA). */
  readonly zone: string;
}

/** The outcome: a value (plain data), unknown because of what is missing, or an error (`rule-failed`). */
export type Evaluation =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'unknown'; readonly missing: readonly Use[] }
  | { readonly kind: 'error'; readonly message: string };

/** An expression that can be evaluated any number of times. */
export interface Expression {
  readonly text: string;
  /** What must be fetched before; each thing once. */
  readonly uses: readonly Use[];
  readonly type: ExpressionType;
  evaluate(inputs: ExpressionInputs): Evaluation;
}

/** The CEL type of a use, where the one who compiles knows it (from a TD); undefined means `dyn`. */
export type TypeOf = (use: Use) => ExpressionType | undefined;

class Unknown extends Error {
  readonly use: Use;
  constructor(use: Use) {
    super('unknown');
    this.use = use;
  }
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  min: Math.min,
  max: Math.max,
};

let base: Environment | undefined;

/** Made with the first expression, since it takes a few milliseconds. */
const baseEnvironment = (): Environment => {
  if (base) return base;
  const made = new Environment({ homogeneousAggregateLiterals: false });
  made.registerVariable('trigger', 'map<string, dyn>').registerVariable('now', 'google.protobuf.Timestamp');
  made.registerVariable('hour', 'double').registerVariable('minute', 'double');
  for (const name of ['weekday', 'date', 'time']) made.registerVariable(name, 'string');
  made.registerOperator('double % double', (a: number, b: number) => a % b);
  for (const [name, handler] of Object.entries(arithmetic))
    made.registerFunction(`${name}(double, double): double`, handler);
  for (const [name, handler] of Object.entries({ round: Math.round, floor: Math.floor, abs: Math.abs }))
    made.registerFunction(`${name}(double): double`, handler);
  made.registerFunction('known(ast): bool', ({ args }: { args: unknown[] }) => ({
    typeCheck: (checker: Checker, _: unknown, context: unknown) => {
      checker.check(args[0], context);
      return checker.getType('bool');
    },
    evaluate: (evaluator: Evaluator, _: unknown, context: unknown) => {
      try {
        evaluator.run(args[0], context);
        return true;
      } catch (error) {
        if (error instanceof Unknown) return false;
        throw error;
      }
    },
  }));
  base = made;
  return made;
};

interface Checker {
  check(node: unknown, context: unknown): unknown;
  getType(name: string): unknown;
}
interface Evaluator {
  run(node: unknown, context: unknown): unknown;
}

/**
 * Compiles an expression, checking types as far as `typeOf` tells them. Throws `rule-invalid` with `details.at`, the
 * offset in the text of what is wrong.
 */
export const compileExpression = (text: string, typeOf: TypeOf = () => undefined): Expression => {
  const syntax = readExpression(text);
  const uses: Use[] = [];
  const indexOf = new Map<string, number>();
  const edits: Edit[] = [...syntax.numbers];
  for (const { use, start, end } of syntax.uses) {
    const key = JSON.stringify(use);
    let index = indexOf.get(key);
    if (index === undefined) {
      index = uses.push(use) - 1;
      indexOf.set(key, index);
    }
    edits.push({ start, end, text: `use${index}()` });
  }
  let inputs: ExpressionInputs | undefined;
  let missing: Use[] = [];
  const environment = baseEnvironment().clone();
  for (const [index, use] of uses.entries()) {
    const type = use.kind === 'online' ? 'bool' : (typeOf(use) ?? 'dyn');
    environment.registerFunction(`use${index}(): ${type}`, () => {
      const value = inputs!.read(use);
      if (value === undefined) {
        missing.push(use);
        throw new Unknown(use);
      }
      return toCel(value);
    });
  }
  const edited = applyEdits(text, edits);
  const check = environment.check(edited);
  if (!check.valid) {
    const { summary, range, message } = check.error as {
      summary?: string;
      range?: { start: number };
      message: string;
    };
    throw expressionError(
      `The expression does not fit its types: ${inWords(summary ?? message)}.`,
      originalOffset(edits, range?.start ?? 0),
      check.error,
    );
  }
  const run = environment.parse(edited);
  return {
    text,
    uses,
    type: check.type ?? 'dyn',
    evaluate: (given) => {
      inputs = given;
      missing = [];
      try {
        const value = run(contextOf(given, syntax.names));
        return { kind: 'value', value: fromCel(value) };
      } catch (error) {
        if (error instanceof Unknown) return { kind: 'unknown', missing };
        if (error instanceof AlthingError) return { kind: 'error', message: error.message };
        const { summary, message } = error as { summary?: string; message: string };
        return { kind: 'error', message: `${inWords(summary ?? message)}.` };
      } finally {
        inputs = undefined;
      }
    },
  };
};

/** Only what the expression names: the wall clock of a zone costs more than all the rest. */
const contextOf = (
  { trigger, nowMs, zone }: ExpressionInputs,
  names: ReadonlySet<string>,
): Record<string, unknown> => {
  const context: Record<string, unknown> = {};
  if (names.has('trigger')) context.trigger = toCel({ ...trigger });
  if (names.has('now')) context.now = new Date(nowMs);
  if (['hour', 'minute', 'weekday', 'date', 'time'].some((name) => names.has(name))) {
    const local = zonedTime(nowMs, zone);
    const { hour, minute, weekday } = local;
    Object.assign(context, { hour, minute, weekday, date: dateText(local), time: timeText(local) });
  }
  return context;
};

/** CEL's names of types in people's words. */
const inWords = (summary: string): string =>
  summary
    .split('\n')[0]!
    .replace(/\.$/, '')
    .replace('no such overload: ', 'there is no ')
    .replaceAll(/use\d+\(\)/g, 'the value')
    .replaceAll('double', 'number')
    .replaceAll('string', 'text')
    .replaceAll(/\bbool\b/g, 'true/false');

/** The CEL type of values that a DataSchema (TD 1.1, section 5.3.2) describes. */
export const typeOfSchema = (schema: { readonly type?: unknown } | undefined): ExpressionType | undefined => {
  switch (schema?.type) {
    case 'boolean':
      return 'bool';
    case 'number':
    case 'integer':
      return 'double';
    case 'string':
      return 'string';
    default:
      return undefined;
  }
};
