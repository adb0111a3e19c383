/**
 * Whether this peer's own word can still count, asked before it writes.
 * Relies on what its authority and the proofs against it say.
 */
import { AlthingError } from '../core/errors.ts';
import type { Gone } from '../fabric/departures.ts';
import type { Draft } from './draft.ts';

/** What stands against this peer. */
export interface OwnStanding {
  /** How it came to be out of the fabric, undefined while it is not. */
  readonly gone: Gone['how'] | undefined;
  /** Whether the next record of this kind would be void, since a copy of this peer ran. */
  readonly isVoid: boolean;
}

/**
 * Throws `not-a-member` where this peer is out of the fabric, `forbidden` where nobody would believe it. What carries
 * the recovery key's signature counts whoever brings it.
 */
export const checkOwnWord = (drafts: readonly Draft[], { gone, isVoid }: OwnStanding): void => {
  if (drafts.every(isRecovery)) return;
  if (gone !== undefined)
    throw new AlthingError(
      'not-a-member',
      `This peer is out of the fabric (${gone}): nothing it writes counts.`,
    );
  if (isVoid)
    throw new AlthingError(
      'forbidden',
      'A copy of this peer ran and contradicted it: nobody believes its word any more. Let it join anew as another.',
    );
};

const isRecovery = ({ collection, value }: Draft): boolean =>
  collection === 'adminset' && (value as { recovery?: unknown }).recovery instanceof Uint8Array;
