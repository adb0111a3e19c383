/**
 * Changing who the admins are: the next set, a vote for it, and what a removed admin wrote signed anew.
 * Relies on the replica; that no admin ever helps two sets of one parent into force is seen to here.
 */
import { fromHex } from '../../core/bytes.ts';
import { stampMs } from '../../core/clock.ts';
import type { Crypto } from '../../core/crypto.ts';
import { AlthingError } from '../../core/errors.ts';
import type { AdminChangeInfo } from '../../core/governance-shapes.ts';
import { type PeerId, publicKeyOf } from '../../core/ids.ts';
import { isOwnKey } from '../../core/rule-keys.ts';
import { type AdminSet, type AdminSetContent, adminSetId, needsRecovery } from '../../fabric/admin-sets.ts';
import { maxAdmins } from '../../fabric/control.ts';
import type { Draft } from '../../replica/draft.ts';
import { comparePositions, recordValue, type SignedRecord } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';

/** What is to be different in the next set of admins. */
export interface AdminChange {
  readonly add?: readonly PeerId[];
  readonly remove?: readonly { readonly peer: PeerId; readonly out: boolean }[];
  /** Nothing that the removed said from this time on stands; milliseconds since 1970. */
  readonly beforeMs?: number | undefined;
}

/** What admins write for the whole fabric: it falls with their role, unless somebody else signs it. */
const ofAdmins: ReadonlySet<string> = new Set(['label', 'rule', 'scene', 'setting', 'value']);
/** Records signed anew in one commit. */
const resignBatch = 256;

/** An author's last control record held here, or the last before the first that is stamped at `beforeMs` or later. */
export const headOf = (
  replica: Replica,
  author: PeerId,
  beforeMs: number = Number.POSITIVE_INFINITY,
): string | null => {
  // What is void leads nowhere: a head named there would leave nothing of the author's.
  const own = replica.control
    .filter((record) => record.authorId === author && !replica.voids('control', author, record))
    .sort(comparePositions);
  const late = own.findIndex(({ hlc }) => stampMs(hlc) >= beforeMs);
  return (late < 0 ? own : own.slice(0, late)).at(-1)?.hash ?? null;
};

/** The set that follows on the present one with this change. Throws `bad-input` beyond the most admins. */
export const nextSet = (replica: Replica, change: AdminChange): AdminSetContent => {
  const { adminSets, admins: present } = replica.authority;
  const last = adminSets.path.at(-1)!;
  const removing = new Map((change.remove ?? []).map(({ peer, out }) => [peer, out]));
  const admins = [...new Set([...present, ...(change.add ?? [])])].filter((peer) => !removing.has(peer));
  if (admins.length > maxAdmins)
    throw new AlthingError('bad-input', `A fabric has at most ${maxAdmins} admins: remove one first.`);
  const wasAdmin = (peer: PeerId): boolean => adminSets.path.some((set) => set.admins.includes(peer));
  const bytes = (hash: string | null): Uint8Array | null => (hash === null ? null : fromHex(hash));
  return {
    previous: fromHex(last.id),
    admins: admins.sort().map(publicKeyOf),
    // Those who left by their own word are dropped on the way; what they said until then stands.
    removed: last.admins
      .filter((peer) => !admins.includes(peer))
      .sort()
      .map((peer) => ({
        peer: publicKeyOf(peer),
        head: bytes(headOf(replica, peer, removing.has(peer) ? change.beforeMs : undefined)),
        out: removing.get(peer) ?? false,
      })),
    returned: admins
      .filter((peer) => !present.has(peer) && wasAdmin(peer))
      .map((peer) => ({ peer: publicKeyOf(peer), head: bytes(headOf(replica, peer)) })),
  };
};

/**
 * Puts a change of admins to the vote: proposes the next set, or is for an open one of the same effect. What the removed
 * wrote for the fabric is signed anew first, so that nothing is lost whenever the change comes into force.
 * Throws `admins-too-few`, `admin-sets-exhausted`, `proposal-open`, `bad-input`, the store's codes.
 */
export const changeAdmins = async (
  replica: Replica,
  change: AdminChange,
  crypto: Crypto,
): Promise<AdminChangeInfo> => {
  checkPossible(replica, change);
  const removed = (change.remove ?? []).map(({ peer }) => peer);
  // Whether the vote can be cast is known before anything is written.
  vote(replica, change, crypto);
  await resign(replica, removed);
  let set = '';
  await replica.write(() => {
    const cast = vote(replica, change, crypto);
    set = cast.set;
    return cast.drafts;
  });
  const { adminSets, admins } = replica.authority;
  const inForce = adminSets.path.some(({ id }) => id === set);
  const open = adminSets.open.find(({ id }) => id === set);
  return {
    inForce,
    needs: inForce ? 0 : (open?.needs ?? 0),
    waitingFor: inForce ? [] : [...admins].filter((peer) => !open?.supporters.includes(peer)),
  };
};

/** Refuses what would leave the fabric without an admin, or could never come into force. */
const checkPossible = (replica: Replica, change: AdminChange): void => {
  const { admins, adminSets } = replica.authority;
  if (needsRecovery(adminSets.path))
    throw new AlthingError(
      'admin-sets-exhausted',
      'The admins changed as often in a row as they may without the recovery key: only the 24 words can change them now.',
    );
  const leaving = (change.remove ?? []).filter(({ peer }) => admins.has(peer));
  if (leaving.length > 0 && leaving.length === admins.size && !change.add?.length)
    throw new AlthingError('admins-too-few', 'A fabric cannot be without an admin: make another one first.');
  const other = leaving.find(({ peer }) => peer !== replica.self);
  if (admins.size !== 2 || !other) return;
  const agreed = adminSets.open.some(
    (set) => set.supporters.includes(other.peer) && !set.admins.includes(other.peer),
  );
  if (!agreed)
    throw new AlthingError(
      'admins-too-few',
      `With two admins neither can remove the other alone. Run the command on ${other.peer} first and then here; if that device is lost or stolen, use the 24 words: althing recover.`,
    );
};

/** What this admin writes to be for the change: nothing where it is for it already. */
const vote = (
  replica: Replica,
  change: AdminChange,
  crypto: Crypto,
): { set: string; drafts: readonly Draft[] } => {
  const { self, authority } = replica;
  const content = nextSet(replica, change);
  const { open } = authority.adminSets;
  const alike = open.filter((set) => hasEffect(set, replica, change));
  const own = alike.find(({ supporters }) => supporters.includes(self));
  if (own) return { set: own.id, drafts: [] };
  const best = alike.toSorted((a, b) => a.needs - b.needs || (a.id < b.id ? -1 : 1))[0];
  const set = best?.id ?? adminSetId(content, crypto);
  checkFree(replica, set);
  const value = best
    ? { type: 'approval', set: fromHex(best.id) }
    : { type: 'proposal', ...content, recovery: null };
  return { set, drafts: [{ collection: 'adminset', key: set, value }] };
};

/** Whether an open set has the same admins as the change would make, and puts the same ones out. */
const hasEffect = (
  set: AdminSet,
  { authority }: Replica,
  { add = [], remove = [] }: AdminChange,
): boolean => {
  const isOut = new Map(remove.map(({ peer, out }) => [peer, out]));
  const wanted = [...authority.admins, ...add].filter((peer) => !isOut.has(peer));
  const proposed = set.admins.filter((peer) => authority.gone.get(peer)?.how !== 'left');
  return (
    sameMembers(wanted, proposed) &&
    set.removed.every(({ peer, out }) => authority.gone.has(peer) || (isOut.get(peer) ?? false) === out)
  );
};

const sameMembers = (a: readonly PeerId[], b: readonly PeerId[]): boolean =>
  new Set(a).symmetricDifference(new Set(b)).size === 0;

/**
 * Of two sets on one that both stand neither counts, so nobody may be for two. Save that one may go over to a set with a
 * lower id once one's own cannot stand any more, all others keeping to this rule: so two admins whose proposals cross
 * meet at the lower one, and no two sets can ever both get more than half.
 */
const checkFree = (replica: Replica, set: string): void => {
  const { self, authority } = replica;
  const { open } = authority.adminSets;
  const castOf = (admin: PeerId): string | undefined =>
    open
      .filter(({ supporters }) => supporters.includes(admin))
      .map(({ id }) => id)
      .sort()[0];
  const mine = castOf(self);
  if (mine === undefined) return;
  const mayStillBeFor = [...authority.admins].filter((admin) => {
    const cast = castOf(admin);
    return cast === undefined || cast >= mine;
  });
  const isDead = mayStillBeFor.length < Math.floor(authority.admins.size / 2) + 1;
  if (set < mine && isDead) return;
  const waiting = open.find(({ id }) => id === mine)!;
  throw new AlthingError(
    'proposal-open',
    `This admin is for another change of admins already, which lacks ${waiting.needs} more (althing members shows it): let others run the same command for that one first.`,
    { details: { set: mine, needs: waiting.needs } },
  );
};

/** Signs with this peer's key what counts now of these authors' records for the fabric, tombstones included. */
export const resign = (replica: Replica, authors: readonly PeerId[]): Promise<void> =>
  writeResigned(replica, resignable(replica, authors));

/** What counts now of these authors' records for the fabric, as this peer would write it. */
export const resignable = (replica: Replica, authors: readonly PeerId[]): Draft[] =>
  authors
    .filter((author) => author !== replica.self)
    .flatMap((author) => replica.countingOf(author, ofAdmins))
    // What he wrote as a member he alone can sign, and stands or falls with his membership.
    .filter(({ key, author, deleted }) => deleted || !isOwnKey(key, author))
    .map(resigned);

/** Writes what `resignable` gave, some at a time. */
export const writeResigned = async (replica: Replica, drafts: readonly Draft[]): Promise<void> => {
  for (let at = 0; at < drafts.length; at += resignBatch)
    await replica.write(() => drafts.slice(at, at + resignBatch));
};

const resigned = (record: SignedRecord): Draft => ({
  collection: record.collection,
  key: record.key,
  value: record.deleted ? null : recordValue(record),
  deleted: record.deleted,
});
