/**
 * Whether a value fits a DataSchema of another device's TD, by its simple words only: type, enum, const, bounds.
 * Relies on nothing. The device itself checks everything; a stranger's patterns are never run here, since they can
 * take for ever.
 */
import type { DataSchema } from '../thing/thing-description.ts';
import { sameValue } from './trigger-state.ts';

const maxDepth = 8;

/** What does not fit, in a few words: `must be a number, not "high"`; undefined where nothing is seen. */
export const fitProblem = (schema: DataSchema | undefined, value: unknown, depth = 0): string | undefined => {
  if (schema === undefined || depth > maxDepth) return undefined;
  const type = typeof schema.type === 'string' ? schema.type : undefined;
  if (type !== undefined && !hasType(value, type))
    return `must be ${words[type] ?? type}, not ${shown(value)}`;
  if (Array.isArray(schema.enum) && !schema.enum.some((option) => sameValue(option, value)))
    return `must be one of ${schema.enum.slice(0, 8).map(shown).join(', ')}, not ${shown(value)}`;
  if (Object.hasOwn(schema, 'const') && !sameValue(schema.const, value))
    return `must be ${shown(schema.const)}, not ${shown(value)}`;
  if (typeof value === 'number') {
    if (typeof schema.minimum === 'number' && value < schema.minimum)
      return `must be at least ${schema.minimum}, not ${value}`;
    if (typeof schema.maximum === 'number' && value > schema.maximum)
      return `must be at most ${schema.maximum}, not ${value}`;
  }
  return type === 'object' ? memberProblem(schema, value as Record<string, unknown>, depth) : undefined;
};

const memberProblem = (
  schema: DataSchema,
  value: Record<string, unknown>,
  depth: number,
): string | undefined => {
  const lacking = Array.isArray(schema.required)
    ? schema.required.find((name) => typeof name === 'string' && !Object.hasOwn(value, name))
    : undefined;
  if (lacking !== undefined) return `lacks "${String(lacking).slice(0, 60)}"`;
  const members = (schema.properties ?? {}) as Record<string, DataSchema>;
  for (const [name, member] of Object.entries(value)) {
    if (!Object.hasOwn(members, name)) continue;
    const problem = fitProblem(members[name], member, depth + 1);
    if (problem) return `"${name}" ${problem}`;
  }
  return undefined;
};

const words: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  number: 'a number',
  integer: 'a whole number',
  string: 'a text',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

const hasType = (value: unknown, type: string): boolean => {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return !(type in words) || typeof value === type;
  }
};

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60);
