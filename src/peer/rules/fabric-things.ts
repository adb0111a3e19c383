/**
 * The Things and the members of one fabric as its rules see them.
 * Relies on the directory, on what is exposed here, and on the sessions as they are now.
 */

import { AlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import { parseThingId } from '../../core/ids.ts';
import type { Supervisor } from '../../net/supervisor.ts';
import type { Replica } from '../../replica/replica.ts';
import type { Directory } from '../directory.ts';
import type { ExposedThings } from '../exposed-things.ts';
import { lastKnown } from '../last-known.ts';
import type { Membership } from '../membership.ts';
import { shownName } from './rule-lookup.ts';
import type { RulePresence, RuleThings } from './rule-world.ts';

/** What is looked at. */
export interface FabricThings {
  readonly replica: Replica;
  readonly directory: Directory;
  readonly exposed: ExposedThings;
  readonly membership: Membership;
  readonly supervisor: () => Supervisor;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Who is there, by this peer's own sessions. */
export const rulePresence = ({ replica, membership, supervisor }: FabricThings): RulePresence => {
  const isFull = (peer: PeerId): boolean => {
    const role = membership.roleOf(peer);
    return role === 'admin' || role === 'member';
  };
  return {
    isMember: () => membership.departure === undefined && isFull(replica.self),
    live: () =>
      new Set([
        replica.self,
        ...supervisor()
          .sessions()
          .filter(({ peer, visitor }) => visitor.kind === 'member' && isFull(peer))
          .map(({ peer }) => peer),
      ]),
    isOnline: (peer) => {
      if (peer === replica.self || supervisor().session(peer)) return true;
      // Of a member that this peer keeps no session with nothing is known.
      return membership.roleOf(peer) !== undefined && !supervisor().seeks(peer) ? undefined : false;
    },
    rttMs: (peer) => supervisor().session(peer)?.rttMs ?? undefined,
  };
};

/** What there is to trigger, to read and to command. */
export const ruleThings = (fabric: FabricThings): RuleThings => {
  const { replica, directory, exposed, now } = fabric;
  const { isOnline } = rulePresence(fabric);
  const isUsable = (thing: string, peer: PeerId): boolean =>
    peer === replica.self ? exposed.has(thing) : isOnline(peer) === true;
  return {
    isHere: (thing) => exposed.has(thing),
    td: (thing) => directory.byId(thing),
    speakerOf: (thing) => {
      const owner = parseThingId(thing)?.peer;
      return owner && replica.authority.speakerOf(owner);
    },
    find: ({ type, room, capability, online }) =>
      directory
        .listed({ ...(type !== undefined && { type }), ...(room !== undefined && { room }) })
        .filter(({ td }) =>
          [td.properties, td.actions, td.events].some(
            (affordances) => capability === undefined || Object.hasOwn(affordances ?? {}, capability),
          ),
        )
        .map(({ td, peer }) => ({ thing: td.id, peer }))
        .filter(({ thing, peer }) => online === undefined || isUsable(thing, peer) === online),
    lastKnown: (thing, property) => {
      try {
        const { properties } = lastKnown({ directory, replica }, thing, now());
        return Object.hasOwn(properties, property) ? properties[property] : undefined;
      } catch (error) {
        // What is restricted, or was never told, is not known.
        if (error instanceof AlthingError) return undefined;
        throw error;
      }
    },
    nameOf: (id) => shownName({ replica, directory }, id),
  };
};
