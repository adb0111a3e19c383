/**
 * What a person means by a peer: an id, or a name that only one of them has; what admins call it goes before its own.
 * Relies on labels and on what peers say of themselves; a name that a device chose never beats an admin's.
 */
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Authority } from '../fabric/authority.ts';

/** Candidates named in an error at most. */
const maxCandidates = 8;

/** What a peer is called: by admins, and by itself. */
export interface PeerNames {
  readonly label: (peer: PeerId) => string | undefined;
  readonly claimed: (peer: PeerId) => string | undefined;
}

/** The peers that a name may mean: those that admins call so, else those that say so themselves. */
export const peersNamed = (peers: Iterable<PeerId>, name: string, names: PeerNames): PeerId[] => {
  const wanted = name.toLowerCase();
  const all = [...peers];
  const labelled = all.filter((peer) => names.label(peer)?.toLowerCase() === wanted);
  return labelled.length > 0 ? labelled : all.filter((peer) => names.claimed(peer)?.toLowerCase() === wanted);
};

/** The member, or by its id the former member, that a text names. Throws `peer-unknown`, `name-ambiguous`. */
export const resolvePeer = (
  text: string,
  authority: Pick<Authority, 'members' | 'gone'>,
  names: PeerNames,
): PeerId => {
  if (authority.members.has(text) || authority.gone.has(text)) return text;
  const found = peersNamed(authority.members.keys(), text, names);
  if (found.length === 1) return found[0]!;
  if (found.length === 0)
    throw new AlthingError(
      'peer-unknown',
      `No member of the fabric is called "${text}", and none has this id.`,
    );
  const candidates = found.slice(0, maxCandidates);
  throw new AlthingError(
    'name-ambiguous',
    `"${text}" may be any of ${found.length} peers, use the id: ${candidates.join(', ')}.`,
    { details: { candidates } },
  );
};
