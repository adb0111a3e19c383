/**
 * `althing things`: the Things of the whole fabric, online or not.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ args, home, options, out }) => {
  const client = clientOf(home);
  const [query] = args;
  const { type, room } = options;
  const things = await client.things({
    ...(query !== undefined && { query }),
    ...(type !== undefined && { type }),
    ...(room !== undefined && { room }),
  });
  if (out.json) return out.answer(things, () => '');
  if (things.length === 0) {
    const all = query === undefined && type === undefined && room === undefined;
    return out.answer(things, () =>
      all
        ? 'No Things yet. Expose some: althing up --things FILE'
        : 'No Thing matches. List all: althing things',
    );
  }
  const names = new Map((await client.peers()).map(({ peer, name }) => [peer, name]));
  out.answer(things, () =>
    table(
      ['NAME', 'TYPE', 'ROOM', 'PEER', 'STATE', 'ID'],
      things.map(({ title, name, types, room, peer, online, id }) => [
        name ?? title,
        types.join(', '),
        room ?? null,
        names.get(peer) ?? peer,
        online === null ? 'unknown' : online ? 'online' : 'offline',
        id,
      ]),
    ),
  );
};
