/**
 * `althing token revoke`: makes a token worthless.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command-table.ts';
import { withClient } from './connect.ts';

export const run: RunCommand = ({ args, home, out }) =>
  withClient(home, async (client) => {
    const [id = ''] = args;
    await client.revokeToken(id);
    out.answer(null, () => `Token ${id} is revoked.`);
  });
