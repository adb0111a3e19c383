/**
 * A peer in this process for the time of one command, for homes on which none runs.
 * Relies on `peer/`, loaded only here; the home is locked meanwhile.
 */
import { toAlthingError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import type { PeerApi } from '../peer/peer-api.ts';
import type { PeerOptions } from '../peer/peer-options.ts';
import type { CommandCall } from './command.ts';
import { createHumanLogger } from './log.ts';

/**
 * Uses a peer on the command's home and stops it. `renew`: one whose membership has ended begins anew with a new key.
 * Throws `home-in-use`, the store's codes, and what `use` throws.
 */
export const withOwnPeer = async <T>(
  { home, out }: CommandCall,
  { renew = false, ...options }: Omit<PeerOptions, 'home' | 'logger'> & { renew?: boolean },
  use: (peer: PeerApi) => Promise<T>,
): Promise<T> => {
  const { createJoiningPeer } = await import('../peer/governance/renew.ts');
  const { createPeer } = await import('../peer/create-peer.ts');
  // Under --json stderr carries nothing but the error.
  const logger = out.json ? silentLogger : createHumanLogger('warn', process.stderr, () => new Date());
  const peer = await (renew ? createJoiningPeer : createPeer)({ ...options, home, logger });
  try {
    return await use(peer);
  } finally {
    await peer.stop();
  }
};

/** Asks the running peer, or where none runs does it with one of our own. */
export const runningOr = async <T>(ask: () => Promise<T>, otherwise: () => Promise<T>): Promise<T> => {
  try {
    return await ask();
  } catch (thrown) {
    if (toAlthingError(thrown).code !== 'not-running') throw thrown;
    return otherwise();
  }
};
