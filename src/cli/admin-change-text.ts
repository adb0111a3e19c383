/**
 * What became of a change of admins, as people read it.
 * Relies on the gateway's answer.
 */
import type { AdminChangeInfo } from '../core/governance-shapes.ts';

/** That it is in force, or who else must run the same command. */
export const adminChangeText = ({ inForce, needs, waitingFor }: AdminChangeInfo, doneText: string): string =>
  inForce
    ? doneText
    : `Proposed. It takes effect once ${needs} more of these admins ${needs === 1 ? 'has' : 'have'} run the same command: ${waitingFor.join(', ')}.`;
