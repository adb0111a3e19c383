/**
 * Values between the command line and Things: JSON, or plain text where that is what is meant.
 * Relies on the affordance's DataSchema to tell the two apart.
 */
import type { DataSchema } from '../thing/thing-description.ts';

const wantsText = (schema: DataSchema | undefined): boolean => {
  if (schema === undefined) return false;
  if (schema.type !== undefined) return schema.type === 'string';
  const { enum: choices } = schema;
  return Array.isArray(choices) && choices.length > 0 && choices.every((item) => typeof item === 'string');
};

/** An argument as a value: text where the schema says string or where it is no JSON, else what the JSON says. */
export const parseValue = (text: string, schema: DataSchema | undefined): unknown => {
  if (wantsText(schema)) return text;
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON, so the text itself is meant; the device checks it against the schema.
    return text;
  }
};

/** A value as JSON can hold it: bytes (of media types other than JSON) as base64. */
export const plainValue = (value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('base64') : (value ?? null);

/** A value for people: text bare, everything else as JSON. */
export const showValue = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? null);
