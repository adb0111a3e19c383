/**
 * The statements that make up a fabric's membership: the values of control records, and their schemas.
 * Relies on valibot; the signed record around a statement is the replica's.
 */
import * as v from 'valibot';
import { encode } from '../core/codec.ts';
import type { Crypto } from '../core/crypto.ts';
import { signedBytes } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';

/** The collections whose records are control records. */
export const controlCollections: ReadonlySet<string> = new Set([
  'member',
  'grant',
  'restriction',
  'revocation',
  'replacement',
  'adminset',
]);

const bytesOf = (sizeBytes: number) =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((bytes) => bytes.length === sizeBytes, `must have ${sizeBytes} bytes`),
  );

/** Hash of the author's previous control record, null for the first. */
const prev = v.nullable(bytesOf(32));

const inviteSchema = v.object({
  type: v.literal('invite'),
  prev,
  invite: bytesOf(32),
  role: v.picklist(['member', 'guest']),
  uses: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(10_000)),
  expires: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

const admissionSchema = v.object({
  type: v.literal('admission'),
  prev,
  invite: bytesOf(32),
  joiner: bytesOf(32),
  proof: bytesOf(64),
});

const confirmationSchema = v.object({
  type: v.literal('confirmation'),
  prev,
  admission: bytesOf(32),
});

const memberSchema = v.variant('type', [inviteSchema, admissionSchema, confirmationSchema]);

/** An admin's permission to join: `invite` is the invite's public key, `expires` milliseconds since 1970. */
export type Invite = v.InferOutput<typeof inviteSchema>;
/** A member's word that `joiner` proved the invite to it. */
export type Admission = v.InferOutput<typeof admissionSchema>;
/** An admin's word that an admission (by record hash) stands for good. */
export type Confirmation = v.InferOutput<typeof confirmationSchema>;
export type MemberStatement = Invite | Admission | Confirmation;

/** A statement with who made it, when by his clock, and the hash that names it. */
export interface ControlRecord {
  /** SHA-256 of the record's bytes, hexadecimal. */
  readonly hash: string;
  readonly authorId: PeerId;
  readonly collection: string;
  readonly hlc: number;
  /** Null where the collection or type is newer than this version: kept and relayed, without effect. */
  readonly statement: MemberStatement | null;
}

/** The statement in a control record's value; null where this version does not know it or it is malformed. */
export const parseStatement = (collection: string, value: unknown): MemberStatement | null => {
  if (collection !== 'member') return null;
  const parsed = v.safeParse(memberSchema, value);
  return parsed.success ? parsed.output : null;
};

/** What an invite's private key signs to let a joiner in: CBOR [invite public key, joiner's public key]. */
export const joinProofBytes = (fabric: Uint8Array, invite: Uint8Array, joiner: Uint8Array): Uint8Array =>
  signedBytes('join', fabric, encode([invite, joiner]));

/** Whether an admission's or a joiner's proof holds. */
export const verifyJoinProof = (
  fabric: Uint8Array,
  claim: { invite: Uint8Array; joiner: Uint8Array; proof: Uint8Array },
  crypto: Crypto,
): boolean => crypto.verify(claim.invite, joinProofBytes(fabric, claim.invite, claim.joiner), claim.proof);
