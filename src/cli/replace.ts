/**
 * `althing replace`: puts a member, this device unless another is named, in the place of another.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [old = ''], home, options, out }) => {
  const client = clientOf(home);
  const info = await client.governance.replace(old, options.with);
  out.answer(
    info,
    () =>
      `${info.new} has taken the place of ${info.old}, which is out of the fabric: its Things, names, rules and grants are the new one's.`,
  );
};
