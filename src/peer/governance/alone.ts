/**
 * Whether a peer may leave its fabric for another: only where nobody relies on it.
 * Relies on the fabric's run.
 */
import { AlthingError } from '../../core/errors.ts';
import { type PeerId, peerIdOf } from '../../core/ids.ts';
import type { FabricRun } from '../fabric-run.ts';
import { endedError } from './ended-text.ts';

/** Throws `already-in-fabric` where the fabric has others, and `revoked` where this peer is out of it. */
export const checkAlone = ({ fabric, replica, departure }: FabricRun, self: PeerId): void => {
  const { size } = replica.authority.members;
  if (departure) throw endedError(fabric, departure);
  if (size === 1 && peerIdOf(fabric.genesis.founder) === self) return;
  throw new AlthingError(
    'already-in-fabric',
    `This peer belongs to "${fabric.genesis.name}" already, with ${size} members.`,
  );
};
