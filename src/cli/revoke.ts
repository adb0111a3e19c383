/**
 * `althing revoke`: ends a peer's membership, an invite, a guest pass or a grant.
 * Relies on the running peer's gateway.
 */
import { adminChangeText } from './admin-change-text.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseTime } from './time.ts';

const doneTexts = {
  peer: (id: string) => `${id} is out of the fabric.`,
  invite: (id: string) => `The invite ${id} lets nobody in any more.`,
  pass: (id: string) =>
    `No member and no invite has the id ${id}: if it is a guest pass, it is worthless now.`,
  grant: (id: string) => `The grant ${id} has ended.`,
};

export const run: RunCommand = async ({ args: [subject = ''], home, options, out }) => {
  const cut = options.before === undefined ? {} : { before: parseTime(options.before, '--before') };
  const client = clientOf(home);
  const info = await client.governance.revoke(subject, cut);
  out.answer(info, () => adminChangeText(info, doneTexts[info.what](info.id)));
  if (info.unheard.length > 0)
    out.note(
      `Out of reach now, so they have not heard of it: ${info.unheard.join(', ')}. They will from the next member that they meet.`,
    );
};
