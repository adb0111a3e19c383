/**
 * Governing without a fabric: canned members and grants, and a list of what was asked. For tests of what sits on a peer.
 * Relies on nothing but the seam.
 */
import type { Role } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
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
} from '../core/governance-shapes.ts';
import { peerIdOf } from '../core/ids.ts';
import type { CutOptions, GovernanceApi } from '../peer/governance/governance-api.ts';

export const hallId = peerIdOf(new Uint8Array(32).fill(7));
export const atticId = peerIdOf(new Uint8Array(32).fill(8));
export const goneId = peerIdOf(new Uint8Array(32).fill(9));
const inviteKey = peerIdOf(new Uint8Array(32).fill(10));
const time = '2025-01-01T00:00:00.000Z';

export class FakeGovernance implements GovernanceApi {
  /** What was asked, in order. */
  readonly asked: unknown[] = [];

  members({ all = false }: { all?: boolean } = {}): MemberInfo[] {
    const base = { since: time, gone: null, proposed: [] };
    const members: MemberInfo[] = [
      {
        ...base,
        peer: atticId,
        name: 'attic',
        role: 'member',
        invite: inviteKey,
        confirmed: false,
        proposed: [{ set: 'ab'.repeat(32), role: 'admin', by: [hallId], needs: 1 }],
      },
      { ...base, peer: hallId, name: 'hall', role: 'admin', invite: null, confirmed: true },
    ];
    if (!all) return members;
    const gone = { how: 'revoked', by: hallId, at: time, successor: null } as const;
    return [
      ...members,
      { ...base, peer: goneId, name: null, role: null, since: null, invite: null, confirmed: true, gone },
    ];
  }

  invites(): InviteEntry[] {
    return [{ id: inviteKey, role: 'guest', uses: 3, used: 1, expires: time, by: hallId, replaces: null }];
  }

  grants(): GrantInfo[] {
    return [this.#grant('role:guest')];
  }

  async grant(request: GrantRequest): Promise<GrantInfo> {
    this.asked.push(request);
    return this.#grant(request.subject);
  }

  async rename(target: string, { name, room }: LabelRequest): Promise<LabelInfo> {
    this.asked.push({ target, name, room });
    return { id: target, name: name ?? null, room: room ?? null };
  }

  async restrict(thing: string, restricted: boolean): Promise<RestrictionInfo> {
    this.asked.push({ thing, restricted });
    return { thing, restricted };
  }

  async setRole(peer: string, role: Role, options: CutOptions = {}): Promise<RoleInfo> {
    this.asked.push({ peer, role, ...options });
    if (peer === 'nobody') throw new AlthingError('peer-unknown', 'No member is called "nobody".');
    const waits = role === 'admin';
    return {
      peer: atticId,
      role,
      inForce: !waits,
      needs: waits ? 1 : 0,
      waitingFor: waits ? [hallId] : [],
    };
  }

  async revoke(subject: string, options: CutOptions = {}): Promise<RevocationInfo> {
    this.asked.push({ subject, ...options });
    return { what: 'peer', id: atticId, inForce: true, needs: 0, waitingFor: [], unheard: [hallId] };
  }

  async replace(old: string, by?: string): Promise<ReplacementInfo> {
    this.asked.push({ old, ...(by !== undefined && { by }) });
    return { old: atticId, new: hallId };
  }

  async recover(request: RecoverRequest): Promise<RecoverInfo> {
    this.asked.push(request);
    return { admins: [hallId], removed: [atticId], revoked: [] };
  }

  #grant(subject: string): GrantInfo {
    return {
      id: 'cd'.repeat(32),
      subject,
      things: ['urn:althing:x:lamp'],
      types: [],
      all: false,
      operations: ['read'],
      affordances: null,
      notBefore: null,
      expires: time,
      by: hallId,
    };
  }
}
