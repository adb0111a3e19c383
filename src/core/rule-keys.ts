/**
 * The keys of rules that members write: each ends with a mark of its author, so that nobody writes another's.
 * Relies on slugs, in which there are never two dashes in a row, so that no admin's rule has such a key.
 */
import { toHex } from './bytes.ts';

const separator = '--';
const memberKey = /^[a-z0-9][a-z0-9-]*--[0-9a-f]{20}$/;
/** Enough of the public key that nobody finds another one that begins so. */
const markBytes = 10;
const maxLength = 60;

/** The mark of a member by its public key. */
const authorMark = (publicKey: Uint8Array): string => toHex(publicKey.subarray(0, markBytes));

/** The mark in a rule's key; undefined where it is a key of admins. */
export const markIn = (key: string): string | undefined => {
  const at = key.indexOf(separator);
  return at === -1 ? undefined : key.slice(at + separator.length);
};

/** Whether this member may have a rule of its own under this key. */
export const isOwnKey = (key: string, publicKey: Uint8Array): boolean =>
  key.length <= maxLength && memberKey.test(key) && markIn(key) === authorMark(publicKey);

/** The key of a rule of a member, for a slug of its name. */
export const memberRuleKey = (slug: string, publicKey: Uint8Array): string => {
  const end = separator + authorMark(publicKey);
  return slug.slice(0, maxLength - end.length).replace(/-+$/, '') + end;
};
