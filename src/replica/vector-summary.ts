/**
 * A replica in short: one digest for each of 64 groups of authors, so that equal replicas find out for about 1 KiB.
 * Relies on its owner to say what has changed; authors are grouped by their keys, so that both sides group them alike.
 */
import { compareBytes, concat, equalBytes } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import type { FraudEntry } from './fraud-proofs.ts';
import type { Replica, VectorEntry } from './replica.ts';

/** Groups of authors: enough that one change in a fabric of thousands tells again of some tens of authors only. */
export const summaryGroups = 64;
/** Bytes of a group's digest. */
export const groupDigestBytes = 16;

/** The digest of each group, null where there is nothing in it. */
export type VectorSummary = readonly (Uint8Array | null)[];

/** The group of an author: the low six bits of its key's first byte. */
export const groupOf = (author: Uint8Array): number => author[0]! % summaryGroups;

/** Groups in which two summaries differ. */
export const differingGroups = (mine: VectorSummary, theirs: VectorSummary): Set<number> => {
  const found = new Set<number>();
  for (let group = 0; group < summaryGroups; group++) {
    const [a, b] = [mine[group] ?? null, theirs[group] ?? null];
    if (a && b ? !equalBytes(a, b) : a !== b) found.add(group);
  }
  return found;
};

const entryBytes = 1 + 32 + 8 + 8 + 32;

/** An entry: what it is (1 byte), author, epoch and seq in 8 bytes each, digest. */
const packed = (
  what: number,
  author: Uint8Array,
  epoch: number,
  seq: number,
  digest?: Uint8Array,
): Uint8Array => {
  const bytes = new Uint8Array(entryBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = what;
  bytes.set(author, 1);
  view.setBigUint64(33, BigInt(epoch));
  view.setBigUint64(41, BigInt(seq));
  if (digest) bytes.set(digest, 49);
  return bytes;
};

/** Where an author stands: 0 for control, 1 for data. */
const bytesOf = ({ stream, author, epoch, seq, digest }: VectorEntry): Uint8Array =>
  packed(stream === 'control' ? 0 : 1, author, epoch, seq, digest);

/** A proof of fraud: 2 for control, 3 for data, any of which is as good as another, so that its position is left out. */
const bytesOfFraud = ({ stream, author, epoch, seq }: FraudEntry): Uint8Array =>
  stream === 'control' ? packed(2, author, epoch, seq) : packed(3, author, 0, 0);

/** The first 16 bytes of the SHA-256 over a group's entries, in the order of their bytes. */
const digestOf = (entries: readonly Uint8Array[], crypto: Crypto): Uint8Array | null =>
  entries.length === 0
    ? null
    : crypto.sha256(concat(...[...entries].sort(compareBytes))).subarray(0, groupDigestBytes);

/** The summary of one replica, group by group computed anew when it is asked for after a change. */
export class ReplicaSummary {
  readonly #replica: Replica;
  readonly #crypto: Crypto;
  #groups: VectorSummary = Array.from({ length: summaryGroups }, () => null);
  readonly #stale = new Set<number>();

  constructor(replica: Replica, crypto: Crypto) {
    this.#replica = replica;
    this.#crypto = crypto;
    this.changed();
  }

  /** Records of this author have come; without one, of anybody come and gone. */
  changed(author?: Uint8Array): void {
    if (author) this.#stale.add(groupOf(author));
    else for (let group = 0; group < summaryGroups; group++) this.#stale.add(group);
  }

  get(): VectorSummary {
    if (this.#stale.size === 0) return this.#groups;
    const isStale = (author: Uint8Array): boolean => this.#stale.has(groupOf(author));
    const entries = new Map([...this.#stale].map((group) => [group, [] as Uint8Array[]]));
    for (const entry of this.#replica.vector(isStale))
      entries.get(groupOf(entry.author))!.push(bytesOf(entry));
    for (const entry of this.#replica.fraudEntries())
      entries.get(groupOf(entry.author))?.push(bytesOfFraud(entry));
    this.#groups = this.#groups.map((digest, group) => {
      const changed = entries.get(group);
      return changed ? digestOf(changed, this.#crypto) : digest;
    });
    this.#stale.clear();
    return this.#groups;
  }
}
