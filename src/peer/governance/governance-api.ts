/**
 * What a running peer offers to people who govern its fabric: members, roles, invites, grants, revocation, recovery.
 * Relies on the shapes of `core/`; `governance.ts` implements it.
 */
import type { Role } from '../../core/api-shapes.ts';
import type {
  GrantInfo,
  GrantRequest,
  InviteEntry,
  LabelInfo,
  LabelRequest,
  MemberInfo,
  RecoverInfo,
  RecoverRequest,
  ReplacementInfo,
  RestrictionInfo,
  RevocationInfo,
  RoleInfo,
} from '../../core/governance-shapes.ts';

/** How an admin is removed. */
export interface CutOptions {
  /** Nothing that the admin said from this time on (milliseconds since 1970, by its own clock) stands any more. */
  readonly beforeMs?: number;
}

/**
 * Peers are named by id or by a unique name, Things as everywhere. All that changes something throws `not-admin` where
 * this peer is none, `peer-unknown` and `name-ambiguous` for names, and the store's codes.
 */
export interface GovernanceApi {
  /** Who belongs; with `all` also who is out. */
  members(options?: { all?: boolean }): MemberInfo[];
  /** Invites that still let somebody in. */
  invites(): InviteEntry[];
  grants(): GrantInfo[];
  /** Throws `bad-input`, `thing-unknown`. */
  grant(request: GrantRequest): Promise<GrantInfo>;
  /** Throws `thing-unknown`. */
  restrict(thing: string, restricted: boolean): Promise<RestrictionInfo>;
  /** Says for all what a Thing or a peer is called, and in which room it is. Throws `bad-input`. */
  rename(target: string, request: LabelRequest): Promise<LabelInfo>;
  /** To or from admin by a set of admins, which more than half of the present ones must be for. Throws `bad-input`,
   * `admins-too-few`, `admin-sets-exhausted`, `proposal-open`. */
  setRole(peer: string, role: Role, options?: CutOptions): Promise<RoleInfo>;
  /** Ends a peer's membership, an invite, a guest pass or a grant. Throws `admins-too-few`, `admin-sets-exhausted`, `proposal-open`. */
  revoke(subject: string, options?: CutOptions): Promise<RevocationInfo>;
  /** Puts a member, this peer unless another is named, in the place of another. Throws `bad-input`. */
  replace(old: string, by?: string): Promise<ReplacementInfo>;
  /** Makes this member's device an admin by the 24 words. Throws `bad-input`; needs no admin. */
  recover(request: RecoverRequest): Promise<RecoverInfo>;
}
