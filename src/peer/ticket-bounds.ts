/**
 * How many may use a ticket and for how long, whatever it is for: an invite or a guest pass.
 * Relies on nothing but the error class.
 */
import { AlthingError } from '../core/errors.ts';

/** How long a ticket lasts where nothing is said. */
export const dayMs = 86_400_000;
const maxLifetimeMs = 365 * dayMs;

/**
 * Throws `bad-input` for less than one use or more than `maxUses`, and for more than a year.
 * @param what as a sentence begins with it: "An invite"
 */
export const checkTicketBounds = (
  what: string,
  { uses, maxUses, lifetimeMs }: { uses: number; maxUses: number; lifetimeMs: number },
): void => {
  if (!Number.isSafeInteger(uses) || uses < 1 || uses > maxUses)
    throw new AlthingError('bad-input', `${what} has 1 to ${maxUses} uses, not ${uses}.`);
  if (!Number.isSafeInteger(lifetimeMs) || lifetimeMs < 1 || lifetimeMs > maxLifetimeMs)
    throw new AlthingError('bad-input', `${what} lasts up to a year: ${lifetimeMs} ms is not possible.`);
};
