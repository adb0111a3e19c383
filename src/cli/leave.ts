/**
 * `althing leave`: takes this device out of its fabric; the next start makes another peer of it.
 * Relies on the running peer, or on one in this process that stops once the others were told.
 */
import { createInterface } from 'node:readline/promises';
import { toAlthingError } from '../core/errors.ts';
import type { LeaveInfo } from '../core/governance-shapes.ts';
import type { CommandCall, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { runningOr, withOwnPeer } from './own-peer.ts';

export const run: RunCommand = async (call) => {
  const info = await leaveWith(call, call.options.yes === true);
  call.out.answer(info, () => `This device has left the fabric ${info.fabric}.`);
  call.out.note(
    info.told.length > 0
      ? `Told ${info.told.length} of the others. What this device was is kept in ${info.archive}`
      : `Nobody else was told: an admin can take it off the list with althing revoke ${info.peer}. What this device was is kept in ${info.archive}`,
  );
  call.out.note('Start anew, with a key and a fabric of its own: althing up');
};

const leaveWith = async (call: CommandCall, confirm: boolean): Promise<LeaveInfo> => {
  try {
    return await runningOr(
      () => clientOf(call.home).governance.leave({ confirm }),
      () => withOwnPeer(call, {}, (peer) => peer.leave({ confirm })),
    );
  } catch (thrown) {
    const { code, message } = toAlthingError(thrown);
    if (confirm || code !== 'admins-too-few' || !(await isMeant(call, message))) throw thrown;
    return leaveWith(call, true);
  }
};

/** Asks whoever sits at the terminal; without one, --yes says it. */
const isMeant = async ({ out }: CommandCall, message: string): Promise<boolean> => {
  if (!process.stdin.isTTY || out.json) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${message}\nLeave all the same? [y/N] `)).trim());
  } finally {
    lines.close();
  }
};
