/**
 * What a peer says that is out of its fabric for good: what happened, and how it can join again.
 * Relies on the departure alone.
 */

import type { DepartureInfo } from '../../core/api-shapes.ts';
import { AlthingError } from '../../core/errors.ts';
import type { Fabric } from '../../fabric/genesis.ts';

/** In one text, for the log and for people. */
export const endedText = ({ genesis }: Fabric, { how, by, at, successor }: DepartureInfo): string => {
  const what =
    how === 'left'
      ? `This device left "${genesis.name}" at ${at}.`
      : how === 'replaced'
        ? `${successor ?? 'Another device'} took the place of this device in "${genesis.name}" at ${at}, by the word of ${by}.`
        : `This device was put out of "${genesis.name}" at ${at} by ${by}.`;
  return `${what} Its key does not come back. To join with a new one: althing leave, then althing join TICKET.`;
};

/** The same as an error. */
export const endedError = (fabric: Fabric, departure: DepartureInfo): AlthingError =>
  new AlthingError('revoked', endedText(fabric, departure));
