/**
 * The rules of members that are no admins: when they are in force, and what they may do then.
 * Relies on grants and roles as they are now, never on what they were when a rule was written or came.
 */
import type { PeerId } from '../../core/ids.ts';
import { markIn } from '../../core/rule-keys.ts';
import { mayRule, ruleGrantsOf } from '../../fabric/access.ts';
import type { Authority } from '../../fabric/authority.ts';
import type { StandingGrant } from '../../fabric/permissions.ts';
import { isOpen, type ScopedThing, type ScopeTime } from '../../fabric/scope.ts';
import type { SignedRecord } from '../../replica/record.ts';
import type { ThingCall } from '../../thing/operations.ts';

/** What rights follow from. */
export interface RuleRights {
  readonly authority: () => Pick<Authority, 'members' | 'grants' | 'restrictions' | 'speakerOf'>;
  readonly time: () => ScopeTime;
}

/** Rules of one member that are looked at, in the order of their keys, and the bytes of one. */
export const maxMemberRules = 32;
export const maxMemberRuleBytes = 16 * 1024;
/** What a record has beside its value. */
const maxRecordBytes = maxMemberRuleBytes + 1024;

/** Of records in the order of their keys, those that may be in force: no member makes the others work for more. */
export const withinMemberLimits = (records: readonly SignedRecord[]): SignedRecord[] => {
  const counts = new Map<PeerId, number>();
  return records.filter(({ key, authorId, raw }) => {
    if (markIn(key) === undefined) return true;
    const count = (counts.get(authorId) ?? 0) + 1;
    counts.set(authorId, count);
    return count <= maxMemberRules && raw.length <= maxRecordBytes;
  });
};

/** Why a member's rules are not in force; null where they are. */
export const whyNotInForce = ({ authority, time }: RuleRights, author: PeerId): string | null => {
  const role = authority().members.get(author)?.role;
  if (role === 'admin') return null;
  const grants = ruleGrantsOf(authority(), { peer: author, role });
  if (grants.length === 0) return 'no grant lets its author write rules';
  const now = time();
  if (grants.some(({ grant }) => isOpen(grant, now))) return null;
  if (!now.known) return 'this device does not know the time, and the grant of its author begins or ends';
  const isAhead = grants.some(({ grant }) => (grant.notBefore ?? 0) > now.ms);
  return isAhead ? 'the grant of its author has not begun' : 'the grant of its author has ended';
};

/** Whether a member may have its rules make this call now. */
export const authorMay = (
  { authority, time }: RuleRights,
  author: PeerId,
  thing: ScopedThing,
  call: ThingCall,
): boolean =>
  mayRule(authority(), { peer: author, role: authority().members.get(author)?.role }, thing, call, time());

/** Where a clock becomes known or is put right, no timer says so. */
const lookAgainMs = 60_000;

/** Milliseconds until a grant to write rules begins or ends, a minute at most; undefined where none will. */
export const msToNextChange = (grants: readonly StandingGrant[], now: ScopeTime): number | undefined => {
  const bounds = grants
    .filter(({ grant }) => grant.operations.includes('rule'))
    .flatMap(({ grant: { notBefore, expires } }) => [notBefore, expires])
    .filter((at) => at !== null);
  const ahead = now.known ? bounds.filter((at) => at > now.ms) : bounds;
  if (ahead.length === 0) return undefined;
  const nextMs = now.known ? Math.min(...ahead) - now.ms : lookAgainMs;
  return Math.min(nextMs, lookAgainMs);
};
