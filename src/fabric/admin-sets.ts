/**
 * Who the admins are: a chain of sets from the founder on, each agreed to by more than half of the one before.
 * Relies on the set of control records alone; of what a removed admin said only what stands before a named cut counts.
 */
import { toHex } from '../core/bytes.ts';
import { encode } from '../core/codec.ts';
import { type Crypto, signedBytes } from '../core/crypto.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { ControlRecord, Proposal } from './control.ts';
import { after, type RecordsByHash, upTo } from './control-chain.ts';
import type { Fabric } from './genesis.ts';

/** So many sets in a row may stand without the recovery key: a thief's chain costs others no more than this. */
const maxSetsInARow = 128;

/** What makes a set of admins: everything of a proposal but who made it. */
export type AdminSetContent = Pick<Proposal, 'previous' | 'admins' | 'removed' | 'returned'>;

/** A set of admins that stands, or that somebody proposed. */
export interface AdminSet {
  /** SHA-256 of its content, hexadecimal; of the founder's set the fabric's id. */
  readonly id: string;
  readonly previous: string | null;
  readonly admins: readonly PeerId[];
  readonly removed: readonly { readonly peer: PeerId; readonly head: string | null; readonly out: boolean }[];
  readonly returned: readonly { readonly peer: PeerId; readonly head: string | null }[];
  /** Admins of the former set that are for it. */
  readonly supporters: readonly PeerId[];
  /** Whether the recovery key signed it. */
  readonly recovered: boolean;
  /** The records that show it, the first proposal first; none for the founder's set. */
  readonly records: readonly ControlRecord[];
}

/** The admins as a set of control records says it. */
export interface Admins {
  /** Who is an admin now. */
  readonly now: ReadonlySet<PeerId>;
  /** All who ever were, now included. */
  readonly ever: ReadonlySet<PeerId>;
  /** Those whom a set put out of the fabric. */
  readonly out: ReadonlySet<PeerId>;
  /** The set that stands, and those that led to it, the founder's first. */
  readonly path: readonly AdminSet[];
  /** Proposals on the set that stands which lack supporters: `needs` more. */
  readonly open: readonly (AdminSet & { readonly needs: number })[];
  /** Whether a record counts as an admin's word. */
  readonly speaks: (record: ControlRecord) => boolean;
}

const idBytes = ({ previous, admins, removed, returned }: AdminSetContent): Uint8Array =>
  encode([
    previous,
    admins,
    removed.map(({ peer, head, out }) => [peer, head, out]),
    returned.map(({ peer, head }) => [peer, head]),
  ]);

/** Ids inside proposals are computed once a record: the records are immutable. */
const knownIds = new WeakMap<ControlRecord, string>();

const idOf = (record: ControlRecord, proposal: Proposal, crypto: Crypto): string => {
  const id = knownIds.get(record) ?? adminSetId(proposal, crypto);
  knownIds.set(record, id);
  return id;
};

/** The id of a set: the hash of CBOR [previous, admins, removed as [peer, head, out], returned as [peer, head]]. */
export const adminSetId = (content: AdminSetContent, crypto: Crypto): string =>
  toHex(crypto.sha256(idBytes(content)));

/** What the recovery key signs to put a set in force. */
export const recoveryBytes = (fabric: Fabric, content: AdminSetContent): Uint8Array =>
  signedBytes('adminset', fabric.id, idBytes(content));

interface Candidate {
  readonly id: string;
  readonly proposal: Proposal;
  readonly records: ControlRecord[];
  /** The record whose signature by the recovery key holds, of several the one with the lowest hash. */
  recovery: ControlRecord | undefined;
}

/** Signatures inside proposals are checked once a record: the records are immutable. */
const checkedRecoveries = new WeakMap<ControlRecord, boolean>();

/** Whether a proposal carries the recovery key's signature. */
export const isRecovered = (
  record: ControlRecord,
  proposal: Proposal,
  fabric: Fabric,
  crypto: Crypto,
): boolean => {
  if (proposal.recovery === null) return false;
  let holds = checkedRecoveries.get(record);
  if (holds === undefined) {
    holds = crypto.verify(fabric.genesis.recovery, recoveryBytes(fabric, proposal), proposal.recovery);
    checkedRecoveries.set(record, holds);
  }
  return holds;
};

/**
 * Computes the admins. `left`: the record by which each left by its own word; such a one is no admin any more. What it
 * was for it stays for, or leaving would undo sets that others have built on; where it was for nothing it is not counted
 * among those of whom more than half must agree. Of two sets on the same one that both stand the one counts to which
 * more sets signed by the recovery key lead, else the one that more than half of all were for, else neither.
 */
export const computeAdmins = (
  fabric: Fabric,
  records: readonly ControlRecord[],
  byHash: RecordsByHash,
  left: ReadonlyMap<PeerId, ControlRecord>,
  crypto: Crypto,
): Admins => {
  const founder = peerIdOf(fabric.genesis.founder);
  const first: AdminSet = {
    id: toHex(fabric.id),
    previous: null,
    admins: [founder],
    removed: [],
    returned: [],
    supporters: [founder],
    recovered: false,
    records: [],
  };
  const children = candidatesOf(fabric, records, crypto);
  const path = pathOf(standingSets(first, children, left));
  const last = path.at(-1)!;
  const now = new Set(last.admins.filter((peer) => !left.has(peer)));
  const open = (children.get(last.id) ?? [])
    .map((candidate) => judged(candidate, last, left))
    .filter(({ set, stands }) => !stands && set.supporters.length > 0)
    .map(({ set, needs }) => ({ ...set, needs }));
  return {
    now,
    ever: new Set(path.flatMap(({ admins }) => admins)),
    out: new Set(outOf(path)),
    path,
    open,
    speaks: speakers(path, records, byHash, left),
  };
};

/** Proposed sets by the set that they follow; equal content is one set, whoever proposed it. */
const candidatesOf = (
  fabric: Fabric,
  records: readonly ControlRecord[],
  crypto: Crypto,
): Map<string, Candidate[]> => {
  const byId = new Map<string, Candidate>();
  const children = new Map<string, Candidate[]>();
  for (const record of records) {
    if (record.statement?.type !== 'proposal') continue;
    const proposal = record.statement;
    const id = idOf(record, proposal, crypto);
    let candidate = byId.get(id);
    if (!candidate) {
      candidate = { id, proposal, records: [], recovery: undefined };
      byId.set(id, candidate);
      const previous = toHex(proposal.previous);
      const siblings = children.get(previous);
      if (siblings) siblings.push(candidate);
      else children.set(previous, [candidate]);
    }
    const isLower = candidate.recovery === undefined || record.hash < candidate.recovery.hash;
    if (isLower && isRecovered(record, proposal, fabric, crypto)) candidate.recovery = record;
    candidate.records.push(record);
  }
  for (const record of records)
    if (record.statement?.type === 'approval') byId.get(toHex(record.statement.set))?.records.push(record);
  return children;
};

interface Judged {
  readonly set: AdminSet;
  readonly stands: boolean;
  /** Whether more than half of all are for it, those who left included. */
  readonly byMajority: boolean;
  readonly needs: number;
}

const judged = (
  { id, proposal, records, recovery }: Candidate,
  previous: AdminSet,
  left: ReadonlyMap<PeerId, ControlRecord>,
): Judged => {
  const authors = new Set(records.map(({ authorId }) => authorId));
  const supporters = previous.admins.filter((peer) => authors.has(peer));
  const silent = previous.admins.filter((peer) => left.has(peer) && !authors.has(peer));
  const needs = majorityOf(previous.admins.length - silent.length) - supporters.length;
  const byMajority = supporters.length >= majorityOf(previous.admins.length);
  const enough = majorityOf(previous.admins.length - (byMajority ? 0 : silent.length));
  // Whoever does not know that they left could not see why it stands.
  const leavings = byMajority || needs > 0 ? [] : silent.map((peer) => left.get(peer)!);
  const set: AdminSet = {
    id,
    previous: previous.id,
    admins: [...new Set(proposal.admins.map(peerIdOf))],
    removed: proposal.removed.map(({ peer, head, out }) => ({
      peer: peerIdOf(peer),
      head: head && toHex(head),
      out,
    })),
    returned: proposal.returned.map(({ peer, head }) => ({
      peer: peerIdOf(peer),
      head: head && toHex(head),
    })),
    supporters,
    recovered: recovery !== undefined,
    records: recovery ? [recovery] : [...witnesses(records, supporters.slice(0, enough)), ...leavings],
  };
  return { set, stands: recovery !== undefined || needs <= 0, byMajority, needs: Math.max(0, needs) };
};

const majorityOf = (count: number): number => Math.floor(count / 2) + 1;

/** The records that show why a set stands: a proposal, of one of these supporters where there is one, and of each one. */
const witnesses = (records: readonly ControlRecord[], supporters: readonly PeerId[]): ControlRecord[] => {
  const rank = ({ statement, authorId }: ControlRecord): number =>
    statement?.type !== 'proposal' ? 2 : supporters.includes(authorId) ? 0 : 1;
  const sorted = [...records].sort(
    (a, b) => rank(a) - rank(b) || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0),
  );
  const chosen = new Set<ControlRecord>(sorted.slice(0, 1));
  for (const peer of supporters) chosen.add(sorted.find(({ authorId }) => authorId === peer)!);
  return [...chosen];
};

/** A set that stands, with those that stand on it. */
interface Standing {
  readonly set: AdminSet;
  readonly byMajority: boolean;
  readonly children: Standing[];
  /** How many sets there are up to this one since one that the recovery key signed, or the first. */
  readonly inARow: number;
  /** How many sets signed by the recovery key a chain that goes on from here can have. */
  recoveries: number;
}

/** All sets that stand on the first or on one another, each looked at once. Ids are hashes: there is no way round. */
const standingSets = (
  first: AdminSet,
  candidates: ReadonlyMap<string, readonly Candidate[]>,
  left: ReadonlyMap<PeerId, ControlRecord>,
): Standing => {
  const root: Standing = { set: first, byMajority: true, children: [], inARow: 0, recoveries: 0 };
  const found = [root];
  for (const { set: previous, children, inARow: before } of found)
    for (const candidate of candidates.get(previous.id) ?? []) {
      const { set, stands, byMajority } = judged(candidate, previous, left);
      const inARow = set.recovered ? 0 : before + 1;
      if (!stands || inARow > maxSetsInARow) continue;
      const child: Standing = { set, byMajority, children: [], inARow, recoveries: 0 };
      children.push(child);
      found.push(child);
    }
  for (const one of found.reverse())
    one.recoveries = one.children.reduce(
      (most, child) => Math.max(most, child.recoveries + (child.set.recovered ? 1 : 0)),
      0,
    );
  return root;
};

/** Whether no set can stand on the last one of this chain but by the recovery key. */
export const needsRecovery = (path: readonly AdminSet[]): boolean =>
  path.length -
    1 -
    Math.max(
      0,
      path.findLastIndex(({ recovered }) => recovered),
    ) >=
  maxSetsInARow;

/** The chain from the first set on, as far as of those that stand on one another one alone counts. */
const pathOf = (root: Standing): AdminSet[] => {
  const path = [root.set];
  for (let at = winner(root.children); at; at = winner(at.children)) path.push(at.set);
  return path;
};

const winner = (standing: readonly Standing[]): Standing | undefined => {
  let best: Standing | undefined;
  let tied = false;
  for (const one of standing) {
    const order = best ? weightOf(one) - weightOf(best) : 1;
    if (order < 0) continue;
    tied = order === 0;
    best = one;
  }
  return tied ? undefined : best;
};

/** Recoveries first, then whether it needed that others had left. */
const weightOf = ({ set, recoveries, byMajority }: Standing): number =>
  2 * (recoveries + (set.recovered ? 1 : 0)) + (byMajority ? 1 : 0);

const outOf = (path: readonly AdminSet[]): PeerId[] => {
  const now = new Set(path.at(-1)!.admins);
  return path
    .flatMap(({ removed }) => removed)
    .filter(({ peer, out }) => out && !now.has(peer))
    .map(({ peer }) => peer);
};

/** What of an admin's or former admin's records counts: all, or what stands before a cut, or follows on a return. */
const speakers = (
  path: readonly AdminSet[],
  records: readonly ControlRecord[],
  byHash: RecordsByHash,
  left: ReadonlyMap<PeerId, ControlRecord>,
): ((record: ControlRecord) => boolean) => {
  const standing = new Map<PeerId, Set<string>>();
  const restrict = (peer: PeerId, allowed: ReadonlySet<string>): void => {
    const known = standing.get(peer);
    standing.set(peer, known ? new Set([...known].filter((hash) => allowed.has(hash))) : new Set(allowed));
  };
  const current = new Set<PeerId>();
  for (const set of path) {
    const admins = new Set(set.admins);
    for (const { peer, head } of set.returned) {
      // Once for each time that one comes back.
      if (!standing.has(peer) || !admins.has(peer) || current.has(peer)) continue;
      current.add(peer);
      const own = records.filter(({ authorId }) => authorId === peer);
      standing.set(peer, new Set([...standing.get(peer)!, ...after(head, own, byHash)]));
    }
    const cuts = new Map<PeerId, string | null>();
    for (const { peer, head } of set.removed) if (!admins.has(peer)) cuts.set(peer, head);
    // One who is in the next set no more and for whom no cut is named has nothing that stands.
    for (const peer of current) if (!admins.has(peer)) restrict(peer, upTo(cuts.get(peer) ?? null, byHash));
    current.clear();
    for (const peer of admins) current.add(peer);
  }
  for (const [peer, record] of left) if (current.has(peer)) restrict(peer, upTo(record.hash, byHash));
  const ever = new Set(path.flatMap(({ admins }) => admins));
  return ({ authorId, hash }) => ever.has(authorId) && (standing.get(authorId)?.has(hash) ?? true);
};
