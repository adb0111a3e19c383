/**
 * The members of the running fabric as `althing peers` shows them: names, roles, sessions, addresses.
 * Relies on the run for all of it; changes nothing.
 */
import type { PeerInfo } from '../core/api-shapes.ts';
import type { PeerId } from '../core/ids.ts';
import { formatEndpoint } from '../net/tls-channel.ts';
import type { FabricRun } from './fabric-run.ts';

/** Every member in the order of their names; this peer is listed even where its membership has ended. */
export const peerList = (
  run: FabricRun,
  self: { readonly id: PeerId; readonly name: string; readonly address: string | null },
): PeerInfo[] => {
  const { directory, supervisor, membership } = run;
  const members = new Set([self.id, ...run.peers()]);
  const infos = [...members].map((peer): PeerInfo => {
    const session = supervisor.session(peer);
    const isSelf = peer === self.id;
    const gone = isSelf ? run.departure : undefined;
    const label = directory.labels.ofPeer(peer);
    const known = isSelf ? undefined : run.addressOf(peer);
    const lastSeen = session || isSelf ? Date.now() : run.lastSeen(peer);
    return {
      peer,
      name: label.name ?? (isSelf ? self.name : (directory.card(peer)?.name ?? peer.slice(0, 12))),
      role: gone ? null : (membership.roleOf(peer) ?? 'member'),
      state: isSelf ? 'self' : session ? 'online' : supervisor.seeks(peer) ? 'offline' : 'unknown',
      rttMs: session?.rttMs ?? null,
      address: isSelf ? self.address : (session?.remoteAddress ?? (known && formatEndpoint(known)) ?? null),
      lastSeen: lastSeen === undefined ? null : new Date(lastSeen).toISOString(),
      ...(label.room !== undefined && { room: label.room }),
      ...(gone && { gone }),
    };
  });
  return infos.sort((a, b) => a.name.localeCompare(b.name));
};
