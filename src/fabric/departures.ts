/**
 * Who is out of the fabric for good, by whose word, and who took whose place.
 * Relies on the admins; part of computing authority.
 */
import { stampMs } from '../core/clock.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { AdminSet, Admins } from './admin-sets.ts';
import type { ControlRecord, Revocation } from './control.ts';

/** Why somebody who belonged, or might have, is out for good. */
export interface Gone {
  readonly how: 'revoked' | 'left' | 'replaced';
  /** Who said so: an admin, or the peer itself. */
  readonly by: PeerId;
  /** Milliseconds since 1970 by the clock of who said so. */
  readonly atMs: number;
}

/** Who took whose place. */
export interface Succession {
  /** Who speaks for this peer's Things now: itself, or the last of those that replaced it one after the other. */
  speakerOf(peer: PeerId): PeerId;
  /** Those whose place this peer took, directly or through others; not itself. */
  predecessorsOf(peer: PeerId): readonly PeerId[];
}

/** Whether a record ends a peer's membership, an invite or a pass. */
export const isRevocation = (
  record: ControlRecord,
  what: Revocation['what'],
): record is ControlRecord & { statement: Revocation } =>
  record.statement?.type === 'revocation' && record.statement.what === what;

/** The earliest record by which each left of its own will. */
export const leavers = (all: readonly ControlRecord[]): Map<PeerId, ControlRecord> => {
  const left = new Map<PeerId, ControlRecord>();
  for (const record of all) {
    if (!isRevocation(record, 'peer') || peerIdOf(record.statement.key) !== record.authorId) continue;
    const known = left.get(record.authorId);
    if (!known || record.epoch < known.epoch || (record.epoch === known.epoch && record.seq < known.seq))
      left.set(record.authorId, record);
  }
  return left;
};

/** Who took whose place by an admin's word: the latest word counts, and only of those that are no admins. */
export const replacements = (spoken: readonly ControlRecord[], admins: Admins): Map<PeerId, PeerId> => {
  const replacedBy = new Map<PeerId, PeerId>();
  for (const { statement } of spoken) {
    if (statement?.type !== 'replacement') continue;
    const old = peerIdOf(statement.old);
    if (!admins.now.has(old)) replacedBy.set(old, peerIdOf(statement.new));
  }
  return replacedBy;
};

/** Admins are out by a set of admins or by their own word only; the earliest word about a peer is the one told. */
export const goneOf = (
  all: readonly ControlRecord[],
  spoken: readonly ControlRecord[],
  admins: Admins,
  replacedBy: ReadonlyMap<PeerId, PeerId>,
): Map<PeerId, Gone> => {
  const gone = new Map<PeerId, Gone>();
  const tell = (peer: PeerId, how: Gone['how'], record: ControlRecord): void => {
    if (admins.now.has(peer) || gone.has(peer)) return;
    gone.set(peer, { how, by: record.authorId, atMs: stampMs(record.hlc) });
  };
  for (const record of spoken) {
    const { statement } = record;
    if (statement?.type === 'replacement') tell(peerIdOf(statement.old), 'replaced', record);
    else if (isRevocation(record, 'peer')) {
      const peer = peerIdOf(record.statement.key);
      if (!replacedBy.has(peer)) tell(peer, peer === record.authorId ? 'left' : 'revoked', record);
    }
  }
  for (const set of admins.path)
    for (const { peer, out } of set.removed)
      if (out && admins.out.has(peer)) tell(peer, 'revoked', firstOf(set));
  for (const [peer, record] of leavers(all)) tell(peer, 'left', record);
  return gone;
};

const firstOf = (set: AdminSet): ControlRecord => set.records[0]!;

/** Follows replacements to their end; a ring of them, which no honest admin makes, ends where it was entered. */
export const successionOf = (replacedBy: ReadonlyMap<PeerId, PeerId>): Succession => {
  const speakerOf = (peer: PeerId): PeerId => {
    if (!replacedBy.has(peer)) return peer;
    const seen = new Set([peer]);
    let at = peer;
    for (let next = replacedBy.get(at); next !== undefined; next = replacedBy.get(at)) {
      if (seen.has(next)) return peer;
      seen.add(next);
      at = next;
    }
    return at;
  };
  const predecessors = new Map<PeerId, PeerId[]>();
  for (const old of replacedBy.keys()) {
    const speaker = speakerOf(old);
    if (speaker !== old) predecessors.set(speaker, [...(predecessors.get(speaker) ?? []), old]);
  }
  return { speakerOf, predecessorsOf: (peer) => predecessors.get(peer) ?? [] };
};
