/**
 * The records that show a peer that it is out of the fabric, small enough for a refusal at the door.
 * Relies on the authority; the peer computes it anew from these and from what it holds, so nothing here is believed.
 */
import { equalBytes } from '../../core/bytes.ts';
import { type PeerId, publicKeyOf } from '../../core/ids.ts';
import type { Authority } from '../../fabric/authority.ts';
import type { ControlRecord } from '../../fabric/control.ts';
import type { SignedRecord } from '../../replica/record.ts';
import { atTheDoor } from '../door-proof.ts';

/** The admin sets that stand, and every revocation and replacement of this peer, as far as they have room; raw. */
export const departureProof = (
  peer: PeerId,
  authority: Authority,
  control: readonly SignedRecord[],
): readonly Uint8Array[] => {
  const key = publicKeyOf(peer);
  const sets = new Set<ControlRecord>(authority.adminSets.path.flatMap(({ records }) => records));
  const about = control.filter((record) => !sets.has(record) && isAbout(record, key));
  return atTheDoor(([...sets, ...about] as SignedRecord[]).map(({ raw }) => raw));
};

const isAbout = ({ statement }: ControlRecord, key: Uint8Array): boolean =>
  (statement?.type === 'revocation' && statement.what === 'peer' && equalBytes(statement.key, key)) ||
  (statement?.type === 'replacement' && equalBytes(statement.old, key));
