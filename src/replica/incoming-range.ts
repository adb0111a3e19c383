/**
 * Records of one author as another peer sent them: what of them is new here, and why some of it is not taken in.
 * Relies on the author's log as it is; signatures are checked here, and nothing is changed.
 */
import { toHex } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { type AuthorLog, compareRecords, maxTwins } from './author-log.ts';
import { type FraudProof, proofOf } from './fraud-proofs.ts';
import type { Allowance } from './quotas.ts';
import { comparePositions, openRecord, type Position, type SignedRecord } from './record.ts';
import type { RecordStream } from './record-store.ts';

/** Every live record of one author in (from, to]. */
export interface IncomingRange {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly from: Position;
  readonly to: Position;
  readonly records: readonly Uint8Array[];
}

/**
 * What became of an incoming range: `behind` means that something before it is missing here, `gap` that a control
 * record names a predecessor that is not here, or not before it; nothing was kept then. After `ahead` (of the fabric's time),
 * `over-quota` and `void` (the author is proven fraudulent) what came before the first such record was kept.
 */
export type ReceiveOutcome =
  | 'applied'
  | 'known'
  | 'behind'
  | 'gap'
  | 'unauthorised'
  | 'ahead'
  | 'over-quota'
  | 'void';

/** Stamps further ahead of the fabric's time than this are not believed. */
export const maxAheadMs = 120_000;
/** Signatures checked before others get their turn: a few milliseconds. */
const verifyBatch = 16;

/** What verifying needs. */
export interface Verifier {
  readonly fabric: Uint8Array;
  readonly crypto: Crypto;
  readonly yieldTurn: () => Promise<void>;
  /** A record that is held already, by its hash: its signature was checked when it came. */
  readonly held: (hash: string) => SignedRecord | undefined;
  /** Does what would take long if it were done for all at once; called for each record. */
  readonly prepare: (record: SignedRecord) => void;
}

/**
 * Opens all records of a range. Throws `record-invalid` where one is malformed, badly signed or not what the range
 * claims.
 */
export const verifyRange = async (range: IncomingRange, verifier: Verifier): Promise<SignedRecord[]> => {
  const author = peerIdOf(range.author);
  const records: SignedRecord[] = [];
  let last: Position = range.from;
  for (const [at, raw] of range.records.entries()) {
    // The first, too, waits: the turn in which a range came has done its part.
    if (at % verifyBatch === 0) await verifier.yieldTurn();
    const record =
      verifier.held(toHex(verifier.crypto.sha256(raw))) ?? openRecord(raw, verifier.fabric, verifier.crypto);
    if (record.authorId !== author || record.stream !== range.stream)
      refuse(record, 'it is not of the author and stream that it was sent as');
    if (!isNext(record, last, records.at(-1)) || comparePositions(record, range.to) > 0)
      refuse(record, 'it stands outside the range that it was sent in');
    verifier.prepare(record);
    last = record;
    records.push(record);
  }
  if (comparePositions(last, range.to) !== 0)
    throw new AlthingError('record-invalid', 'A range of records did not reach the position it claimed.');
  return records;
};

/** Control records of one position follow on one another by their hashes. */
const isNext = (record: SignedRecord, last: Position, before: SignedRecord | undefined): boolean =>
  before && record.stream === 'control'
    ? compareRecords(before, record) < 0
    : comparePositions(last, record) < 0;

const refuse = (record: SignedRecord, why: string): never => {
  throw new AlthingError(
    'record-invalid',
    `The ${record.collection} record "${record.key}" by ${record.authorId} was refused: ${why}.`,
  );
};

/**
 * Which records of a range may be taken in: `next`, those after our position only; `all`, those before it as well,
 * since they are gone through from the beginning; `holes`, only those before it.
 */
export type Reach = 'next' | 'all' | 'holes';

/** By which rules a range is sifted. */
export interface Sieve {
  readonly self: PeerId;
  readonly reach: Reach;
  readonly allowance: Allowance;
  /** Whether what is too much is left where it is; else everything is taken, and the rest is made to fit afterwards. */
  readonly stopsAtQuota: boolean;
  /** Whether all records count that were signed for one position. */
  readonly keepsTwins: boolean;
  readonly fabricTimeMs: number;
  /** Whether the author's record at this position is void. */
  readonly voids: (position: Position) => boolean;
  /** Whether a proof that the author signed two records for this position would be kept. */
  readonly isNews: (position: Position) => boolean;
}

/** What of a range is to be added, and what stopped the rest. */
export interface Sifted {
  readonly records: readonly SignedRecord[];
  /** `gap`: a control record names a predecessor that is not here, and nothing is added. */
  readonly stoppedBy: 'gap' | 'ahead' | 'over-quota' | 'void' | undefined;
  /** The first record that was not added. */
  readonly stoppedAt: SignedRecord | undefined;
  /** These and those held are more than the author may have. */
  readonly isTooMuch: boolean;
  /** Shows that the author signed two records for one position, the first of which there was no proof. */
  readonly fraud: FraudProof | undefined;
}

/** Goes through the records of a range, oldest first, up to the first that may not be added. */
export const sift = (opened: readonly SignedRecord[], log: AuthorLog, sieve: Sieve): Sifted => {
  const records: SignedRecord[] = [];
  const byHash = new Map<string, SignedRecord>();
  let fraud: FraudProof | undefined;
  let isTooMuch = false;
  for (const record of opened) {
    const stop = (stoppedBy: Sifted['stoppedBy'], keep = records): Sifted => ({
      records: keep,
      stoppedBy,
      stoppedAt: record,
      isTooMuch,
      fraud,
    });
    if (sieve.voids(record)) return stop('void');
    const isKnownGround = comparePositions(record, log.position) <= 0;
    if (log.named(record.hash)) continue;
    const rivals = [
      ...log.at(record),
      ...records.slice(-1).filter((one) => comparePositions(one, record) === 0),
    ];
    if (rivals[0] && !fraud && sieve.isNews(record)) fraud = proofOf(rivals[0], record);
    if (rivals.length > 0 && !(sieve.keepsTwins && rivals.length < maxTwins)) continue;
    if (!isWithin(isKnownGround, sieve.reach)) continue;
    if (record.stream === 'control') {
      // Not the last one only: a peer restored from a backup goes on from what it still has.
      const { prev } = record;
      const before = prev === null ? null : (log.named(prev) ?? byHash.get(prev));
      // What follows on a later position could be taken in by those only who had that one already.
      if (before === undefined || (before && comparePositions(before, record) >= 0)) return stop('gap', []);
      byHash.set(record.hash, record);
    } else {
      if (isAhead(record, sieve)) return stop('ahead');
      const slot = log.inSlot(record);
      if (slot && comparePositions(slot, record) > 0) continue;
    }
    if (!sieve.allowance.take(record)) {
      if (sieve.stopsAtQuota) return stop('over-quota');
      isTooMuch = true;
    }
    records.push(record);
  }
  return { records, stoppedBy: undefined, stoppedAt: undefined, isTooMuch, fraud };
};

const isWithin = (isKnownGround: boolean, reach: Reach): boolean =>
  reach === 'all' || isKnownGround === (reach === 'holes');

/** Our own records are ours whatever they say of the time. */
const isAhead = (record: SignedRecord, { self, fabricTimeMs }: Sieve): boolean =>
  record.authorId !== self && stampMs(record.hlc) > fabricTimeMs + maxAheadMs;
