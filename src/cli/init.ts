/**
 * `althing init`: an identity and a fabric of its own, without starting the peer.
 * Relies on a peer in this process that stays off the network; on a home that has both it changes neither.
 */
import type { RunCommand } from './command.ts';
import { withOwnPeer } from './own-peer.ts';

export const run: RunCommand = async (call) => {
  const { name, fabric: fabricName } = call.options;
  const options = {
    offline: true,
    ...(name !== undefined && { name }),
    ...(fabricName !== undefined && { fabricName }),
  };
  const self = await withOwnPeer(call, options, async (peer) => peer.self());
  call.out.answer({ peer: self.peer, fabric: self.fabric }, () =>
    [
      `  home    ${call.home}`,
      `  peer    ${self.name}  ${self.peer}`,
      `  fabric  ${self.fabricName}  ${self.fabric}`,
      'Start it: althing up',
    ].join('\n'),
  );
};
