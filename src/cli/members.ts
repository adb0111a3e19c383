/**
 * `althing members`: who belongs and how they came, what is proposed about them, and on request who is out.
 * Relies on the running peer's gateway.
 */
import type { MemberInfo } from '../core/governance-shapes.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, options, out }) => {
  const client = clientOf(home);
  const members = await client.governance.members({ all: options.all === true });
  out.answer(members, () =>
    table(
      ['NAME', 'ROLE', 'SINCE', 'CAME BY', 'NOTES', 'PEER'],
      members.map((member) => [
        member.name,
        member.role ?? member.gone?.how ?? null,
        member.gone?.at ?? member.since,
        member.invite,
        notesOf(member),
        member.peer,
      ]),
    ),
  );
};

const notesOf = ({ gone, confirmed, proposed }: MemberInfo): string =>
  [
    ...(gone ? [`by ${gone.by}`] : []),
    ...(gone?.successor ? [`now ${gone.successor}`] : []),
    ...(confirmed ? [] : ['not confirmed by an admin yet']),
    ...proposed.map(
      ({ role, needs, by }) => `proposed as ${role} by ${by.join(', ')}: ${needs} more must agree`,
    ),
  ].join('; ');
