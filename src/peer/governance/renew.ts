/**
 * A peer on a home whose membership may have ended: what it was is put away then, and it begins anew with a new key.
 * Relies on `createPeer`; for joining, since a key that is out of a fabric never comes back there.
 */
import { createPeer } from '../create-peer.ts';
import type { Peer } from '../peer.ts';
import type { PeerOptions } from '../peer-options.ts';

/** Starts a peer as `createPeer` does, on a home that is fit to join a fabric. Throws what that and leaving throw. */
export const createJoiningPeer = async (options: PeerOptions): Promise<Peer> => {
  const peer = await createPeer(options);
  if (!peer.self().gone) return peer;
  await peer.leave();
  return createPeer(options);
};
