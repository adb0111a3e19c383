/**
 * Who belongs to the fabric, in which role and with which permissions, computed from the set of control records.
 * Relies on the set alone, never on the order of arrival, so that all peers that hold it agree.
 */
import { toHex } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';
import { type Admins, computeAdmins } from './admin-sets.ts';
import { type ControlRecord, recordOrder } from './control.ts';
import {
  type Gone,
  goneOf,
  isRevocation,
  leavers,
  replacements,
  type Succession,
  successionOf,
} from './departures.ts';
import type { Fabric } from './genesis.ts';
import { lastWords } from './last-words.ts';
import { computeMembers, type Member, type StandingInvite } from './members.ts';
import { computePermissions, type StandingGrant } from './permissions.ts';

/**
 * From where on the control records of an author who signed two for one position are void; null: none of them is. Of one
 * who ever was an admin none is, or a thief with his key could undo all that he had said: both records count, and the
 * other admins cut them off.
 */
export type FraudCuts = ReadonlyMap<PeerId, { readonly epoch: number; readonly seq: number } | null>;

/** The fabric's membership as a set of control records says it. */
export interface Authority extends Succession {
  readonly members: ReadonlyMap<PeerId, Member>;
  readonly admins: ReadonlySet<PeerId>;
  /** The set of admins that stands, the chain that led to it, and what is proposed. */
  readonly adminSets: Pick<Admins, 'path' | 'open'>;
  readonly gone: ReadonlyMap<PeerId, Gone>;
  /** Invites that stand, by the invite's public key in hexadecimal. */
  readonly invites: ReadonlyMap<string, StandingInvite>;
  /** Guest passes that an admin ended, by the pass key in hexadecimal. */
  readonly endedPasses: ReadonlySet<string>;
  /** Memberships that stand without a present admin's confirmation: an admin's peer confirms them. */
  readonly unconfirmed: readonly Member[];
  readonly grants: readonly StandingGrant[];
  /** What admins said of Things by id: whether each is for admins and grants only. */
  readonly restrictions: ReadonlyMap<string, boolean>;
  /** The stamp of the latest word about each subject of which the latest counts, by `subjectOf`. */
  readonly lastWords: ReadonlyMap<string, number>;
  /**
   * Whose control records are to be held: members, those who once were admins, and those who are gone, for the words may
   * come from a device that a thief put out.
   */
  readonly controlAuthors: ReadonlySet<PeerId>;
}

const noFrauds: FraudCuts = new Map();

/**
 * Computes membership and permissions. Signatures of the records themselves have been verified by the caller. `frauds`:
 * authors of whom it is proven that they signed two records for one position. docs/protocol.md says the rules one by one.
 */
export const computeAuthority = (
  fabric: Fabric,
  records: Iterable<ControlRecord>,
  crypto: Crypto,
  frauds: FraudCuts = noFrauds,
): Authority => {
  const byHash = new Map<string, ControlRecord>();
  for (const record of records) byHash.set(record.hash, record);
  const held = [...byHash.values()].sort(recordOrder);

  const admins = computeAdmins(fabric, held, byHash, leavers(held), crypto);
  const all = held.filter((record) => admins.ever.has(record.authorId) || !isVoid(record, frauds));
  const spoken = all.filter(admins.speaks);
  const replacedBy = replacements(spoken, admins);
  const gone = goneOf(all, spoken, admins, replacedBy);
  const ended = endedKeys(spoken);
  const { members, invites, unconfirmed } = computeMembers(fabric, {
    all,
    spoken,
    admins,
    gone,
    endedInvites: ended.invite,
    crypto,
  });
  const { grants, restrictions } = computePermissions(spoken);
  return {
    members,
    admins: admins.now,
    adminSets: admins,
    gone,
    invites,
    endedPasses: ended.pass,
    unconfirmed,
    grants,
    restrictions,
    lastWords: lastWords(spoken),
    controlAuthors: new Set([...members.keys(), ...admins.ever, ...gone.keys()]),
    ...successionOf(replacedBy),
  };
};

const isVoid = ({ authorId, epoch, seq }: ControlRecord, frauds: FraudCuts): boolean => {
  const cut = frauds.get(authorId);
  return cut !== undefined && cut !== null && (epoch > cut.epoch || (epoch === cut.epoch && seq >= cut.seq));
};

const endedKeys = (spoken: readonly ControlRecord[]): Record<'invite' | 'pass', Set<string>> => {
  const keys = { invite: new Set<string>(), pass: new Set<string>() };
  for (const record of spoken)
    for (const what of ['invite', 'pass'] as const)
      if (isRevocation(record, what)) keys[what].add(toHex(record.statement.key));
  return keys;
};
