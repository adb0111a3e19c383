/**
 * Whether a peer may use a Thing: roles, restrictions and grants, as the device that is asked decides it.
 * Relies on the authority as it is now and on a time passed in; where the time is not known, bounded grants are closed.
 */
import type { Role } from '../core/api-shapes.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { ThingCall } from '../thing/operations.ts';
import type { Authority } from './authority.ts';
import type { StandingGrant } from './permissions.ts';
import {
  coversCall,
  coversRuleCall,
  hasType,
  isOpen,
  reachesThing,
  type ScopedThing,
  type ScopeTime,
} from './scope.ts';

/** Things of these types are for admins and grants only, unless an admin says otherwise. */
const restrictedTypes: readonly string[] = ['Lock', 'Camera', 'Alarm'];

/** Who asks. */
export interface Asker {
  readonly peer: PeerId;
  readonly role: Role | undefined;
}

type Permissions = Pick<Authority, 'grants' | 'restrictions' | 'speakerOf'>;

/** Whether a Thing is for admins and grants only: what an admin last said of it, else by its types. */
export const isRestricted = (authority: Pick<Authority, 'restrictions'>, thing: ScopedThing): boolean =>
  authority.restrictions.get(thing.id) ?? restrictedTypes.some((type) => hasType(thing.types, type));

/** Whether this call on this Thing is allowed to the one who asks. */
export const mayCall = (
  authority: Permissions,
  asker: Asker,
  thing: ScopedThing,
  call: ThingCall,
  time: ScopeTime,
): boolean =>
  hasByRole(authority, asker, thing) ||
  grantsOf(authority, asker).some(({ grant }) => isOpen(grant, time) && coversCall(grant, thing, call));

/** Whether the one who asks may use anything of this Thing, and so may see it. */
export const maySee = (authority: Permissions, asker: Asker, thing: ScopedThing, time: ScopeTime): boolean =>
  hasByRole(authority, asker, thing) ||
  grantsOf(authority, asker).some(
    ({ grant }) => isOpen(grant, time) && isForUse(grant) && reachesThing(grant, thing),
  );

/** Whether a grant lets its subject use anything, and not only write rules. */
const isForUse = ({ operations }: StandingGrant['grant']): boolean =>
  operations.some((operation) => operation !== 'rule');

/** Whether this one's rules may make this call: an admin's any, a member's what it may itself and a grant lets rules do. */
export const mayRule = (
  authority: Permissions,
  author: Asker,
  thing: ScopedThing,
  call: ThingCall,
  time: ScopeTime,
): boolean => {
  if (author.role === 'admin') return true;
  if (author.role !== 'member' || !mayCall(authority, author, thing, call, time)) return false;
  return ruleGrantsOf(authority, author).some(
    ({ grant }) => isOpen(grant, time) && coversRuleCall(grant, thing, call),
  );
};

/** The grants that let this one write rules, open now or not. */
export const ruleGrantsOf = (
  authority: Pick<Authority, 'grants' | 'speakerOf'>,
  asker: Asker,
): readonly StandingGrant[] =>
  grantsOf(authority, asker).filter(({ grant }) => grant.operations.includes('rule'));

/** The grants whose subject this one is: by its role, or by its key or that of a peer whose place it took. */
export const grantsOf = (
  { grants, speakerOf }: Pick<Authority, 'grants' | 'speakerOf'>,
  { peer, role }: Asker,
): readonly StandingGrant[] =>
  role === undefined
    ? []
    : grants.filter(({ grant: { subject } }) =>
        subject.kind === 'role' ? subject.role === role : speakerOf(peerIdOf(subject.peer)) === peer,
      );

const hasByRole = (
  authority: Pick<Authority, 'restrictions'>,
  { role }: Asker,
  thing: ScopedThing,
): boolean => role === 'admin' || (role === 'member' && !isRestricted(authority, thing));
