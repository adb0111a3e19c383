/**
 * `althing recovery`: the words of the recovery key, once.
 * Relies on the running peer, or on one in this process that stays off the network.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { runningOr, withOwnPeer } from './own-peer.ts';

export const run: RunCommand = async (call) => {
  const words = await runningOr(
    () => clientOf(call.home).recoveryWords(),
    () => withOwnPeer(call, { offline: true }, (peer) => peer.recoveryWords()),
  );
  call.out.answer({ words }, () => words);
  call.out.note(
    'Write these words down and keep them away from this device: they alone can replace lost admins.\n' +
      'They are no longer stored, and are not shown again.',
  );
};
