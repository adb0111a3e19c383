/**
 * Leaving a fabric: its members are told, then what this device was is put away, so that it can begin anew.
 * Relies on the running fabric for telling; the home is archived once the store is closed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { FabricRun } from '../fabric-run.ts';
import { revocationDraft } from './revocation-draft.ts';

/** Without a session nobody hears of it: one that was started for this alone has this long to find somebody. */
const findTimeoutMs = 5000;
const lookMs = 50;

/**
 * Writes this peer's word that it leaves, which goes to those in session at once; gives them. One that is out already,
 * and a guest, whose records nobody takes, have nothing to write. Throws `admins-too-few` where the only admin leaves
 * others behind and did not say that this is meant; the store's codes.
 */
export const sayFarewell = async (
  { replica, supervisor }: FabricRun,
  options: { confirm: boolean; isOffline: boolean },
): Promise<PeerId[]> => {
  const { self, authority } = replica;
  const { members, admins } = authority;
  const others = members.size - (members.has(self) ? 1 : 0);
  if (admins.has(self) && admins.size === 1 && !options.confirm)
    throw new AlthingError(
      'admins-too-few',
      others === 0
        ? 'This device is alone in its fabric, which ends with it: say that this is meant (--yes).'
        : `This device is the only admin: without it only the 24 words can govern the ${others} other members. Make another one an admin first (althing role PEER admin), or say that this is meant (--yes).`,
    );
  const role = members.get(self)?.role;
  if (role === undefined || role === 'guest' || others === 0) return [];
  const until = performance.now() + findTimeoutMs;
  while (!options.isOffline && supervisor.sessions().length === 0 && performance.now() < until)
    await delay(lookMs);
  const told = supervisor.sessions().map(({ peer }) => peer);
  await replica.write(() => (replica.authority.gone.has(self) ? [] : [revocationDraft('peer', self)]));
  return told;
};
