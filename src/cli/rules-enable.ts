/**
 * `althing rules enable`: lets a rule fire again.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, out }) => {
  const info = await clientOf(home).rules.setEnabled(rule, true);
  out.answer(info, () => `"${info.name}" may fire again.`);
};
