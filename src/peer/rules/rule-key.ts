/**
 * The keys of rules and scenes: slugs of their names, by which records and people address them.
 * Relies on SHA-256 for names in scripts that have no slug.
 */
import { toHex, utf8 } from '../../core/bytes.ts';
import { slugOf } from '../../core/ids.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';

const hashDigits = 16;

/** The key of a rule or scene of this name; a key is its own. */
export const ruleKeyOf = (name: string): string =>
  /[a-z0-9]/i.test(name.normalize('NFKD'))
    ? slugOf(name)
    : `name-${toHex(nodeCrypto.sha256(utf8(name))).slice(0, hashDigits)}`;
