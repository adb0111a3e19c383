/**
 * `althing write`: gives a property a new value.
 * Relies on the running peer's gateway; the property's schema tells text from JSON.
 */
import type { RunCommand } from './command-table.ts';
import { withClient } from './connect.ts';
import { parseValue, showValue } from './value.ts';

export const run: RunCommand = ({ args, home, out }) =>
  withClient(home, async (client) => {
    const [thing, property, text] = args;
    const td = await client.describe(thing!);
    const value = parseValue(text!, td.properties?.[property!]);
    await client.writeProperty(td.id, property!, value);
    out.answer(null, () => `${td.title}: ${property} is set to ${showValue(value)}.`);
  });
