/**
 * `althing rules remove`: takes a rule out of the fabric.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, out }) => {
  await clientOf(home).rules.remove(rule);
  out.answer(null, () => `The rule "${rule}" is removed.`);
};
