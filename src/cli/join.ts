/**
 * `althing join`: makes this device a member of the ticket's fabric, or by a guest pass a guest, whether its peer runs or not.
 * Relies on the running peer, or on one in this process that stops once it has joined.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { runningOr, withOwnPeer } from './own-peer.ts';

export const run: RunCommand = async (call) => {
  const [ticket = ''] = call.args;
  const { name } = call.options;
  const options = name === undefined ? {} : { name };
  let runs = true;
  const joined = await runningOr(
    () => clientOf(call.home).join(ticket, options),
    () => {
      runs = false;
      return withOwnPeer(call, { ...options, renew: true }, (peer) => peer.join(ticket, options));
    },
  );
  const { things } = joined;
  call.out.answer(joined, () =>
    things
      ? `May use as a guest: ${things.map((id) => id.split(':').at(-1)).join(', ')}. List them: althing things`
      : `Joined the fabric ${joined.fabric} as ${joined.role}.`,
  );
  if (!runs) call.out.note('Start the peer: althing up');
};
