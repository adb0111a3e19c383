/**
 * What peers say to one another about records, and one session as those who say it see it.
 * Relies on `net/sync-frames.ts` for the form on the wire.
 */
import type { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { FraudEntry } from './fraud-proofs.ts';
import type { IncomingRange } from './incoming-range.ts';
import type { Position } from './record.ts';
import type { RecordStream } from './record-store.ts';
import type { VectorEntry } from './replica.ts';
import type { VectorSummary } from './vector-summary.ts';

interface OfAuthor {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
}

/** Where authors stand. */
export interface VectorMessage {
  readonly kind: 'vector';
  readonly entries: readonly VectorEntry[];
}

/** Asks for an author's live records after a position. */
export interface WantMessage extends OfAuthor {
  readonly kind: 'want';
  readonly from: Position;
}

/** Records of one author. */
export interface RecordsMessage extends IncomingRange {
  readonly kind: 'records';
  /** Of an author's own news: the first bytes of the keys of all that it told at the same time, one after the other. */
  readonly told?: Uint8Array;
}

/** All that this side holds, in short. */
export interface SummaryMessage {
  readonly kind: 'summary';
  readonly groups: VectorSummary;
}

/** Asks for the hashes of an author's live records after a position. */
export interface WantHashesMessage extends OfAuthor {
  readonly kind: 'want-hashes';
  readonly from: Position;
}

/** Hashes of every live record of one author in (from, to], in the order of positions, one after the other. */
export interface HashesMessage extends OfAuthor {
  readonly kind: 'hashes';
  readonly from: Position;
  readonly to: Position;
  readonly hashes: Uint8Array;
}

/** Asks for records by their hashes; the answer is `records` from the origin. */
export interface WantNamedMessage extends OfAuthor {
  readonly kind: 'want-named';
  readonly hashes: Uint8Array;
}

/** Of whom this side can prove that they signed two records for one position. */
export interface FraudsMessage {
  readonly kind: 'frauds';
  readonly entries: readonly FraudEntry[];
}

/** Asks for a proof. */
export interface WantFraudMessage extends FraudEntry {
  readonly kind: 'want-fraud';
}

/** A proof: two raw records. */
export interface FraudMessage {
  readonly kind: 'fraud';
  readonly records: readonly [Uint8Array, Uint8Array];
}

/** What peers say to one another about records. */
export type SyncMessage =
  | VectorMessage
  | WantMessage
  | RecordsMessage
  | SummaryMessage
  | WantHashesMessage
  | HashesMessage
  | WantNamedMessage
  | FraudsMessage
  | WantFraudMessage
  | FraudMessage;

/** One session as reconciliation sees it. */
export interface SyncLink {
  readonly peer: PeerId;
  /** Queues a message; never throws. */
  send(message: SyncMessage): void;
  /** Ends the session: the other side broke the protocol. */
  fail(error: AlthingError): void;
}

/** Most entries in one vector message. */
export const maxVectorEntries = 2000;
/** Most records in one message: more than go in a chunk of them. */
export const maxRecords = 1500;
/** Most hashes in one message of hashes. */
export const maxHashes = 8192;
/** Most records asked for by their hashes at once. */
export const maxNamed = 64;
/** Most entries in one message about fraud. */
export const maxFraudEntries = 512;
/** First bytes of a key that stand for a peer in `told`. */
export const toldBytes = 6;
/** Most peers named in `told`. */
export const maxTold = 64;
