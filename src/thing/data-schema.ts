/**
 * DataSchemas (TD 1.1, section 5.3.2) as functions that check values.
 * Relies on the JSON Schema engine, which is loaded with the first schema that says anything.
 *
 * A schema is limited in size and depth, has no references, and its values are limited by what `copyPlain` lets
 * through. Not covered: a `pattern` whose matching takes exponential time, and `uniqueItems` over a long array of
 * objects, can still hold the event loop. Both need a schema written for it, so schemas are run only by the peer
 * that exposes the Thing; a consumer never runs a stranger's.
 */
import type { Ajv } from 'ajv';
import { utf8 } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import { describeProblem, newEngine } from './json-schema-engine.ts';
import { isPlainObject } from './plain-value.ts';
import type { DataSchema } from './thing-description.ts';

/** Undefined where plain data fits, else the problem in a few words: `/level must be <= 100`. Never throws. */
export type Checker = (value: unknown) => string | undefined;

const maxSchemaBytes = 16 * 1024;
const maxSchemaDepth = 32;

/** Checkers by the text of what they check, oldest first: Things of one kind share them. */
const known = new Map<string, Checker>();
const knownSize = 512;

const anything: Checker = () => undefined;
let engine: Promise<Ajv> | undefined;

/**
 * The checker of a DataSchema. Only JSON Schema's own words count; `unit`, `forms`, `@type` and the like are skipped,
 * and so are formats that the engine does not know. Throws `td-invalid` for a schema that is none, that uses `$ref`
 * (a DataSchema has none) or that is larger than 16 KiB.
 */
export const compileSchema = async (schema: DataSchema | undefined): Promise<Checker> => {
  if (schema === undefined) return anything;
  const rules = rulesOf(schema, 0);
  const text = JSON.stringify(rules);
  if (text === '{}') return anything;
  const found = known.get(text);
  if (found) return found;
  if (utf8(text).length > maxSchemaBytes)
    throw new AlthingError(
      'td-invalid',
      `A DataSchema is larger than ${maxSchemaBytes} bytes: describe less of it.`,
    );
  engine ??= newEngine({ allErrors: false });
  const checker = compile(await engine, rules);
  if (known.size >= knownSize) known.delete(known.keys().next().value!);
  known.set(text, checker);
  return checker;
};

const compile = (ajv: Ajv, rules: object | boolean): Checker => {
  try {
    const validate = ajv.compile(rules);
    return (value) => {
      try {
        if (validate(value)) return undefined;
      } catch {
        // To compare two objects the engine calls their own `toString` or `valueOf`, which in plain data is no function.
        return 'must not have a member "toString" or "valueOf" where it is compared';
      }
      const error = validate.errors![0]!;
      const problem = describeProblem(error);
      return error.instancePath === '' ? problem : `${error.instancePath.slice(0, 200)} ${problem}`;
    };
  } catch (error) {
    throw new AlthingError('td-invalid', `A DataSchema is not valid: ${(error as Error).message}.`, {
      cause: error,
    });
  } finally {
    // The engine would keep every schema for ever; the compiled function does not need it.
    if (typeof rules === 'object') ajv.removeSchema(rules);
  }
};

const plainWords = new Set([
  ...['type', 'enum', 'const', 'format', 'pattern', 'minLength', 'maxLength', 'required'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties'],
]);
const schemaWords = new Set([
  ...['items', 'additionalItems', 'contains', 'additionalProperties', 'propertyNames'],
  ...['not', 'if', 'then', 'else', 'allOf', 'anyOf', 'oneOf'],
]);
const mapWords = new Set(['properties', 'patternProperties']);

/** The part of a schema that says something about values: nothing else reaches the engine. */
const rulesOf = (schema: unknown, depth: number): object | boolean => {
  if (typeof schema === 'boolean') return schema;
  if (!isPlainObject(schema)) throw new AlthingError('td-invalid', 'A DataSchema is not an object.');
  if (depth > maxSchemaDepth)
    throw new AlthingError('td-invalid', `A DataSchema is nested deeper than ${maxSchemaDepth}.`);
  if (schema.$ref !== undefined)
    throw new AlthingError('td-invalid', 'A DataSchema uses $ref, which TD 1.1 does not have: write it out.');
  const rules: [string, unknown][] = [];
  for (const [word, meaning] of Object.entries(schema)) {
    if (meaning === undefined) continue;
    if (plainWords.has(word)) rules.push([word, meaning]);
    else if (schemaWords.has(word))
      rules.push([
        word,
        Array.isArray(meaning)
          ? meaning.map((part) => rulesOf(part, depth + 1))
          : rulesOf(meaning, depth + 1),
      ]);
    else if (mapWords.has(word)) {
      if (!isPlainObject(meaning))
        throw new AlthingError('td-invalid', `"${word}" of a DataSchema is not an object.`);
      const parts = Object.entries(meaning).map(([name, part]) => [name, rulesOf(part, depth + 1)] as const);
      rules.push([word, Object.fromEntries(parts)]);
    }
  }
  return Object.fromEntries(rules);
};
