/**
 * A vector in short: one digest for each of 64 groups of authors, so that equal replicas find out for about 1 KiB.
 * Relies on SHA-256 passed in; authors are grouped by their keys, so that both sides group them alike.
 */
import { compareBytes, concat } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import type { VectorEntry } from './replica.ts';

/** Groups of authors: enough that one change in a fabric of thousands tells again of some tens of authors only. */
export const summaryGroups = 64;
/** Bytes of a group's digest. */
export const groupDigestBytes = 16;

/** The digest of each group, null where there is nothing in it. */
export type VectorSummary = readonly (Uint8Array | null)[];

/** The group of an author: the low six bits of its key's first byte. */
export const groupOf = (author: Uint8Array): number => author[0]! % summaryGroups;

const entryBytes = 1 + 32 + 8 + 8 + 32;

/** One entry: stream (0 control, 1 data), author, epoch and seq in 8 bytes each, digest. */
const bytesOf = ({ stream, author, epoch, seq, digest }: VectorEntry): Uint8Array => {
  const bytes = new Uint8Array(entryBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = stream === 'control' ? 0 : 1;
  bytes.set(author, 1);
  view.setBigUint64(33, BigInt(epoch));
  view.setBigUint64(41, BigInt(seq));
  bytes.set(digest, 49);
  return bytes;
};

/** The first 16 bytes of the SHA-256 over each group's entries, in the order of their bytes. */
export const summarise = (entries: Iterable<VectorEntry>, crypto: Crypto): VectorSummary => {
  const groups: Uint8Array[][] = Array.from({ length: summaryGroups }, () => []);
  for (const entry of entries) if (entry.epoch > 0) groups[groupOf(entry.author)]!.push(bytesOf(entry));
  return groups.map((group) =>
    group.length === 0
      ? null
      : crypto.sha256(concat(...group.sort(compareBytes))).subarray(0, groupDigestBytes),
  );
};
