/**
 * Guest passes: what an admin signs to let strangers use certain Things for a while, with no record and no membership.
 * Relies on the codec and on the scope of permissions; who is an admin is asked of the authority, the time is passed in.
 */
import * as v from 'valibot';
import { toHex } from '../core/bytes.ts';
import { decode, encode } from '../core/codec.ts';
import { type Crypto, type Signer, signedBytes } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { Authority } from './authority.ts';
import { type GrantScope, type ScopeOperation, type ScopeTime, scopeOperations } from './scope.ts';
import { bytesOf, timeMs } from './statement-parts.ts';
import { maxPermitBytes } from './ticket.ts';

/** What a pass says. */
export interface PassTerms {
  /** The pass's public key, 32 bytes: who has its seed may present it. */
  readonly key: Uint8Array;
  /** Ids of Things, 1 to 16. */
  readonly things: readonly string[];
  readonly operations: readonly ScopeOperation[];
  /** Names of properties, actions and events; null for all of them. */
  readonly affordances: readonly string[] | null;
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** How many keys may present it at each device, the first that do. */
  readonly uses: number;
  /** What people read: what is shared, and by whom. */
  readonly title: string;
}

/** A pass whose signature holds; whether its issuer may issue any is another question. */
export interface Pass extends PassTerms {
  /** Its key in the form of a peer id. */
  readonly id: PeerId;
  readonly issuer: PeerId;
  readonly scope: GrantScope;
}

/** Things of one pass at most. */
export const maxPassThings = 16;
/** Keys that one pass admits at most. */
export const maxPassUses = 100;
const signatureSize = 64;

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const list = <Item extends v.GenericSchema>(item: Item, max: number) =>
  v.pipe(v.array(item), v.minLength(1), v.maxLength(max));

const bodySchema = v.looseTuple([
  v.literal(1),
  bytesOf(32),
  bytesOf(32),
  list(text(256), maxPassThings),
  list(v.picklist(scopeOperations), scopeOperations.length),
  v.nullable(list(text(256), 64)),
  timeMs,
  v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(maxPassUses)),
  text(256),
]);

/**
 * A signed pass: signature (64 bytes) || CBOR [1, issuer, key, things, operations, affordances, expires, uses, title].
 * Throws `bad-input` where it gets larger than a ticket carries.
 */
export const signPass = (terms: PassTerms, issuer: Signer, fabric: Uint8Array): Uint8Array => {
  const { key, things, operations, affordances, expires, uses, title } = terms;
  const body = encode([1, issuer.publicKey, key, things, operations, affordances, expires, uses, title]);
  if (signatureSize + body.length > maxPermitBytes)
    throw new AlthingError('bad-input', 'That is too much for one pass: share fewer Things or affordances.');
  const signature = issuer.sign(signedBytes('pass', fabric, body));
  const pass = new Uint8Array(signatureSize + body.length);
  pass.set(signature);
  pass.set(body, signatureSize);
  return pass;
};

/** Reads a pass and verifies its issuer's signature. Throws `ticket-invalid`. */
export const openPass = (raw: Uint8Array, fabric: Uint8Array, crypto: Crypto): Pass => {
  if (raw.length <= signatureSize || raw.length > maxPermitBytes) throw malformed('it has the wrong size');
  const body = raw.subarray(signatureSize);
  const parsed = v.safeParse(bodySchema, decode(body, 'ticket-invalid'));
  if (!parsed.success) throw malformed(parsed.issues[0].message);
  const [, issuer, key, things, operations, affordances, expires, uses, title] = parsed.output;
  if (!crypto.verify(issuer, signedBytes('pass', fabric, body), raw.subarray(0, signatureSize)))
    throw malformed('its signature does not hold');
  return {
    key,
    id: peerIdOf(key),
    issuer: peerIdOf(issuer),
    things,
    operations,
    affordances,
    expires,
    uses,
    title,
    scope: { things: { kind: 'ids', ids: things }, operations, affordances, notBefore: null, expires },
  };
};

const malformed = (why: string): AlthingError =>
  new AlthingError('ticket-invalid', `The guest pass is forged or damaged: ${why}.`);

/**
 * Whether a pass is good now, by what this peer knows of its fabric. Throws `pass-ended`, `ticket-invalid` where its
 * issuer is no admin, `pass-expired`, `clock-unknown`.
 */
export const judgePass = (
  pass: Pass,
  authority: Pick<Authority, 'admins' | 'endedPasses'>,
  time: ScopeTime,
): void => {
  if (authority.endedPasses.has(toHex(pass.key)))
    throw new AlthingError('pass-ended', `An admin has ended the guest pass "${pass.title}".`);
  if (!authority.admins.has(pass.issuer))
    throw new AlthingError(
      'ticket-invalid',
      `The guest pass "${pass.title}" is signed by ${pass.issuer}, who is no admin of this fabric.`,
    );
  if (!time.known)
    throw new AlthingError(
      'clock-unknown',
      'This device does not know the time, so it takes no guest passes until it does.',
    );
  if (time.ms >= pass.expires)
    throw new AlthingError(
      'pass-expired',
      `The guest pass "${pass.title}" ended at ${new Date(pass.expires).toISOString()}.`,
    );
};

/**
 * What the pass's key signs to show that the one who presents it holds its seed: CBOR ["present", pass key, presenter].
 * The presenter is the key that TLS proves, so that whoever sees this can do nothing with it.
 */
export const presentationBytes = (fabric: Uint8Array, pass: Uint8Array, presenter: Uint8Array): Uint8Array =>
  signedBytes('pass', fabric, encode(['present', pass, presenter]));
