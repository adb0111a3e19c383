/**
 * `althing rules run`: fires a rule by hand at this peer.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseValue } from './value.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, options: { input }, out }) => {
  const given = input === undefined ? undefined : parseValue(input, undefined);
  const fired = await clientOf(home).rules.fire(rule, given);
  out.answer(fired, () => `Fired. What it does: althing rules trace ${JSON.stringify(rule)} --limit 1`);
};
