/**
 * `althing tokens`: the tokens for the gateway, without their secrets.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const client = clientOf(home);
  const tokens = await client.tokens();
  out.answer(tokens, () =>
    tokens.length === 0
      ? 'No tokens yet. Make one: althing token --scope read|use|manage'
      : table(
          ['ID', 'SCOPE', 'CREATED'],
          tokens.map(({ id, scope, created }) => [id, scope, created]),
        ),
  );
};
