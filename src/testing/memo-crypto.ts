/**
 * Cryptography that does nothing twice, for simulations in which many peers check the same signatures in one process.
 * Relies on Ed25519 being deterministic (RFC 8032) and on SHA-256 to name all the inputs of what is remembered.
 */
import { toHex } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import { nodeCrypto } from '../store/node-crypto.ts';

/** Answers kept; emptied when full. */
const maxKept = 200_000;
/** Of these lengths only, or keys, signatures and messages could run into one another. */
const keyBytes = 32;
const signatureBytes = 64;

/** Real cryptography whose verifications are remembered; randomness comes from `random` (0 to below 1). */
export const memoCrypto = (random: () => number): Crypto => ({
  ...nodeCrypto,
  verify: (publicKey, message, signature) => {
    if (publicKey.length !== keyBytes || signature.length !== signatureBytes) return false;
    const name = toName(publicKey, signature, message);
    let holds = verified.get(name);
    if (holds === undefined) {
      holds = nodeCrypto.verify(publicKey, message, signature);
      if (verified.size >= maxKept) verified.clear();
      verified.set(name, holds);
    }
    return holds;
  },
  randomBytes: (sizeBytes) => Uint8Array.from({ length: sizeBytes }, () => Math.floor(random() * 256)),
});

const verified = new Map<string, boolean>();

const toName = (publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): string => {
  const all = new Uint8Array(keyBytes + signatureBytes + message.length);
  all.set(publicKey);
  all.set(signature, keyBytes);
  all.set(message, keyBytes + signatureBytes);
  return toHex(nodeCrypto.sha256(all));
};
