/**
 * Shapes: a description of what a YAML document may say, from which follow the reader with its error messages, the
 * writer and the JSON Schema for editors. Relies on nothing of rules; `rule-shape.ts` describes those.
 */
import { durationPattern, formatDuration, parseDuration } from './duration.ts';

/** A field of an object. `as`: its name in the record, where that differs. */
export interface Field {
  readonly shape: Shape;
  readonly doc: string;
  readonly required?: true;
  readonly as?: string;
}

export type Shape =
  | { readonly kind: 'text'; readonly max: number; readonly pattern?: string; readonly hint?: string }
  /** A CEL expression: a text, with a hint of its own where YAML made something else of it. */
  | { readonly kind: 'expression'; readonly max: number }
  | { readonly kind: 'number'; readonly min?: number; readonly max?: number; readonly whole?: true }
  | { readonly kind: 'flag'; readonly only?: true }
  | { readonly kind: 'choice'; readonly of: readonly string[] }
  | { readonly kind: 'duration'; readonly minMs: number; readonly maxMs: number }
  /** `{cel}`, `{literal}`, or any other value, which stands for itself. */
  | { readonly kind: 'operand'; readonly max: number }
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'list';
      readonly of: () => Shape;
      readonly min: number;
      readonly max: number;
      readonly name?: string;
    }
  /** `one`: exactly one of these fields; `some`: at least one; `only`: fields that need another one beside them. */
  | {
      readonly kind: 'object';
      readonly fields: Readonly<Record<string, Field>>;
      readonly one?: readonly string[];
      readonly some?: readonly string[];
      readonly only?: Readonly<Record<string, readonly string[]>>;
      readonly name?: string;
    }
  /** The list where a list is given, else the other. */
  | { readonly kind: 'either'; readonly list: () => Shape; readonly other: Shape };

/** Where in a document: names and indexes. */
export type ShapePath = readonly (string | number)[];

/** Something wrong. `key`: it is about the name of the last step of the path, not about the value there. */
export interface ShapeProblem {
  readonly path: ShapePath;
  readonly message: string;
  readonly key?: true;
}

const described = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'boolean' ? `${value}` : JSON.stringify(value).slice(0, 60);
};

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

/** Reads plain data as a shape says; what is wrong is added to `problems`, and the result then is of no use. */
export const readShape = (
  shape: Shape,
  value: unknown,
  path: ShapePath,
  problems: ShapeProblem[],
): unknown => {
  const wrong = (message: string): undefined => {
    problems.push({ path, message });
  };
  switch (shape.kind) {
    case 'expression':
      if (typeof value !== 'string')
        return wrong(
          `must be an expression, but YAML read ${described(value)}: quote it, as in 'thing("lamp").on == true'`,
        );
      return value.length >= 1 && value.length <= shape.max
        ? value
        : wrong(`must have 1 to ${shape.max} characters`);
    case 'text':
      if (typeof value !== 'string') return wrong(`must be a text, not ${described(value)}: quote it`);
      if (value === '' || value.length > shape.max) return wrong(`must have 1 to ${shape.max} characters`);
      return shape.pattern && !new RegExp(shape.pattern).test(value)
        ? wrong(`must be ${shape.hint}, not ${described(value)}`)
        : value;
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value) || (shape.whole && !Number.isInteger(value)))
        return wrong(`must be a ${shape.whole ? 'whole ' : ''}number, not ${described(value)}`);
      if (value < (shape.min ?? value) || value > (shape.max ?? value))
        return wrong(`must be from ${shape.min ?? '-∞'} to ${shape.max ?? '∞'}, not ${value}`);
      return value;
    case 'flag':
      if (typeof value !== 'boolean' || (shape.only && !value))
        return wrong(`must be ${shape.only ? 'true' : 'true or false'}, not ${described(value)}`);
      return value;
    case 'choice':
      return typeof value === 'string' && shape.of.includes(value)
        ? value
        : wrong(`must be ${listed(shape.of)}, not ${described(value)}`);
    case 'duration': {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      if (ms === undefined)
        return wrong(`must be a duration such as 90s, 5m or 1h30m, not ${described(value)}`);
      return ms < shape.minMs || ms > shape.maxMs
        ? wrong(
            `must be from ${formatDuration(shape.minMs)} to ${formatDuration(shape.maxMs)}, not ${described(value)}`,
          )
        : ms;
    }
    case 'operand':
      return readOperand(shape, value, path, problems);
    case 'plain':
      return value === undefined ? wrong('must have a value') : value;
    case 'either':
      return readShape(Array.isArray(value) ? shape.list() : shape.other, value, path, problems);
    case 'list':
      if (!Array.isArray(value)) return wrong(`must be a list ("- ..." lines), not ${described(value)}`);
      if (value.length < shape.min || value.length > shape.max)
        return wrong(`must have ${shape.min} to ${shape.max} entries, not ${value.length}`);
      return value.map((part, index) => readShape(shape.of(), part, [...path, index], problems));
    case 'object':
      return readObject(shape, value, path, problems);
  }
};

const soleKey = (value: unknown): string | undefined => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const keys = Object.keys(value);
  return keys.length === 1 ? keys[0] : undefined;
};

const readOperand = (
  shape: Extract<Shape, { kind: 'operand' }>,
  value: unknown,
  path: ShapePath,
  problems: ShapeProblem[],
): unknown => {
  const key = soleKey(value);
  if (key === 'literal') return value;
  if (key !== 'cel') return { literal: value ?? null };
  const cel = (value as { cel: unknown }).cel;
  return { cel: readShape({ kind: 'expression', max: shape.max }, cel, [...path, 'cel'], problems) };
};

const readObject = (
  shape: Extract<Shape, { kind: 'object' }>,
  value: unknown,
  path: ShapePath,
  problems: ShapeProblem[],
): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push({
      path,
      message: `must say ${listed(shape.one ?? Object.keys(shape.fields))} ("name: value"), not ${described(value)}`,
    });
    return undefined;
  }
  const given = value as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(given)) {
    const field = Object.hasOwn(shape.fields, key) ? shape.fields[key]! : undefined;
    if (!field) {
      const message = `"${key.slice(0, 60)}" is not known here: there is ${listed(Object.keys(shape.fields))}`;
      problems.push({ path: [...path, key], message, key: true });
      continue;
    }
    const needs = shape.only?.[key];
    if (needs && !needs.some((name) => Object.hasOwn(given, name)))
      problems.push({ path: [...path, key], message: `"${key}" goes only with ${listed(needs)}`, key: true });
    result[field.as ?? key] = readShape(field.shape, given[key], [...path, key], problems);
  }
  for (const [key, { required }] of Object.entries(shape.fields))
    if (required && !Object.hasOwn(given, key))
      problems.push({ path, message: `lacks "${key}": ${shape.fields[key]!.doc}` });
  const chosen = shape.one?.filter((name) => Object.hasOwn(given, name));
  if (chosen && chosen.length !== 1)
    problems.push({
      path,
      message: `must say exactly one of ${listed(shape.one!)}${chosen.length > 1 ? `, not ${chosen.join(' and ')}` : ''}`,
    });
  if (shape.some && !shape.some.some((name) => Object.hasOwn(given, name)))
    problems.push({ path, message: `must say at least one of ${listed(shape.some)}` });
  return result;
};

/** The plain data that `readShape` would read into this record. */
export const writeShape = (shape: Shape, record: unknown): unknown => {
  switch (shape.kind) {
    case 'duration':
      return formatDuration(record as number);
    case 'operand': {
      const operand = record as { cel: string } | { literal: unknown };
      if ('cel' in operand) return operand;
      const key = soleKey(operand.literal);
      return key === 'cel' || key === 'literal' ? operand : operand.literal;
    }
    case 'either':
      return writeShape(Array.isArray(record) ? shape.list() : shape.other, record);
    case 'list':
      return (record as unknown[]).map((part) => writeShape(shape.of(), part));
    case 'object': {
      const from = record as Record<string, unknown>;
      return Object.fromEntries(
        Object.entries(shape.fields)
          .filter(([key, { as = key }]) => from[as] !== undefined)
          .map(([key, { as = key, shape: inner }]) => [key, writeShape(inner, from[as])]),
      );
    }
    default:
      return record;
  }
};

/** The shape as JSON Schema (2020-12); shapes with a name become definitions, so that they can contain themselves. */
export const jsonSchemaOf = (shape: Shape, definitions: Record<string, object>): object => {
  switch (shape.kind) {
    case 'expression':
      return { type: 'string', minLength: 1, maxLength: shape.max };
    case 'text':
      return {
        type: 'string',
        minLength: 1,
        maxLength: shape.max,
        ...(shape.pattern && { pattern: shape.pattern }),
      };
    case 'number':
      return {
        type: shape.whole ? 'integer' : 'number',
        ...(shape.min !== undefined && { minimum: shape.min }),
        ...(shape.max !== undefined && { maximum: shape.max }),
      };
    case 'flag':
      return shape.only ? { const: true } : { type: 'boolean' };
    case 'choice':
      return { enum: shape.of };
    case 'duration':
      return { type: 'string', pattern: durationPattern, examples: ['90s', '5m', '1h30m'] };
    case 'operand':
      return {
        description: 'A value, or { cel: EXPRESSION }, or { literal: VALUE } for an object with such a name.',
      };
    case 'plain':
      return {};
    case 'either':
      return { anyOf: [jsonSchemaOf(shape.list(), definitions), jsonSchemaOf(shape.other, definitions)] };
    case 'list':
      return named(shape.name, definitions, () => ({
        type: 'array',
        minItems: shape.min,
        maxItems: shape.max,
        items: jsonSchemaOf(shape.of(), definitions),
      }));
    case 'object':
      return named(shape.name, definitions, () => objectSchema(shape, definitions));
  }
};

const named = (name: string | undefined, definitions: Record<string, object>, make: () => object): object => {
  if (name === undefined) return make();
  if (!Object.hasOwn(definitions, name)) {
    definitions[name] = {};
    definitions[name] = make();
  }
  return { $ref: `#/$defs/${name}` };
};

const objectSchema = (
  { fields, one, some, only }: Extract<Shape, { kind: 'object' }>,
  definitions: Record<string, object>,
): object => {
  const required = Object.keys(fields).filter((key) => fields[key]!.required);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      Object.entries(fields).map(([key, { shape, doc }]) => {
        const schema = jsonSchemaOf(shape, definitions);
        return [key, { ...schema, description: doc }];
      }),
    ),
    ...(required.length > 0 && { required }),
    ...(one && { oneOf: one.map((key) => ({ required: [key] })) }),
    ...(some && { anyOf: some.map((key) => ({ required: [key] })) }),
    ...(only && {
      dependentSchemas: Object.fromEntries(
        Object.entries(only).map(([key, needs]) => [
          key,
          { anyOf: needs.map((name) => ({ required: [name] })) },
        ]),
      ),
    }),
  };
};
