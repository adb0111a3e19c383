/**
 * `--limit` on the command line.
 * Relies on the error class alone.
 */
import { AlthingError } from '../core/errors.ts';

const largest = 500;

/** The number in `--limit`; nothing where it was not given. Throws `bad-option`. */
export const limitOf = (text: string | undefined): { limit?: number } => {
  if (text === undefined) return {};
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= largest) return { limit };
  throw new AlthingError('bad-option', `--limit takes 1 to ${largest}, not "${text}".`);
};
