/**
 * `althing grants`: who may use what by a grant.
 * Relies on the running peer's gateway.
 */
import type { GrantInfo } from '../core/governance-shapes.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

const shownIdLength = 12;

export const run: RunCommand = async ({ home, out }) => {
  const client = clientOf(home);
  const grants = await client.governance.grants();
  out.answer(grants, () =>
    grants.length === 0
      ? 'No grants. Make one: althing grant SUBJECT THING'
      : table(
          ['ID', 'SUBJECT', 'THINGS', 'OPERATIONS', 'AFFORDANCES', 'FROM', 'UNTIL'],
          grants.map((grant) => [
            grant.id.slice(0, shownIdLength),
            grant.subject,
            thingsOf(grant),
            grant.operations.join(', '),
            grant.affordances?.join(', ') ?? 'all',
            grant.notBefore,
            grant.expires,
          ]),
        ),
  );
};

/** What a grant is for, as people read it. */
export const thingsOf = ({ things, types, all }: GrantInfo): string =>
  all ? 'all Things' : types.length > 0 ? `every ${types.join(', ')}` : things.join(', ');
