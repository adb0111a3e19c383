/**
 * The few facts that a home cannot get back from others, in a small file beside the database: a lost one costs nothing.
 * Relies on `atomic-file.ts` for a file that is whole or absent, and on a checksum, so that damage is seen.
 */
import { hash } from 'node:crypto';
import * as v from 'valibot';
import { decode, encode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';
import { readSmallFile, writeFileAtomic } from './atomic-file.ts';

/** What a member must know to be one: its fabric, its proof, some way to the others, and where it stands itself. */
export interface MembershipFacts {
  /** The genesis, as it was hashed. */
  readonly genesis: Uint8Array;
  /** Raw control records that prove this peer; none for the founder. */
  readonly proof: readonly Uint8Array[];
  /** Where some members were reached, `host:port`, the likeliest first. */
  readonly addresses: readonly (readonly [peer: string, addresses: readonly string[]])[];
  /** The greatest epoch that this peer has opened, 0 for none: what it writes from now on stands above it. */
  readonly epoch: number;
  /** The greatest stamp of its clock at that time. */
  readonly clock: number;
}

/** A proof has a few control records of at most 16 KiB each: this is far above what is ever written. */
const maxFileBytes = 1024 * 1024;
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const factsSchema = v.tuple([
  v.instance(Uint8Array),
  v.pipe(v.array(v.instance(Uint8Array)), v.maxLength(64)),
  v.pipe(v.array(v.tuple([v.string(), v.pipe(v.array(v.string()), v.maxLength(16))])), v.maxLength(64)),
  count,
  count,
]);

const checksum = (body: Uint8Array): string => hash('sha256', body).slice(0, 16);

/** `althing-membership-1 <base64url of CBOR [genesis, proof, addresses, epoch, clock]> <8 bytes of its SHA-256, hex>`. */
export const formatMembershipFile = (facts: MembershipFacts): string => {
  const body = encode([facts.genesis, facts.proof, facts.addresses, facts.epoch, facts.clock]);
  return `althing-membership-1 ${Buffer.from(body).toString('base64url')} ${checksum(body)}\n`;
};

/** The facts out of `formatMembershipFile`'s line, or undefined for anything else. */
export const parseMembershipFile = (text: string): MembershipFacts | undefined => {
  const match = /^althing-membership-1 ([A-Za-z0-9_-]+) ([0-9a-f]{16})\s*$/.exec(text);
  const body = new Uint8Array(Buffer.from(match?.[1] ?? '', 'base64url'));
  if (!match || checksum(body) !== match[2]) return undefined;
  const parsed = v.safeParse(factsSchema, decode(body, 'store-corrupt'));
  if (!parsed.success) return undefined;
  const [genesis, proof, addresses, epoch, clock] = parsed.output;
  return { genesis, proof, addresses, epoch, clock };
};

/**
 * What the file says; undefined where there is none. The file is never changed.
 * Throws `store-corrupt` where it is damaged, `home-read-only`, `disk-failed`.
 */
export const readMembershipFile = async (path: string): Promise<MembershipFacts | undefined> => {
  const text = await readSmallFile(path, { maxBytes: maxFileBytes });
  if (text === undefined) return undefined;
  const facts = parseMembershipFile(text);
  if (facts) return facts;
  throw new AlthingError('store-corrupt', `${path} is damaged: it does not match its checksum.`);
};

/** Replaces the file, mode 0600; resolves when it is on disk. Throws `disk-full`, `home-read-only`, `disk-failed`. */
export const writeMembershipFile = async (path: string, facts: MembershipFacts): Promise<void> => {
  await writeFileAtomic(path, formatMembershipFile(facts), { mode: 0o600 });
};
