/**
 * `althing shares`: the guest passes that this device has given and that have not expired.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const shares = await clientOf(home).shares();
  out.answer(shares, () =>
    shares.length === 0
      ? 'Nothing is shared from here. Share something: althing share THING'
      : table(
          ['THINGS', 'OPERATIONS', 'USES', 'UNTIL', 'ID'],
          shares.map(({ things, operations, uses, expires, ended, id }) => [
            things.map((thing) => thing.split(':').at(-1)).join(', '),
            operations.join(', '),
            String(uses),
            ended ? 'ended' : expires,
            id,
          ]),
        ),
  );
};
