/**
 * Members, invites and grants as people see them: the authority in the shapes of the gateway.
 * Relies on the authority alone; decides nothing.
 */
import type { DepartureInfo } from '../../core/api-shapes.ts';
import type { GrantInfo, InviteEntry, MemberInfo, ProposedRole } from '../../core/governance-shapes.ts';
import { type PeerId, peerIdOf } from '../../core/ids.ts';
import type { Authority } from '../../fabric/authority.ts';
import type { StandingGrant } from '../../fabric/permissions.ts';

type NameOf = (peer: PeerId) => string | undefined;

const timeOf = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : timeOf(ms));

/** Members in the order of their names; with `all`, those who are out after them, the latest first. */
export const memberList = (
  authority: Authority,
  nameOf: NameOf,
  options: { all?: boolean } = {},
): MemberInfo[] => {
  const unconfirmed = new Set(authority.unconfirmed.map(({ peer }) => peer));
  const members = [...authority.members.values()].map(
    ({ peer, role, since, admitted }): MemberInfo => ({
      peer,
      name: nameOf(peer) ?? null,
      role,
      since: timeOf(since),
      invite: admitted && peerIdOf(admitted.invite),
      confirmed: !unconfirmed.has(peer),
      gone: null,
      proposed: proposedFor(peer, authority),
    }),
  );
  members.sort((a, b) => (a.name ?? a.peer).localeCompare(b.name ?? b.peer) || (a.peer < b.peer ? -1 : 1));
  if (!options.all) return members;
  const gone = [...authority.gone.keys()].map(
    (peer): MemberInfo => ({
      peer,
      name: nameOf(peer) ?? null,
      role: null,
      since: null,
      invite: null,
      confirmed: true,
      gone: departureOf(peer, authority) ?? null,
      proposed: [],
    }),
  );
  return [...members, ...gone.sort((a, b) => (a.gone!.at < b.gone!.at ? 1 : -1))];
};

/** How a peer came to be out; undefined where it is not. */
export const departureOf = (
  peer: PeerId,
  { gone, speakerOf }: Pick<Authority, 'gone' | 'speakerOf'>,
): DepartureInfo | undefined => {
  const found = gone.get(peer);
  if (!found) return undefined;
  const successor = speakerOf(peer);
  return {
    how: found.how,
    by: found.by,
    at: timeOf(found.atMs),
    successor: successor === peer ? null : successor,
  };
};

const proposedFor = (peer: PeerId, { admins, adminSets }: Authority): ProposedRole[] =>
  adminSets.open.flatMap(({ id, admins: proposed, removed, supporters, needs }): ProposedRole[] => {
    const cut = removed.find((one) => one.peer === peer);
    const base = { set: id, by: [...supporters], needs };
    if (cut) return [{ ...base, role: cut.out ? 'revoked' : 'member' }];
    return proposed.includes(peer) && !admins.has(peer) ? [{ ...base, role: 'admin' }] : [];
  });

/** Invites that still let somebody in, those that end first before the others. */
export const inviteList = ({ invites }: Authority, nowMs: number): InviteEntry[] =>
  [...invites.values()]
    .filter(({ invite, used }) => invite.expires > nowMs && used < invite.uses)
    .map(({ invite, used, record }) => ({
      id: peerIdOf(invite.invite),
      role: invite.role,
      uses: invite.uses,
      used,
      expires: timeOf(invite.expires),
      by: record.authorId,
      replaces: invite.replaces ? peerIdOf(invite.replaces) : null,
    }))
    .sort((a, b) => (a.expires < b.expires ? -1 : 1));

/** A grant as people see it. */
export const grantInfo = ({ id, grant, by }: StandingGrant): GrantInfo => ({
  id,
  subject: grant.subject.kind === 'role' ? `role:${grant.subject.role}` : peerIdOf(grant.subject.peer),
  things: grant.things.kind === 'ids' ? grant.things.ids : [],
  types: grant.things.kind === 'types' ? grant.things.types : [],
  all: grant.things.kind === 'all',
  operations: grant.operations,
  affordances: grant.affordances,
  notBefore: timeOrNull(grant.notBefore),
  expires: timeOrNull(grant.expires),
  by,
});
