/**
 * `althing role`: makes a member an admin, a member or a guest.
 * Relies on the running peer's gateway; who the admins are is decided by more than half of them.
 */
import { AlthingError } from '../core/errors.ts';
import { adminChangeText } from './admin-change-text.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseTime } from './time.ts';

export const run: RunCommand = async ({ args: [peer = '', role = ''], home, options, out }) => {
  if (role !== 'admin' && role !== 'member' && role !== 'guest')
    throw new AlthingError('bad-option', `A role is admin, member or guest, not "${role}".`);
  const cut = options.before === undefined ? {} : { before: parseTime(options.before, '--before') };
  const client = clientOf(home);
  const info = await client.governance.setRole(peer, role, cut);
  out.answer(info, () => adminChangeText(info, `${peer} is ${role} now.`));
};
