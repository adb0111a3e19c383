/**
 * Control records made by hand: invites, admissions and confirmations of peers whose keys follow from small numbers.
 * Relies on real join proofs; the records' own signatures are left out, since computing authority never looks at them.
 */
import { fromHex, toHex } from '../core/bytes.ts';
import { stampOf } from '../core/clock.ts';
import { encode } from '../core/codec.ts';
import type { Signer } from '../core/crypto.ts';
import { peerIdOf } from '../core/ids.ts';
import { type ControlRecord, joinProofBytes, type MemberStatement } from '../fabric/control.ts';
import { createFabric, type Fabric } from '../fabric/genesis.ts';
import { nodeCrypto } from '../store/node-crypto.ts';

const signers = new Map<string, Signer>();

const signerOf = (kind: number, number: number): Signer => {
  const name = `${kind}/${number}`;
  const known = signers.get(name);
  if (known) return known;
  const seed = new Uint8Array(32).fill(kind);
  new DataView(seed.buffer).setUint32(0, number);
  const signer = nodeCrypto.signer(seed);
  signers.set(name, signer);
  return signer;
};

/** The key pair of peer number n; 0 founds the lab's fabric. */
export const peerSigner = (number: number): Signer => signerOf(1, number);
/** The key pair of invite number n. */
export const inviteSigner = (number: number): Signer => signerOf(2, number);
/** The id of peer number n. */
export const peerId = (number: number): string => peerIdOf(peerSigner(number).publicKey);

/** When the lab's fabric was founded, milliseconds since 1970. */
export const foundedMs = 1_800_000_000_000;

/** The fabric that peer 0 founded. */
export const labFabric: Fabric = createFabric(
  {
    name: 'Lab',
    founder: peerSigner(0).publicKey,
    recovery: signerOf(3, 0).publicKey,
    created: foundedMs,
  },
  nodeCrypto,
);

/** A record by peer `author`, stamped `atMs` after the founding. Equal arguments make equal records. */
export const controlRecord = (author: number, atMs: number, statement: object | null): ControlRecord => {
  const hlc = stampOf(foundedMs + atMs);
  return {
    hash: toHex(nodeCrypto.sha256(encode([author, hlc, statement]))),
    authorId: peerId(author),
    collection: 'member',
    hlc,
    statement: statement as MemberStatement | null,
  };
};

/** Invite number `invite`, by peer `author`. */
export const inviteRecord = (
  author: number,
  invite: number,
  terms: { atMs?: number; role?: 'member' | 'guest'; uses?: number; expiresMs?: number } = {},
): ControlRecord => {
  const { atMs = 0, role = 'member', uses = 1, expiresMs = 1_000_000 } = terms;
  const key = inviteSigner(invite).publicKey;
  const expires = foundedMs + expiresMs;
  return controlRecord(author, atMs, { type: 'invite', prev: null, invite: key, role, uses, expires });
};

const joinProofs = new Map<string, Uint8Array>();

/** What the holder of an invite signs to let peer `joiner` in. */
export const joinProof = (invite: number, joiner: number): Uint8Array => {
  const name = `${invite}/${joiner}`;
  let proof = joinProofs.get(name);
  if (!proof) {
    const signer = inviteSigner(invite);
    const bytes = joinProofBytes(labFabric.id, signer.publicKey, peerSigner(joiner).publicKey);
    proof = signer.sign(bytes);
    joinProofs.set(name, proof);
  }
  return proof;
};

/** Peer `author` lets `joiner` in by an invite. */
export const admissionRecord = (
  author: number,
  invite: number,
  joiner: number,
  how: { atMs?: number; proof?: Uint8Array } = {},
): ControlRecord =>
  controlRecord(author, how.atMs ?? 1, {
    type: 'admission',
    prev: null,
    invite: inviteSigner(invite).publicKey,
    joiner: peerSigner(joiner).publicKey,
    proof: how.proof ?? joinProof(invite, joiner),
  });

/** Peer `author` confirms an admission. */
export const confirmationRecord = (author: number, admission: ControlRecord, atMs = 2): ControlRecord =>
  controlRecord(author, atMs, { type: 'confirmation', prev: null, admission: fromHex(admission.hash) });
