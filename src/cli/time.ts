/**
 * Times as people write them on the command line.
 * Relies on the error class alone.
 */
import { AlthingError } from '../core/errors.ts';

/** A time as RFC 3339 in UTC; without an offset it is this machine's time. Throws `bad-option` naming `option`. */
export const parseTime = (text: string, option: string): string => {
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return new Date(ms).toISOString();
  throw new AlthingError('bad-option', `${option} takes a time such as 2026-05-01T18:30, not "${text}".`);
};
