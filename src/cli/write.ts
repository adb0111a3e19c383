/**
 * `althing write`: gives a property a new value.
 * Relies on the running peer's gateway; the property's schema tells text from JSON.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseValue, showValue } from './value.ts';

export const run: RunCommand = async ({ args, home, out }) => {
  const client = clientOf(home);
  const [thing, property, text] = args;
  const td = await client.resolve(thing!);
  const value = parseValue(text!, td.properties?.[property!]);
  await client.writeProperty(td.id, property!, value);
  out.answer(null, () => `${td.title}: ${property} is set to ${showValue(value)}.`);
};
