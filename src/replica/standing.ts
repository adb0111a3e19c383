/**
 * What of the records held counts now, whose are taken in, and what is to be dropped: authority and proofs of fraud.
 * Relies on the holdings; authority is computed when it is asked for, so that many control records cost it once.
 */
import type { Crypto } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';
import type { Authority, computeAuthority } from '../fabric/authority.ts';
import type { Fabric } from '../fabric/genesis.ts';
import type { AuthorLog } from './author-log.ts';
import { isHeld, mayWrite } from './data-rights.ts';
import type { FraudProofs } from './fraud-proofs.ts';
import type { Holdings } from './holdings.ts';
import { wasAdmin } from './quotas.ts';
import type { Position, SignedRecord } from './record.ts';
import type { RecordStream } from './record-store.ts';

export interface StandingOptions {
  readonly self: PeerId;
  readonly fabric: Fabric;
  readonly crypto: Crypto;
  readonly holdings: Holdings;
  readonly frauds: FraudProofs;
  /** How authority is computed. */
  readonly compute: typeof computeAuthority;
}

/** The authors' standing, by all that is held. */
export class Standing {
  readonly #options: StandingOptions;
  #authority: Authority;
  #isStale = false;

  constructor(options: StandingOptions) {
    this.#options = options;
    this.#authority = this.#compute();
  }

  /** Control records or proofs have come. */
  changed(): void {
    this.#isStale = true;
  }

  /** Who belongs, by the control records held now. */
  get authority(): Authority {
    if (this.#isStale) {
      this.#isStale = false;
      this.#authority = this.#compute();
    }
    return this.#authority;
  }

  /** Whether records of this author in this stream are taken in. */
  takes(stream: RecordStream, author: PeerId): boolean {
    if (stream === 'data' && this.#options.frauds.has(author)) return false;
    // By what was known a moment ago is good enough for a yes: what is kept too much is dropped when that is noticed.
    return (
      isHeld(stream, author, this.#authority) || (this.#isStale && isHeld(stream, author, this.authority))
    );
  }

  /** Whether a record at this position is void. Of one who ever was an admin no control record is. */
  voids(stream: RecordStream, author: PeerId, position: Position): boolean {
    if (!this.#options.frauds.voids(stream, author, position)) return false;
    return stream === 'data' || !wasAdmin(author, this.authority);
  }

  /** Whether others are told of this log. One's own records are even before one knows of one's own admission. */
  isTold({ stream, authorId, last }: AuthorLog): boolean {
    if (!last) return false;
    if (this.takes(stream, authorId)) return true;
    const { self, frauds } = this.#options;
    return authorId === self && !this.authority.gone.has(authorId) && !frauds.has(authorId);
  }

  /** The record that counts of those for one key; none where that one is a tombstone. */
  winner(slots: Iterable<SignedRecord>): SignedRecord | undefined {
    const best = this.greatest(slots);
    return best?.deleted ? undefined : best;
  }

  /** The greatest (clock, author) among the entitled ones, tombstones included. */
  greatest(slots: Iterable<SignedRecord>): SignedRecord | undefined {
    let best: SignedRecord | undefined;
    for (const record of slots) {
      if (best && (record.hlc - best.hlc || (record.authorId > best.authorId ? 1 : -1)) < 0) continue;
      if (!this.#options.frauds.has(record.authorId) && mayWrite(record, this.authority)) best = record;
    }
    return best;
  }

  /** What is held and should not be: data of those who are entitled to none, control records that are void. */
  doomed(): [AuthorLog, readonly SignedRecord[]][] {
    const doomed: [AuthorLog, readonly SignedRecord[]][] = [];
    for (const log of this.#options.holdings.logs()) {
      const records = this.#doomedOf(log);
      if (records.length > 0) doomed.push([log, records]);
    }
    return doomed;
  }

  #doomedOf(log: AuthorLog): readonly SignedRecord[] {
    const { self, frauds } = this.#options;
    const { stream, authorId, live } = log;
    if (stream === 'control') {
      const cut = frauds.cuts.get(authorId);
      return cut && !wasAdmin(authorId, this.authority) ? log.since(cut) : [];
    }
    // One's own stay, though nobody reads them: who was put out by a thief may belong again, and then has said it all.
    return authorId === self || this.takes(stream, authorId) ? [] : live;
  }

  #compute(): Authority {
    const { fabric, holdings, crypto, frauds, compute } = this.#options;
    return compute(fabric, holdings.control, crypto, frauds.cuts);
  }
}
