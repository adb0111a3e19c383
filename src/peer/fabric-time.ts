/**
 * The time of one fabric at this peer, put together: whose clocks have a vote, and what was kept of earlier runs.
 * Relies on the sessions for how far the others' clocks are off, and on the membership for who is no guest.
 */
import { stampMs } from '../core/clock.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { FabricClock } from '../net/fabric-clock.ts';
import type { Session } from '../net/session.ts';
import { createSynchronised } from '../net/synchronised.ts';
import type { Membership } from './membership.ts';

export interface FabricTimeOptions {
  readonly fabric: Fabric;
  /** The latest stamp that this peer had given or seen when it started. */
  readonly keptStamp: number;
  readonly membership: () => Membership;
  /** The sessions that there are; none before there can be any. */
  readonly sessions: () => readonly Session[];
}

/** The clock of one fabric. */
export const createFabricTime = ({
  fabric,
  keptStamp,
  membership,
  sessions,
}: FabricTimeOptions): FabricClock =>
  new FabricClock({
    now: Date.now,
    synchronised: createSynchronised(),
    genesisMs: fabric.genesis.created,
    keptMs: stampMs(keptStamp),
    // Guests and visitors have no say.
    offsets: () =>
      sessions().flatMap(({ peer, visitor, clockOffsetMs }) => {
        const role = visitor.kind === 'member' ? membership().roleOf(peer) : undefined;
        return clockOffsetMs === undefined || role === undefined || role === 'guest' ? [] : [clockOffsetMs];
      }),
    isPair: () => membership().isPair,
  });
