/**
 * Ed25519, SHA-256 and randomness from Node, behind the interface that the pure folders take.
 * Relies on `node:crypto`; public keys are kept as KeyObjects, because importing one costs more than a look-up.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
  randomFillSync,
} from 'node:crypto';
import type { Crypto, Signer } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';

/** DER (RFC 8410) of an Ed25519 SubjectPublicKeyInfo up to the 32 bytes of the key. */
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');
/** DER (RFC 8410) of an Ed25519 PrivateKeyInfo up to the 32 bytes of the seed. */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

const keyCacheSize = 4096;
const keyCache = new Map<string, KeyObject>();

/** The bytes alone: what leaves this file is never a Buffer, which compares and prints differently. */
const plain = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);

/** The KeyObject of a 32-byte public key; the least recently used of 4096 makes room for a new one. */
const publicKeyObject = (publicKey: Uint8Array): KeyObject => {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1');
  let key = keyCache.get(name);
  if (key) {
    keyCache.delete(name);
  } else {
    key = createPublicKey({ key: Buffer.concat([publicPrefix, publicKey]), format: 'der', type: 'spki' });
    if (keyCache.size >= keyCacheSize) keyCache.delete(keyCache.keys().next().value!);
  }
  keyCache.set(name, key);
  return key;
};

/**
 * The private KeyObject of a 32-byte Ed25519 seed (RFC 8032 section 5.1.5), for the certificate and the signer.
 * Throws `bad-input` for another length.
 */
export const privateKeyObject = (seed: Uint8Array): KeyObject => {
  if (seed.length !== 32)
    throw new AlthingError('bad-input', `A private seed has 32 bytes, this one ${seed.length}.`);
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
};

/** The 32 raw bytes of an Ed25519 public key, also given the private one. */
export const rawPublicKey = (key: KeyObject): Uint8Array => {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return plain(publicKey.export({ format: 'der', type: 'spki' })).slice(publicPrefix.length);
};

const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    return nodeVerify(null, message, publicKeyObject(publicKey), signature);
  } catch {
    // The contract is false for anything malformed: OpenSSL throws for a key that is no point of the curve.
    return false;
  }
};

const signer = (seed: Uint8Array): Signer => {
  const key = privateKeyObject(seed);
  return {
    publicKey: rawPublicKey(key),
    sign: (message) => plain(nodeSign(null, message, key)),
  };
};

/** The project's cryptography over Node's. `signer` throws `bad-input` for a seed that has not 32 bytes. */
export const nodeCrypto: Crypto = {
  sha256: (bytes) => plain(hash('sha256', bytes, 'buffer')),
  verify,
  signer,
  randomBytes: (sizeBytes) => randomFillSync(new Uint8Array(sizeBytes)),
};

/** HMAC-SHA-256 (RFC 2104), 32 bytes. */
export const hmacSha256 = (key: Uint8Array, data: Uint8Array): Uint8Array =>
  plain(createHmac('sha256', key).update(data).digest());
