/**
 * The statements that make up a fabric's membership and permissions: the values of control records, and their schemas.
 * Relies on valibot; the signed record around a statement is the replica's.
 */
import * as v from 'valibot';
import { encode } from '../core/codec.ts';
import type { Crypto } from '../core/crypto.ts';
import { signedBytes } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';
import { scopeEntries } from './scope.ts';
import { bytesOf, timeMs } from './statement-parts.ts';

/** The collections whose records are control records. */
export const controlCollections: ReadonlySet<string> = new Set([
  'member',
  'grant',
  'restriction',
  'revocation',
  'replacement',
  'adminset',
]);

const key = bytesOf(32);
const hash = bytesOf(32);
/** Hash of the author's previous control record, null for the first. */
const prev = v.nullable(hash);
const memberRole = v.picklist(['member', 'guest']);
/** Most admins of a fabric, and most changes in one set. */
export const maxAdmins = 32;

const inviteSchema = v.object({
  type: v.literal('invite'),
  prev,
  invite: key,
  role: memberRole,
  uses: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(10_000)),
  expires: timeMs,
  replaces: v.optional(key),
});

const admissionSchema = v.object({
  type: v.literal('admission'),
  prev,
  invite: key,
  joiner: key,
  proof: bytesOf(64),
});

const confirmationSchema = v.object({
  type: v.literal('confirmation'),
  prev,
  invite: key,
  joiner: key,
  role: memberRole,
  admitted: timeMs,
});

const roleSchema = v.object({ type: v.literal('role'), prev, peer: key, role: memberRole });

const subjectSchema = v.variant('kind', [
  v.object({ kind: v.literal('peer'), peer: key }),
  v.object({ kind: v.literal('role'), role: memberRole }),
]);
const grantSchema = v.object({ type: v.literal('grant'), prev, subject: subjectSchema, ...scopeEntries });
const withdrawalSchema = v.object({ type: v.literal('withdrawal'), prev, grant: hash });

const restrictionSchema = v.object({
  type: v.literal('restriction'),
  prev,
  thing: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  restricted: v.boolean(),
});

const revocationSchema = v.object({
  type: v.literal('revocation'),
  prev,
  what: v.picklist(['peer', 'invite', 'pass']),
  key,
});

const replacementSchema = v.object({ type: v.literal('replacement'), prev, old: key, new: key });

const bounded = <Item extends v.GenericSchema>(item: Item, min = 0) =>
  v.pipe(v.array(item), v.minLength(min), v.maxLength(maxAdmins));
const proposalSchema = v.object({
  type: v.literal('proposal'),
  prev,
  previous: hash,
  admins: bounded(key, 1),
  removed: bounded(v.object({ peer: key, head: v.nullable(hash), out: v.boolean() })),
  returned: bounded(v.object({ peer: key, head: v.nullable(hash) })),
  recovery: v.nullable(bytesOf(64)),
});
const approvalSchema = v.object({ type: v.literal('approval'), prev, set: hash });

const schemas: Readonly<Record<string, v.GenericSchema<unknown, Statement>>> = {
  member: v.variant('type', [inviteSchema, admissionSchema, confirmationSchema, roleSchema]),
  grant: v.variant('type', [grantSchema, withdrawalSchema]),
  restriction: restrictionSchema,
  revocation: revocationSchema,
  replacement: replacementSchema,
  adminset: v.variant('type', [proposalSchema, approvalSchema]),
};

/**
 * An admin's permission to join: `invite` is the invite's public key, `expires` milliseconds since 1970. With `replaces`
 * whoever joins by it is to take the place of that peer, which an admin's peer sees to.
 */
export type Invite = v.InferOutput<typeof inviteSchema>;
/** A member's word that `joiner` proved the invite to it. */
export type Admission = v.InferOutput<typeof admissionSchema>;
/** An admin's word that `joiner` belongs for good, let in at `admitted` (milliseconds since 1970); needs nothing else. */
export type Confirmation = v.InferOutput<typeof confirmationSchema>;
/** An admin makes a member a guest, or a guest a member. */
export type RoleChange = v.InferOutput<typeof roleSchema>;
/** An admin lets a subject use Things within a scope. */
export type Grant = v.InferOutput<typeof grantSchema>;
/** An admin ends a grant, named by the hash of its record. */
export type Withdrawal = v.InferOutput<typeof withdrawalSchema>;
/** An admin says whether a Thing is for admins and grants only. */
export type Restriction = v.InferOutput<typeof restrictionSchema>;
/** An admin ends a peer's membership, an invite or a guest pass; a peer its own membership. */
export type Revocation = v.InferOutput<typeof revocationSchema>;
/** An admin puts the member `new` in the place of `old`, which is out from then on. */
export type Replacement = v.InferOutput<typeof replacementSchema>;
/** A new set of admins, which its author is for. `previous`: the id of the set that it follows. */
export type Proposal = v.InferOutput<typeof proposalSchema>;
/** An admin is for a set that somebody proposed. */
export type Approval = v.InferOutput<typeof approvalSchema>;

export type Statement =
  | Invite
  | Admission
  | Confirmation
  | RoleChange
  | Grant
  | Withdrawal
  | Restriction
  | Revocation
  | Replacement
  | Proposal
  | Approval;

/** A statement with who made it, when by his clock, and the hash that names it. */
export interface ControlRecord {
  /** SHA-256 of the record's bytes, hexadecimal. */
  readonly hash: string;
  readonly authorId: PeerId;
  readonly epoch: number;
  readonly seq: number;
  readonly hlc: number;
  /** Hash of the author's previous control record, hexadecimal; null for the first. */
  readonly prev: string | null;
  /** Null where the collection or type is newer than this version: kept and relayed, without effect. */
  readonly statement: Statement | null;
}

/** The statement in a control record's value; null where this version does not know it or it is malformed. */
export const parseStatement = (collection: string, value: unknown): Statement | null => {
  const schema = Object.hasOwn(schemas, collection) ? schemas[collection] : undefined;
  const parsed = schema && v.safeParse(schema, value);
  return parsed?.success ? parsed.output : null;
};

/** Earlier by the author's clock first, then by hash: an order on which all agree, whatever came first. */
export const recordOrder = (a: ControlRecord, b: ControlRecord): number =>
  a.hlc - b.hlc || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);

/** What an invite's private key signs to let a joiner in: CBOR [invite public key, joiner's public key]. */
export const joinProofBytes = (fabric: Uint8Array, invite: Uint8Array, joiner: Uint8Array): Uint8Array =>
  signedBytes('join', fabric, encode([invite, joiner]));

/** Whether an admission's or a joiner's proof holds. */
export const verifyJoinProof = (
  fabric: Uint8Array,
  claim: { invite: Uint8Array; joiner: Uint8Array; proof: Uint8Array },
  crypto: Crypto,
): boolean => crypto.verify(claim.invite, joinProofBytes(fabric, claim.invite, claim.joiner), claim.proof);
