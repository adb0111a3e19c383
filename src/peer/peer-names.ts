/**
 * What a person means by a peer: an id, or a name that only one of them has.
 * Relies on what peers say of themselves; a name that a device chose is never enough where another has it too.
 */
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Authority } from '../fabric/authority.ts';

/** Candidates named in an error at most. */
const maxCandidates = 8;

/** The member, or by its id the former member, that a text names. Throws `peer-unknown`, `name-ambiguous`. */
export const resolvePeer = (
  text: string,
  authority: Pick<Authority, 'members' | 'gone'>,
  nameOf: (peer: PeerId) => string | undefined,
): PeerId => {
  if (authority.members.has(text) || authority.gone.has(text)) return text;
  const wanted = text.toLowerCase();
  const found = [...authority.members.keys()].filter((peer) => nameOf(peer)?.toLowerCase() === wanted);
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
