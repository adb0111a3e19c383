/**
 * `althing read`: the value of a property.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command-table.ts';
import { withClient } from './connect.ts';
import { showValue } from './value.ts';

export const run: RunCommand = ({ args, home, out }) =>
  withClient(home, async (client) => {
    const [thing, property] = args;
    const { id } = await client.describe(thing!);
    const value = await client.readProperty(id, property!);
    out.answer(value, () => showValue(value));
  });
