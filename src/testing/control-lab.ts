/**
 * Control records made by hand: statements of every kind by peers whose keys follow from small numbers.
 * Relies on real join proofs; the records' own signatures are left out, since computing authority never looks at them.
 */
import { fromHex, toHex } from '../core/bytes.ts';
import { stampMs, stampOf } from '../core/clock.ts';
import { encode } from '../core/codec.ts';
import type { Signer } from '../core/crypto.ts';
import { peerIdOf } from '../core/ids.ts';
import { type AdminSetContent, adminSetId, recoveryBytes } from '../fabric/admin-sets.ts';
import { type Admission, type ControlRecord, joinProofBytes, type Statement } from '../fabric/control.ts';
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

/** The key pair whose words the lab's founder wrote down. */
export const recoverySigner = (): Signer => signerOf(3, 0);

/** Where a record stands in its author's chain; a chain's first at its time by default. */
export interface Place {
  readonly prev?: ControlRecord | null;
  readonly epoch?: number;
  readonly seq?: number;
}

/** A record by peer `author`, stamped `atMs` after the founding. Equal arguments make equal records. */
export const controlRecord = (
  author: number,
  atMs: number,
  statement: object | null,
  place: Place = {},
): ControlRecord => {
  const hlc = stampOf(foundedMs + atMs);
  const { prev = null, epoch = 1, seq = prev ? prev.seq + 1 : atMs + 100 } = place;
  return {
    hash: toHex(nodeCrypto.sha256(encode([author, hlc, statement, epoch, seq, prev?.hash ?? null]))),
    authorId: peerId(author),
    epoch,
    seq,
    hlc,
    prev: prev?.hash ?? null,
    statement: statement as Statement | null,
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
export const confirmationRecord = (
  author: number,
  admission: ControlRecord,
  how: { atMs?: number; role?: 'member' | 'guest' } & Place = {},
): ControlRecord => {
  const { atMs = 2, role = 'member', ...place } = how;
  const { invite, joiner } = admission.statement as Admission;
  const admitted = stampMs(admission.hlc);
  return controlRecord(
    author,
    atMs,
    { type: 'confirmation', prev: null, invite, joiner, role, admitted },
    place,
  );
};

/** Peer `author` makes peer `peer` a member without more ado, as confirming an admission does. */
export const memberRecord = (
  author: number,
  peer: number,
  how: { atMs?: number } & Place = {},
): ControlRecord => confirmationRecord(author, admissionRecord(author, 900 + peer, peer), how);

/** Peer `author` ends the membership of peer `peer`; its own where they are the same. */
export const revocationRecord = (
  author: number,
  peer: number,
  how: { atMs?: number } & Place = {},
): ControlRecord =>
  controlRecord(
    author,
    how.atMs ?? 10,
    { type: 'revocation', prev: null, what: 'peer', key: peerSigner(peer).publicKey },
    how,
  );

/** A set of admins: who is in it, who is cut where, who comes back. */
export interface SetTerms {
  readonly previous?: string;
  readonly admins: readonly number[];
  readonly removed?: readonly { peer: number; head: ControlRecord | null; out?: boolean }[];
  readonly returned?: readonly { peer: number; head: ControlRecord | null }[];
}

const contentOf = ({ previous, admins, removed = [], returned = [] }: SetTerms): AdminSetContent => {
  const hashOf = (head: ControlRecord | null) => (head === null ? null : fromHex(head.hash));
  return {
    previous: previous === undefined ? labFabric.id : fromHex(previous),
    admins: admins.map((peer) => peerSigner(peer).publicKey),
    removed: removed.map(({ peer, head, out = false }) => ({
      peer: peerSigner(peer).publicKey,
      head: hashOf(head),
      out,
    })),
    returned: returned.map(({ peer, head }) => ({ peer: peerSigner(peer).publicKey, head: hashOf(head) })),
  };
};

/** The id of such a set. */
export const setIdOf = (terms: SetTerms): string => adminSetId(contentOf(terms), nodeCrypto);

/** Peer `author` proposes a set of admins, with the recovery key's signature where asked. */
export const proposalRecord = (
  author: number,
  terms: SetTerms,
  how: { atMs?: number; recover?: boolean } & Place = {},
): ControlRecord => {
  const content = contentOf(terms);
  const recovery = how.recover ? recoverySigner().sign(recoveryBytes(labFabric, content)) : null;
  return controlRecord(author, how.atMs ?? 5, { type: 'proposal', prev: null, ...content, recovery }, how);
};

/** Peer `author` is for a set of admins. */
export const approvalRecord = (
  author: number,
  terms: SetTerms,
  how: { atMs?: number } & Place = {},
): ControlRecord =>
  controlRecord(author, how.atMs ?? 6, { type: 'approval', prev: null, set: fromHex(setIdOf(terms)) }, how);
