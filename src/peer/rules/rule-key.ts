/**
 * The keys of rules and scenes: slugs of their names, by which records and people address them.
 * Relies on SHA-256 for names of which a slug leaves out letters or digits: a name that differs has a key that differs.
 */
import { toHex, utf8 } from '../../core/bytes.ts';
import { slugOf } from '../../core/ids.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';

const hashDigits = 16;
const maxLength = 60;

/** The key of a rule or scene of this name; a key is its own. */
export const ruleKeyOf = (name: string): string => {
  const plain = name.normalize('NFKD').toLowerCase();
  const hasSlug = /[a-z0-9]/.test(plain);
  const isWhole = plain.length <= maxLength && !/(?![a-z0-9])[\p{L}\p{N}]/u.test(plain);
  if (hasSlug && isWhole) return slugOf(name);
  const hash = toHex(nodeCrypto.sha256(utf8(name))).slice(0, hashDigits);
  const shown = hasSlug ? slugOf(name).slice(0, maxLength - hashDigits - 1) : 'name';
  return `${shown.replace(/-+$/, '')}-${hash}`;
};
