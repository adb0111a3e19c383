/**
 * What a device may call itself.
 * Relies on nothing; "/" is left to names of the form `peer/thing`.
 */
import { AlthingError } from '../core/errors.ts';

/** Characters of a peer's name. */
export const maxPeerNameLength = 64;

/** The name, if it can be one. Throws `bad-input`. */
export const checkPeerName = (name: string): string => {
  if (name.trim() === '' || name.length > maxPeerNameLength || name.includes('/'))
    throw new AlthingError('bad-input', `"${name}" cannot be a peer's name: 1 to 64 characters without "/".`);
  return name;
};
