/**
 * Who may ask what over HTTP: Host and Origin checks, bearer tokens, scopes.
 * Relies on the socket file's permissions for the unix socket, and on the peer's token store for TCP.
 */
import { isIP } from 'node:net';
import type { Scope } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';

const ranks: Record<Scope, number> = { read: 0, use: 1, manage: 2 };
const longestToken = 256;

/** Throws `forbidden` unless the scope held includes the one needed. */
export const requireScope = (held: Scope, needed: Scope): void => {
  if (ranks[held] >= ranks[needed]) return;
  throw new AlthingError(
    'forbidden',
    `This needs a token of scope "${needed}"; the one sent has "${held}".`,
    {
      details: { needed, held },
    },
  );
};

/**
 * The scope of a bearer token (RFC 6750, section 2.1). Throws `unauthorized` without a known one.
 * @param authorization the Authorization header's value
 */
export const scopeOfToken = (
  authorization: string | undefined,
  checkToken: (token: string) => Scope | undefined,
): Scope => {
  if (authorization === undefined)
    throw new AlthingError('unauthorized', 'The gateway answers over TCP only to a bearer token.');
  const scope = knownScope(authorization, checkToken);
  if (scope === undefined)
    throw new AlthingError('unauthorized', 'The token is unknown or was revoked: make another one.');
  return scope;
};

/** The same, and undefined where the token is none that is known. */
export const knownScope = (
  authorization: string,
  checkToken: (token: string) => Scope | undefined,
): Scope | undefined => {
  const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
  return token && token.length <= longestToken ? checkToken(token) : undefined;
};

/**
 * Refuses a Host header that a foreign web page could have brought here by DNS rebinding. Throws `forbidden`.
 * @param listeningHost the host that the gateway was asked to listen on
 */
export const checkHost = (host: string | undefined, listeningHost: string): void => {
  const name = hostNameOf(host ?? '');
  const own = hostNameOf(listeningHost);
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.local') || (name !== '' && name === own))
    return;
  throw new AlthingError(
    'forbidden',
    `The gateway does not answer to the host name "${name}": use the address, localhost or a name under .local.`,
  );
};

/** The host of `host[:port]` in lower case, IPv6 without its brackets, without a final dot. */
const hostNameOf = (host: string): string => {
  const lower = host.toLowerCase();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(lower);
  if (bracketed) return bracketed[1]!;
  return isIP(lower) === 6 ? lower : lower.replace(/:\d+$/, '').replace(/\.$/, '');
};

/** Refuses requests that a browser sends for another site's page. Throws `forbidden`. */
export const checkOrigin = (origin: string | undefined, host: string | undefined): void => {
  if (origin === undefined || (host && origin.toLowerCase() === `http://${host.toLowerCase()}`)) return;
  throw new AlthingError('forbidden', `Pages of ${origin} may not use this gateway.`);
};
