/**
 * `althing token`: a new token for the gateway; its secret is seen this once.
 * Relies on the running peer's gateway.
 */
import type { Scope } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

const scopes: readonly Scope[] = ['read', 'use', 'manage'];

export const run: RunCommand = async ({ home, options, out }) => {
  const given = options.scope ?? 'use';
  const scope = scopes.find((name) => name === given);
  if (scope === undefined)
    throw new AlthingError('bad-option', `--scope is read, use or manage, not "${given}".`);
  const client = clientOf(home);
  const created = await client.createToken(scope);
  out.answer(created, () => created.token);
  out.note(
    `Scope ${scope}, id ${created.id}. It is not shown again; althing token revoke ${created.id} ends it.`,
  );
};
