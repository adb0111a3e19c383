/**
 * How much one author may have others keep: data slots and bytes, control records and bytes.
 * Relies on the author's log as it is; a range is measured record by record before it is taken in.
 */
import type { PeerId } from '../core/ids.ts';
import type { Authority } from '../fabric/authority.ts';
import { type AuthorLog, slotOf } from './author-log.ts';
import type { SignedRecord } from './record.ts';

interface Quota {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

const mebibyte = 1024 * 1024;
const ofData: Quota = { maxRecords: 40_000, maxBytes: 128 * mebibyte };
const ofControl: Quota = { maxRecords: 2000, maxBytes: 4 * mebibyte };
/** Admins confirm, grant and revoke for all. */
const ofAdminsControl: Quota = { maxRecords: 50_000, maxBytes: 64 * mebibyte };

/** Whether an author is or once was an admin. */
export const wasAdmin = (author: PeerId, authority: Authority): boolean =>
  authority.adminSets.path.some(({ admins }) => admins.includes(author));

/** What is left of an author's quota while records are added to its log. */
export class Allowance {
  readonly #log: AuthorLog;
  readonly #isAdmin: () => boolean;
  /** Sizes of the records that take a slot in this range. */
  readonly #taken = new Map<string, number>();
  #records: number;
  #sizeBytes: number;

  /** @param isAdmin asked where it makes a difference: whether the author is or was an admin */
  constructor(log: AuthorLog, isAdmin: () => boolean) {
    this.#log = log;
    this.#isAdmin = isAdmin;
    this.#records = log.live.length;
    this.#sizeBytes = log.sizeBytes;
  }

  /** Counts a record in; false, and nothing counted, where it is too much. */
  take(record: SignedRecord): boolean {
    const slot = slotOf(record);
    const isData = record.stream === 'data';
    const replaced = isData ? (this.#taken.get(slot) ?? this.#log.inSlot(record)?.raw.length) : undefined;
    const moreRecords = replaced === undefined ? 1 : 0;
    const moreBytes = record.raw.length - (replaced ?? 0);
    if (!this.#fits(isData ? ofData : ofControl, moreRecords, moreBytes)) {
      if (isData || !this.#fits(ofAdminsControl, moreRecords, moreBytes) || !this.#isAdmin()) return false;
    }
    this.#records += moreRecords;
    this.#sizeBytes += moreBytes;
    if (isData) this.#taken.set(slot, record.raw.length);
    return true;
  }

  /** What makes a log no larger is never too much. */
  #fits({ maxRecords, maxBytes }: Quota, moreRecords: number, moreBytes: number): boolean {
    if (moreRecords > 0 && this.#records + moreRecords > maxRecords) return false;
    return moreBytes <= 0 || this.#sizeBytes + moreBytes <= maxBytes;
  }
}
