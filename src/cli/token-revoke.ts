/**
 * `althing token revoke`: makes a token worthless.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args, home, out }) => {
  const client = clientOf(home);
  const [id = ''] = args;
  await client.revokeToken(id);
  out.answer(null, () => `Token ${id} is revoked.`);
};
