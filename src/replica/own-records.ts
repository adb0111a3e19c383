/**
 * Drafts made into signed records of this peer: each at its place, stamped, the control records chained.
 * Relies on the replica for places and for the quota; nothing is kept here.
 */
import { fromHex } from '../core/bytes.ts';
import type { HybridClock } from '../core/clock.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { parseStatement } from '../fabric/control.ts';
import { subjectOf } from '../fabric/last-words.ts';
import type { Draft } from './draft.ts';
import type { Allowance } from './quotas.ts';
import { openRecord, type Position, type SignedRecord, signRecord } from './record.ts';
import type { RecordStream } from './record-store.ts';

/** What signing needs. */
export interface SigningOptions {
  readonly stream: RecordStream;
  readonly signer: Signer;
  readonly crypto: Crypto;
  readonly clock: HybridClock;
  readonly fabric: Uint8Array;
  /** The stamps of the latest words about subjects of which the latest counts. */
  readonly lastWords: ReadonlyMap<string, number>;
  /** Where the first, the second... of the drafts stands; counted from 0. */
  readonly placeOf: (at: number) => Position;
  /** Hash of the last control record held, hexadecimal. */
  readonly prev: string | null;
  readonly allowance: Allowance;
}

/**
 * Signs drafts of one stream. Throws `value-too-large`, `too-many` beyond this peer's quota, and `forbidden` where
 * somebody stamped his word so that no stamp is left above it.
 */
export const signDrafts = (drafts: readonly Draft[], options: SigningOptions): SignedRecord[] => {
  const { stream, signer, crypto, fabric, allowance } = options;
  let { prev } = options;
  const stamp = stamping(options);
  return drafts.map(({ collection, key, value, deleted = false }, at) => {
    const content = stream === 'control' ? { ...(value as object), prev: prev && fromHex(prev) } : value;
    const raw = signRecord(
      {
        collection,
        key,
        author: signer.publicKey,
        ...options.placeOf(at),
        hlc: stamp(collection, content),
        deleted,
        value: content,
      },
      fabric,
      signer,
    );
    const record = openRecord(raw, fabric, crypto, { trusted: true });
    if (!allowance.take(record))
      throw new AlthingError(
        'too-many',
        `This peer has as many ${stream} records as one peer may have: expose or keep less.`,
      );
    prev = record.hash;
    return record;
  });
};

/**
 * Stamps by the clock; a word above the latest one about its subject, or an admin whose clock was years ahead could never
 * be overridden. The clock itself stays where it is.
 */
const stamping = ({
  stream,
  clock,
  lastWords,
}: SigningOptions): ((collection: string, value: unknown) => number) => {
  const said = new Map<string, number>();
  return (collection, value) => {
    const hlc = clock.next();
    const subject = stream === 'control' ? subjectOf(parseStatement(collection, value)) : undefined;
    if (subject === undefined) return hlc;
    const above = Math.max(hlc, (said.get(subject) ?? lastWords.get(subject) ?? 0) + 1);
    if (!Number.isSafeInteger(above))
      throw new AlthingError(
        'forbidden',
        `An admin said of ${subject} what no later word can override: remove that admin at a record before it (--before).`,
      );
    said.set(subject, above);
    return above;
  };
};
