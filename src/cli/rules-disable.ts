/**
 * `althing rules disable`: keeps a rule and lets it not fire.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, out }) => {
  const info = await clientOf(home).rules.setEnabled(rule, false);
  out.answer(info, () => `"${info.name}" does not fire any more.`);
};
