/**
 * The pieces that the OpenAPI document is put together from.
 * Relies on nothing; each gives plain JSON.
 */
import type { Scope } from '../core/api-shapes.ts';

export type Json = Record<string, unknown>;

export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
export const text: Json = { type: 'string' };
export const listOf = (items: Json): Json => ({ type: 'array', items });
export const inPath = (name: string, description: string): Json => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: text,
});
export const inQuery = (name: string, description: string, schema: Json = text): Json => ({
  name,
  in: 'query',
  description,
  schema,
});

export const body = (schema: Json, required = true): Json => ({
  required,
  content: { 'application/json': { schema } },
});
export const ok = (description: string, schema: Json, type = 'application/json'): Json => ({
  200: { description, content: { [type]: { schema } } },
});
export const created = (description: string, schema: Json): Json => ({
  201: { description, content: { 'application/json': { schema } } },
});
export const empty = (description: string): Json => ({ 204: { description } });
export const events = (description: string): Json => ({
  200: {
    description: `${description} Messages of type "althing:problem" carry problem details instead of a value: after "values-missed" the stream goes on, after any other it ends.`,
    content: { 'text/event-stream': { schema: text } },
  },
});

export const operation = (scope: Scope, summary: string, responses: Json, more: Json = {}): Json => ({
  summary,
  description: `Needs a token of scope "${scope}".`,
  responses: { ...responses, default: { $ref: '#/components/responses/Problem' } },
  ...more,
});

export const object = (properties: Record<string, Json>, optional: string[] = []): Json => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});
export const time: Json = { type: 'string', format: 'date-time' };
export const role: Json = { enum: ['admin', 'member', 'guest'] };
export const textOrNull: Json = { type: ['string', 'null'] };

/** What the schema says, or null. */
export const nullable = (schema: Json): Json => ({ oneOf: [schema, { type: 'null' }] });
