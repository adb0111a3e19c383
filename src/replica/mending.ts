/**
 * How records that differ at equal positions are made equal: all gone through where there are few, hashes first where
 * there are many. Relies on the reconciler for asking one thing at a time and for ending it.
 */
import { fromHex, toHex } from '../core/bytes.ts';
import { peerIdOf } from '../core/ids.ts';
import { type AuthorLog, compareRecords } from './author-log.ts';
import type { IncomingRange } from './incoming-range.ts';
import { comparePositions, origin, type SignedRecord } from './record.ts';
import type { Known, Mending } from './remote-side.ts';
import type { Replica } from './replica.ts';
import {
  type HashesMessage,
  maxHashes,
  maxNamed,
  type RecordsMessage,
  type WantHashesMessage,
  type WantMessage,
  type WantNamedMessage,
} from './sync-messages.ts';

/** Most bytes of records in one message: well under a frame, so that commands pass in between. */
export const chunkBytes = 128 * 1024;
/** With more bytes than go in one message, comparing hashes first costs less than sending everything. */
const minBytesByHashes = chunkBytes;
/** No author has more records than so many lists name; who tells of more is not believed. */
const maxLists = 16;
const hashBytes = 32;

/** The beginning of going through an author's records, of which `log` is here. */
export const begun = (log: AuthorLog | undefined): Mending => ({
  cursor: origin,
  // Several records of one position may be more than go in one message.
  byHashes: (log?.sizeBytes ?? 0) > minBytesByHashes || (log?.hasTwins ?? false),
  missing: [],
  reached: origin,
  lists: 0,
});

/** What is to be asked for next. */
export const askedNext = (
  mending: Mending,
  { stream, author }: Known,
): WantMessage | WantHashesMessage | WantNamedMessage => {
  if (mending.missing.length > 0) {
    const hashes = fromHex(mending.missing.slice(0, maxNamed).join(''));
    return { kind: 'want-named', stream, author, hashes };
  }
  return { kind: mending.byHashes ? 'want-hashes' : 'want', stream, author, from: mending.cursor };
};

/** A list of hashes has come: what of it is not here is missing. False where the other side makes fun of us. */
export const tookHashes = (mending: Mending, message: HashesMessage, log: AuthorLog): boolean => {
  mending.lists += 1;
  if (mending.lists > maxLists || comparePositions(message.to, message.from) <= 0) return false;
  for (const hash of cut(message.hashes)) if (!log.named(hash)) mending.missing.push(hash);
  mending.reached = message.to;
  if (mending.missing.length === 0) mending.cursor = message.to;
  return true;
};

/** Records have come and were taken in as far as they are to be. */
export const advance = (mending: Mending, range: IncomingRange, isByName: boolean): void => {
  if (!isByName) {
    mending.cursor = range.to;
    return;
  }
  // They come in the order in which they were asked for; some may have given way to newer ones meanwhile.
  mending.missing.splice(0, range.records.length);
  if (mending.missing.length === 0) mending.cursor = mending.reached;
};

/** The answer to a question for hashes; undefined where there are none. */
export const tellHashes = (replica: Replica, want: WantHashesMessage): HashesMessage | undefined => {
  const { stream, author, from } = want;
  const range = replica.log(stream, peerIdOf(author))?.next(from, maxHashes);
  if (!range) return undefined;
  const hashes = fromHex(range.records.map(({ hash }) => hash).join(''));
  return { kind: 'hashes', stream, author, from, to: range.to, hashes };
};

/** The answer to a question for records by their hashes: as many as go in one message; undefined where none is here. */
export const tellNamed = (replica: Replica, want: WantNamedMessage): RecordsMessage | undefined => {
  const { stream, author } = want;
  const log = replica.log(stream, peerIdOf(author));
  const found = new Set(cut(want.hashes).flatMap((hash) => log?.named(hash) ?? []));
  const sorted = [...found].sort(compareRecords);
  const records: SignedRecord[] = [];
  let sizeBytes = 0;
  for (const record of sorted) {
    sizeBytes += record.raw.length;
    if (sizeBytes > chunkBytes && records.length > 0) break;
    records.push(record);
  }
  const last = records.at(-1);
  if (!last) return undefined;
  const to = { epoch: last.epoch, seq: last.seq };
  return { kind: 'records', stream, author, from: origin, to, records: records.map(({ raw }) => raw) };
};

const cut = (hashes: Uint8Array): string[] => {
  const found: string[] = [];
  for (let at = 0; at + hashBytes <= hashes.length; at += hashBytes)
    found.push(toHex(hashes.subarray(at, at + hashBytes)));
  return found;
};
