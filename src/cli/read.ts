/**
 * `althing read`: the value of a property.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { plainValue, showValue } from './value.ts';

export const run: RunCommand = async ({ args, home, out }) => {
  const client = clientOf(home);
  const [thing, property] = args;
  const { id } = await client.resolve(thing!);
  const value = plainValue(await client.readProperty(id, property!));
  out.answer(value, () => showValue(value));
};
