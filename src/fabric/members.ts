/**
 * The members of a fabric: the founder, admins by their sets, those whom an admin confirmed, those whom a member let in.
 * Relies on the admins and on who is gone; part of computing authority.
 */
import type { Role } from '../core/api-shapes.ts';
import { toHex } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import type { Crypto } from '../core/crypto.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { Admins } from './admin-sets.ts';
import {
  type Admission,
  type Confirmation,
  type ControlRecord,
  type Invite,
  type RoleChange,
  recordOrder,
  verifyJoinProof,
} from './control.ts';
import type { Gone } from './departures.ts';
import type { Fabric } from './genesis.ts';

/** A member of the fabric, with the records that prove it. */
export interface Member {
  readonly peer: PeerId;
  readonly role: Role;
  /** When it was admitted, milliseconds since 1970 by the admitting clock; for the founder, the genesis. */
  readonly since: number;
  /** The records that prove it to somebody who holds the genesis alone. */
  readonly proof: readonly ControlRecord[];
  /** The invite that it came by and the role that it gives; null for the founder and for admins by a set alone. */
  readonly admitted: { readonly invite: Uint8Array; readonly role: 'member' | 'guest' } | null;
}

/** An invite that stands, and how much of it is used. */
export interface StandingInvite {
  readonly invite: Invite;
  readonly record: ControlRecord;
  readonly used: number;
}

type RecordOf<S> = ControlRecord & { readonly statement: S };

export interface MembersInput {
  /** Every record that is not void, sorted. */
  readonly all: readonly ControlRecord[];
  /** Those of them that count as an admin's word, sorted. */
  readonly spoken: readonly ControlRecord[];
  readonly admins: Admins;
  readonly gone: ReadonlyMap<PeerId, Gone>;
  readonly endedInvites: ReadonlySet<string>;
  readonly crypto: Crypto;
}

/** Signatures inside admissions are checked once a record: the records are immutable. */
const checkedProofs = new WeakMap<ControlRecord, boolean>();

/** Whether the holder of the invite signed the joiner's key. */
export const provesInvite = (
  record: ControlRecord,
  admission: Admission,
  fabric: Fabric,
  crypto: Crypto,
): boolean => {
  let holds = checkedProofs.get(record);
  if (holds === undefined) {
    holds = verifyJoinProof(fabric.id, admission, crypto);
    checkedProofs.set(record, holds);
  }
  return holds;
};

const ofType = <S extends NonNullable<ControlRecord['statement']>>(
  records: readonly ControlRecord[],
  type: S['type'],
): RecordOf<S>[] => records.filter((record): record is RecordOf<S> => record.statement?.type === type);

/**
 * Computes the members and the invites that stand.
 *
 * An admin's confirmation makes a member by itself. An admission without one counts if its invite stands and was not
 * expired by the admitting clock, its proof holds and its author is a member that is no guest. Confirmed joiners always
 * keep their use of an invite; the others share what is left in the order of the admitting clocks, save that none comes
 * before the one that made its author a member: those clocks may disagree.
 */
export const computeMembers = (
  fabric: Fabric,
  input: MembersInput,
): { members: Map<PeerId, Member>; invites: Map<string, StandingInvite>; unconfirmed: Member[] } => {
  const { all, spoken, admins, gone } = input;
  const members = new Map<PeerId, Member>();
  const unconfirmed: Member[] = [];
  // Sorted: the latest word about a peer counts.
  const roles = new Map<PeerId, RecordOf<RoleChange>>();
  for (const record of ofType<RoleChange>(spoken, 'role')) roles.set(peerIdOf(record.statement.peer), record);
  const setRecords = admins.path.flatMap(({ records }) => records);

  const add = (
    peer: PeerId,
    since: number,
    proof: readonly ControlRecord[],
    admitted: Member['admitted'],
  ): Member => {
    const change = roles.get(peer);
    const given = change?.statement.role ?? admitted?.role ?? 'member';
    const role: Role = admins.now.has(peer) ? 'admin' : given;
    const records = new Set(
      role === 'admin' ? setRecords : [...setRecords, ...proof, ...(change ? [change] : [])],
    );
    const member = { peer, role, since, proof: [...records], admitted };
    members.set(peer, member);
    return member;
  };

  const founder = peerIdOf(fabric.genesis.founder);
  if (!gone.has(founder)) add(founder, fabric.genesis.created, [], null);

  const confirmations = ofType<Confirmation>(spoken, 'confirmation');
  // Present admins' first: what former ones confirmed is confirmed again.
  for (const present of [true, false])
    for (const record of confirmations) {
      const { invite, joiner, role, admitted } = record.statement;
      const peer = peerIdOf(joiner);
      if (admins.now.has(record.authorId) !== present || members.has(peer) || gone.has(peer)) continue;
      const member = add(peer, admitted, [record], { invite, role });
      if (!present) unconfirmed.push(member);
    }
  for (const peer of admins.now) {
    if (members.has(peer)) continue;
    const since = stampMs(admins.path.find((set) => set.admins.includes(peer))?.records[0]?.hlc ?? 0);
    add(peer, since, [], null);
  }

  const admissions = ofType<Admission>(all, 'admission');
  const invites = standingInvites(fabric, input, admissions, confirmations);
  let waiting = admissions.filter((record) => {
    const standing = invites.get(toHex(record.statement.invite));
    if (!standing || stampMs(record.hlc) > standing.invite.expires) return false;
    return (
      !gone.has(peerIdOf(record.statement.joiner)) &&
      provesInvite(record, record.statement, fabric, input.crypto)
    );
  });
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    const later: RecordOf<Admission>[] = [];
    for (const record of waiting) {
      const { statement } = record;
      const joiner = peerIdOf(statement.joiner);
      if (members.has(joiner)) continue;
      const admitter = members.get(record.authorId);
      if (!admitter) later.push(record);
      if (!admitter || admitter.role === 'guest') continue;
      const standing = invites.get(toHex(statement.invite))!;
      if (standing.used >= standing.invite.uses) continue;
      standing.used += 1;
      const admitted = { invite: statement.invite, role: standing.invite.role };
      unconfirmed.push(
        add(joiner, stampMs(record.hlc), [...admitter.proof, standing.record, record], admitted),
      );
    }
    waiting = later;
  }
  return { members, invites, unconfirmed };
};

/** Invites that are not closed; one that brought somebody who was put out since is closed with him. */
const standingInvites = (
  fabric: Fabric,
  { spoken, gone, endedInvites, crypto }: MembersInput,
  admissions: readonly RecordOf<Admission>[],
  confirmations: readonly RecordOf<Confirmation>[],
): Map<string, StandingInvite & { used: number }> => {
  const putOut = (joiner: Uint8Array): boolean => {
    const how = gone.get(peerIdOf(joiner))?.how;
    return how === 'revoked' || how === 'replaced';
  };
  const closed = new Set(endedInvites);
  for (const { statement } of confirmations)
    if (putOut(statement.joiner)) closed.add(toHex(statement.invite));
  for (const record of admissions)
    if (putOut(record.statement.joiner) && provesInvite(record, record.statement, fabric, crypto))
      closed.add(toHex(record.statement.invite));

  const confirmed = new Map<string, Set<string>>();
  for (const { statement } of confirmations) {
    const invite = toHex(statement.invite);
    confirmed.set(invite, (confirmed.get(invite) ?? new Set()).add(toHex(statement.joiner)));
  }
  const invites = new Map<string, StandingInvite & { used: number }>();
  for (const record of ofType<Invite>(spoken, 'invite')) {
    const { statement } = record;
    const id = toHex(statement.invite);
    const known = invites.get(id);
    if (closed.has(id) || (known && recordOrder(known.record, record) <= 0)) continue;
    invites.set(id, { invite: statement, record, used: confirmed.get(id)?.size ?? 0 });
  }
  return invites;
};
