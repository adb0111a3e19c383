/**
 * How much one author may have others keep: data slots and bytes, control records and bytes.
 * Relies on the author's log as it is; a range is measured record by record before it is taken in, and made to fit at last.
 */
import type { PeerId } from '../core/ids.ts';
import type { Authority } from '../fabric/authority.ts';
import { type AuthorLog, slotOf } from './author-log.ts';
import { comparePositions, type SignedRecord } from './record.ts';

interface Quota {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** What one author may have others keep. */
export interface Quotas {
  readonly data: Quota;
  readonly control: Quota;
  /** Of those who are or once were admins: they confirm, grant and revoke for all. */
  readonly adminsControl: Quota;
}

const mebibyte = 1024 * 1024;
/** The protocol's: docs/protocol.md, "Whose records are held". */
export const protocolQuotas: Quotas = {
  data: { maxRecords: 40_000, maxBytes: 128 * mebibyte },
  control: { maxRecords: 2000, maxBytes: 4 * mebibyte },
  adminsControl: { maxRecords: 50_000, maxBytes: 64 * mebibyte },
};

/** Whether an author is or once was an admin. */
export const wasAdmin = (author: PeerId, authority: Authority): boolean =>
  authority.adminSets.path.some(({ admins }) => admins.includes(author));

/** What is left of an author's quota while records are added to its log. */
export class Allowance {
  readonly #log: AuthorLog;
  readonly #quotas: Quotas;
  readonly #isAdmin: () => boolean;
  /** Sizes of the records that take a slot in this range. */
  readonly #taken = new Map<string, number>();
  #records: number;
  #sizeBytes: number;

  /** @param isAdmin asked where it makes a difference: whether the author is or was an admin */
  constructor(log: AuthorLog, quotas: Quotas, isAdmin: () => boolean) {
    this.#log = log;
    this.#quotas = quotas;
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
    const { data, control, adminsControl } = this.#quotas;
    if (!this.#fits(isData ? data : control, moreRecords, moreBytes)) {
      if (isData || !this.#fits(adminsControl, moreRecords, moreBytes) || !this.#isAdmin()) return false;
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

/** What of an author's records stays where they are more than it may have. */
export interface Fitting {
  readonly records: ReadonlySet<SignedRecord>;
  /** The first record that does not fit. */
  readonly bound: SignedRecord | undefined;
}

/**
 * Which of a log's records and of these more stay where they are too many: of data the newest, of control, where others
 * build on what is old, the oldest, up to the first that is too much. So all peers that have met end up with the same.
 */
export const fitting = (log: AuthorLog, more: readonly SignedRecord[], quotas: Quotas): Fitting => {
  const isData = log.stream === 'data';
  const bySlot = new Map<string, SignedRecord>();
  for (const record of [...log.live, ...more]) bySlot.set(isData ? slotOf(record) : record.hash, record);
  const sorted = [...bySlot.values()].sort(comparePositions);
  if (isData) sorted.reverse();
  const { maxRecords, maxBytes } = isData ? quotas.data : quotas.control;
  const records = new Set<SignedRecord>();
  let sizeBytes = 0;
  for (const record of sorted) {
    sizeBytes += record.raw.length;
    if (records.size >= maxRecords || sizeBytes > maxBytes) return { records, bound: record };
    records.add(record);
  }
  return { records, bound: undefined };
};
