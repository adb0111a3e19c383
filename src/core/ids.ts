/**
 * Names that are keys: peer ids as did:key writes them, fabric ids, invite ids, Thing ids.
 * Relies on `@scure/base` for base58btc (the multibase `z`) and on nothing else.
 */
import { base58 } from '@scure/base';
import { toHex } from './bytes.ts';
import { AlthingError } from './errors.ts';

/** A peer's id: `z6Mk...`, the did:key form (multicodec ed25519-pub, base58btc) of its 32-byte public key. */
export type PeerId = string;

const multicodec = [0xed, 0x01];
/** Both ways are remembered, because base58 takes long division; bounded, and emptied when full. */
const keyOfId = new Map<PeerId, Uint8Array>();
const idOfKey = new Map<string, PeerId>();
const cacheSize = 4096;

const remember = (id: PeerId, key: Uint8Array): void => {
  if (keyOfId.size >= cacheSize) {
    keyOfId.clear();
    idOfKey.clear();
  }
  keyOfId.set(id, key);
  idOfKey.set(toHex(key), id);
};

/** The id of a 32-byte Ed25519 public key (did:key method, section 3.1). */
export const peerIdOf = (publicKey: Uint8Array): PeerId => {
  if (publicKey.length !== 32)
    throw new AlthingError('bad-input', `A public key has 32 bytes, this one ${publicKey.length}.`);
  const known = idOfKey.get(toHex(publicKey));
  if (known !== undefined) return known;
  const bytes = new Uint8Array(34);
  bytes.set(multicodec);
  bytes.set(publicKey, 2);
  const id = `z${base58.encode(bytes)}`;
  remember(id, bytes.slice(2));
  return id;
};

/** The 32-byte public key of a peer id. Throws `bad-input`. */
export const publicKeyOf = (id: PeerId): Uint8Array => {
  const known = keyOfId.get(id);
  if (known) return known;
  const bytes = decodeBase58(id);
  if (bytes?.length !== 34 || bytes[0] !== multicodec[0] || bytes[1] !== multicodec[1])
    throw new AlthingError('bad-input', `"${id}" is not a peer id: one starts with z6Mk.`);
  const key = bytes.slice(2);
  remember(id, key);
  return key;
};

const decodeBase58 = (id: string): Uint8Array | undefined => {
  if (!id.startsWith('z') || id.length > 64) return undefined;
  try {
    return base58.decode(id.slice(1));
  } catch {
    // Not base58 at all: the caller says what was expected.
    return undefined;
  }
};

/** Whether a string is a well-formed peer id. */
export const isPeerId = (id: unknown): id is PeerId => {
  if (typeof id !== 'string' || !id.startsWith('z6Mk')) return false;
  const bytes = decodeBase58(id);
  return bytes?.length === 34 && bytes[0] === multicodec[0] && bytes[1] === multicodec[1];
};

/** A fabric's id, or any 32-byte hash, as people see it: lower-case hexadecimal. */
export const hashId = (hash: Uint8Array): string => toHex(hash);

/** A Thing's id: `urn:althing:<peer>:<name>`, with the peer that first exposed it. */
export const thingIdOf = (peer: PeerId, name: string): string => `urn:althing:${peer}:${name}`;

/** The parts of a Thing id, or undefined where it is none of ours. */
export const parseThingId = (id: string): { peer: PeerId; name: string } | undefined => {
  const match = /^urn:althing:(z6Mk[1-9A-HJ-NP-Za-km-z]{40,50}):([a-z0-9][a-z0-9-]{0,62})$/.exec(id);
  return match ? { peer: match[1]!, name: match[2]! } : undefined;
};

/** A title as a name: lower-case ASCII letters, digits and dashes, 1 to 60 long. */
export const slugOf = (title: string): string => {
  const slug = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
    .replace(/-+$/, '');
  return slug === '' ? 'thing' : slug;
};
