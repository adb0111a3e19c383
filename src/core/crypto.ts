/**
 * The cryptography that the pure folders need, as an interface, and the one way in which anything is signed.
 * Relies on an implementation passed in (`store/node-crypto.ts`), so that this side stays free of effects.
 */
import { concat, utf8 } from './bytes.ts';

/** Ed25519 (RFC 8032) and SHA-256 (FIPS 180-4). Keys are 32 raw bytes, signatures 64. */
export interface Crypto {
  sha256(bytes: Uint8Array): Uint8Array;
  /** True if `signature` over `message` is by `publicKey`; false for anything malformed, never a throw. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** The key pair of a 32-byte seed. */
  signer(seed: Uint8Array): Signer;
  randomBytes(sizeBytes: number): Uint8Array;
}

/** A private key that signs and never shows itself. */
export interface Signer {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** What is signed: `althing/<kind>/1\0` + fabric id + body, so that nothing signed in one place counts in another. */
export type SignedKind = 'record' | 'join' | 'pass' | 'adminset';

const prefixes: Record<SignedKind, Uint8Array> = {
  record: utf8('althing/record/1\0'),
  join: utf8('althing/join/1\0'),
  pass: utf8('althing/pass/1\0'),
  adminset: utf8('althing/adminset/1\0'),
};

/** The bytes that a signature of this kind covers, in this fabric. */
export const signedBytes = (kind: SignedKind, fabric: Uint8Array, body: Uint8Array): Uint8Array =>
  concat(prefixes[kind], fabric, body);
