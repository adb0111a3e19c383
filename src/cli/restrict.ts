/**
 * `althing restrict`: keeps a Thing for admins and those with a grant, or opens it to all members again.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [thing = ''], home, options, out }) => {
  const client = clientOf(home);
  const restriction = await client.governance.restrict(thing, options.off !== true);
  out.answer(restriction, () =>
    restriction.restricted
      ? `${thing} is for admins, and for those with a grant.`
      : `${thing} is open to all members.`,
  );
};
