/**
 * `HOST:PORT` as it is written on the command line, IPv6 addresses in brackets.
 * Relies on nothing but the error class.
 */
import { AlthingError } from '../core/errors.ts';

/** Its two parts; the host is empty in `:PORT`. Throws `bad-option` naming `option`. */
export const parseHostPort = (text: string, option: string): { host: string; port: number } => {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new AlthingError('bad-option', `${option} takes HOST:PORT, such as 127.0.0.1:7420, not "${text}".`);
  return { host: match[1] ?? match[2]!, port };
};
