/**
 * Members who came by an invite that an admin made after the cut with which he was put out: a thief's friends.
 * Relies on control chains; an honest admin's peer may have confirmed them before it heard of the cut.
 */
import { toHex } from '../../core/bytes.ts';
import type { PeerId } from '../../core/ids.ts';
import type { ControlRecord, Invite } from '../../fabric/control.ts';
import { upTo } from '../../fabric/control-chain.ts';
import type { Replica } from '../../replica/replica.ts';

/** Those members, admins aside. */
export const strandedMembers = ({
  authority,
  control,
}: Pick<Replica, 'authority' | 'control'>): readonly PeerId[] => {
  const { adminSets, admins, members, invites } = authority;
  const cuts = adminSets.path
    .flatMap(({ removed }) => removed)
    .filter(({ peer, out }) => out && !admins.has(peer));
  if (cuts.length === 0) return [];
  const byHash = new Map<string, ControlRecord>(control.map((record) => [record.hash, record]));
  const standing = new Map<PeerId, Set<string>>();
  for (const { peer, head } of cuts) {
    const stands = upTo(head, byHash);
    const known = standing.get(peer);
    standing.set(peer, known ? known.intersection(stands) : stands);
  }
  const fallen = new Set<string>();
  for (const { authorId, hash, statement } of control)
    if (statement?.type === 'invite' && standing.get(authorId)?.has(hash) === false)
      fallen.add(inviteId(statement));
  return [...members.values()]
    .filter(({ peer, admitted }) => admitted && !admins.has(peer) && fallen.has(toHex(admitted.invite)))
    .filter(({ admitted }) => !invites.has(toHex(admitted!.invite)))
    .map(({ peer }) => peer);
};

const inviteId = ({ invite }: Invite): string => toHex(invite);
