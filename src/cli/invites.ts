/**
 * `althing invites`: the invites that still let somebody in.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const client = clientOf(home);
  const invites = await client.governance.invites();
  out.answer(invites, () =>
    invites.length === 0
      ? 'No invite is open. Make one: althing invite'
      : table(
          ['ROLE', 'USED', 'EXPIRES', 'BY', 'REPLACES', 'ID'],
          invites.map(({ role, used, uses, expires, by, replaces, id }) => [
            role,
            `${used} of ${uses}`,
            expires,
            by,
            replaces,
            id,
          ]),
        ),
  );
};
