/**
 * `althing peers`: the members of the fabric and how they are reached.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const client = clientOf(home);
  const peers = await client.peers();
  out.answer(peers, () =>
    table(
      ['NAME', 'ROLE', 'STATE', 'RTT', 'ADDRESS', 'LAST SEEN', 'ROOM', 'PEER'],
      peers.map(({ name, role, state, rttMs, address, lastSeen, room, gone, peer }) => [
        name,
        role ?? gone?.how ?? null,
        state,
        rttMs === null ? null : `${rttMs.toFixed(1)} ms`,
        address,
        lastSeen,
        room ?? null,
        peer,
      ]),
    ),
  );
  const { gone } = await client.self();
  if (gone)
    out.note(
      `This device is out of the fabric (${gone.how} at ${gone.at} by ${gone.by}). To join again: althing leave, then althing join TICKET`,
    );
  else if (peers.length === 1) out.note('No other member yet. Let another device join: althing invite');
};
