/**
 * Who belongs to the fabric and in which role, computed from the set of control records and nothing else.
 * Relies on the set alone, never on the order of arrival, so that all peers that hold it agree.
 */
import type { Role } from '../core/api-shapes.ts';
import { toHex } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import type { Crypto } from '../core/crypto.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { type Admission, type ControlRecord, type Invite, verifyJoinProof } from './control.ts';
import type { Fabric } from './genesis.ts';

/** A member of the fabric, with the records that prove it. */
export interface Member {
  readonly peer: PeerId;
  readonly role: Role;
  /** When it was admitted, milliseconds since 1970 by the admitting clock; for the founder, the genesis. */
  readonly since: number;
  /** The records that prove it to somebody who holds the genesis alone, signer before signed. */
  readonly proof: readonly ControlRecord[];
}

/** An invite that stands, and how much of it is used. */
export interface StandingInvite {
  readonly invite: Invite;
  readonly record: ControlRecord;
  readonly used: number;
}

/** The fabric's membership as a set of control records says it. */
export interface Authority {
  readonly members: ReadonlyMap<PeerId, Member>;
  /** By the invite's public key in hexadecimal. */
  readonly invites: ReadonlyMap<string, StandingInvite>;
  /** Admissions that stand without an admin's confirmation: an admin's peer confirms them. */
  readonly unconfirmed: readonly ControlRecord[];
}

type AdmissionRecord = ControlRecord & { readonly statement: Admission };

/** Signatures inside admissions are checked once a record: the records are immutable. */
const checkedProofs = new WeakMap<ControlRecord, boolean>();

const provesInvite = (record: AdmissionRecord, fabric: Fabric, crypto: Crypto): boolean => {
  let holds = checkedProofs.get(record);
  if (holds === undefined) {
    holds = verifyJoinProof(fabric.id, record.statement, crypto);
    checkedProofs.set(record, holds);
  }
  return holds;
};

/** Earlier by the admitting clock first, then by hash: the order in which uses are given out. */
const admissionOrder = (a: ControlRecord, b: ControlRecord): number =>
  a.hlc - b.hlc || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);

/**
 * Computes the membership.
 *
 * An admission counts if its invite stands and was not expired by the admitting clock, its proof holds, and an admin
 * confirmed it or its author is a member. Confirmed ones always keep their use; the others share what is left in the
 * order of the admitting clocks, save that none comes before the one that made its author a member: those clocks may
 * disagree. Signatures of the records themselves have been verified by the caller.
 */
export const computeAuthority = (
  fabric: Fabric,
  records: Iterable<ControlRecord>,
  crypto: Crypto,
): Authority => {
  const founder = peerIdOf(fabric.genesis.founder);
  const admins = new Set<PeerId>([founder]);
  const members = new Map<PeerId, Member>([
    [founder, { peer: founder, role: 'admin', since: fabric.genesis.created, proof: [] }],
  ]);

  const invites = new Map<string, { invite: Invite; record: ControlRecord; used: number }>();
  const admissions: AdmissionRecord[] = [];
  const confirmations = new Map<string, ControlRecord>();
  for (const record of records) {
    const { statement } = record;
    if (statement === null) continue;
    if (statement.type === 'admission') admissions.push(record as AdmissionRecord);
    else if (!admins.has(record.authorId)) continue;
    else if (statement.type === 'invite') keepEarliest(invites, record, statement);
    else keepEarlier(confirmations, toHex(statement.admission), record);
  }
  admissions.sort(admissionOrder);

  const valid = admissions.filter((record) => {
    const standing = invites.get(toHex(record.statement.invite));
    if (!standing || stampMs(record.hlc) > standing.invite.expires) return false;
    return provesInvite(record, fabric, crypto);
  });
  const confirmedJoiners = new Map<string, Set<PeerId>>();
  for (const record of valid) {
    if (!confirmations.has(record.hash)) continue;
    const invite = toHex(record.statement.invite);
    const joiners = confirmedJoiners.get(invite) ?? new Set();
    confirmedJoiners.set(invite, joiners.add(peerIdOf(record.statement.joiner)));
  }
  for (const [id, joiners] of confirmedJoiners) invites.get(id)!.used = joiners.size;

  for (const record of valid) {
    const confirmation = confirmations.get(record.hash);
    if (!confirmation) continue;
    const joiner = peerIdOf(record.statement.joiner);
    if (members.has(joiner)) continue;
    const standing = invites.get(toHex(record.statement.invite))!;
    const proof = [standing.record, record, confirmation];
    members.set(joiner, { peer: joiner, role: standing.invite.role, since: stampMs(record.hlc), proof });
  }

  const unconfirmed: ControlRecord[] = [];
  let waiting = valid.filter((record) => !confirmations.has(record.hash));
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    const later: AdmissionRecord[] = [];
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
      const proof = [...new Set([...admitter.proof, standing.record, record])];
      members.set(joiner, { peer: joiner, role: standing.invite.role, since: stampMs(record.hlc), proof });
      unconfirmed.push(record);
    }
    waiting = later;
  }
  return { members, invites, unconfirmed };
};

const keepEarliest = (
  invites: Map<string, { invite: Invite; record: ControlRecord; used: number }>,
  record: ControlRecord,
  invite: Invite,
): void => {
  const id = toHex(invite.invite);
  const known = invites.get(id);
  if (!known || admissionOrder(record, known.record) < 0) invites.set(id, { invite, record, used: 0 });
};

const keepEarlier = (records: Map<string, ControlRecord>, key: string, record: ControlRecord): void => {
  const known = records.get(key);
  if (!known || admissionOrder(record, known) < 0) records.set(key, record);
};
