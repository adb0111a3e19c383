/**
 * Grants and restrictions as the control records of admins say them, in one place.
 * Relies on records that count as an admin's word, in the order on which all agree.
 */
import { toHex } from '../core/bytes.ts';
import type { PeerId } from '../core/ids.ts';
import type { ControlRecord, Grant } from './control.ts';

/** A grant that no admin has ended. */
export interface StandingGrant {
  /** The hash of its record, hexadecimal. */
  readonly id: string;
  readonly grant: Grant;
  readonly by: PeerId;
}

/** Grants that stand, and what was last said of each Thing's restriction. `spoken` is sorted. */
export const computePermissions = (
  spoken: readonly ControlRecord[],
): { grants: StandingGrant[]; restrictions: Map<string, boolean> } => {
  const withdrawn = new Set<string>();
  const restrictions = new Map<string, boolean>();
  for (const { statement } of spoken) {
    if (statement?.type === 'withdrawal') withdrawn.add(toHex(statement.grant));
    else if (statement?.type === 'restriction') restrictions.set(statement.thing, statement.restricted);
  }
  const grants = spoken.flatMap(({ hash, authorId, statement }): StandingGrant[] =>
    statement?.type === 'grant' && !withdrawn.has(hash) ? [{ id: hash, grant: statement, by: authorId }] : [],
  );
  return { grants, restrictions };
};
