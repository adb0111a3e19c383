/**
 * Drafts made into signed records of this peer: each at its place, stamped, the control records chained.
 * Relies on the replica for places and for the quota; nothing is kept here.
 */
import { fromHex } from '../core/bytes.ts';
import type { HybridClock } from '../core/clock.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
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
  /** Where the first, the second... of the drafts stands; counted from 0. */
  readonly placeOf: (at: number) => Position;
  /** Hash of the last control record held, hexadecimal. */
  readonly prev: string | null;
  readonly allowance: Allowance;
}

/** Signs drafts of one stream. Throws `value-too-large`, and `too-many` beyond this peer's quota. */
export const signDrafts = (drafts: readonly Draft[], options: SigningOptions): SignedRecord[] => {
  const { stream, signer, crypto, clock, fabric, allowance } = options;
  let { prev } = options;
  return drafts.map(({ collection, key, value, deleted = false }, at) => {
    const raw = signRecord(
      {
        collection,
        key,
        author: signer.publicKey,
        ...options.placeOf(at),
        hlc: clock.next(),
        deleted,
        value: stream === 'control' ? { ...(value as object), prev: prev && fromHex(prev) } : value,
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
