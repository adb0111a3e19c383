/**
 * The record: the signed unit of the fabric's shared state, its bytes and its checks.
 * Relies on the codec and the cryptography passed in; raw bytes are kept and never re-encoded.
 */
import * as v from 'valibot';
import { concat, toHex } from '../core/bytes.ts';
import { decode, encode } from '../core/codec.ts';
import { type Crypto, type Signer, signedBytes } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId, peerIdOf } from '../core/ids.ts';
import { type ControlRecord, controlCollections, parseStatement } from '../fabric/control.ts';
import type { RecordStream, StoredRecord } from './record-store.ts';

/** Largest record, signature included. */
export const maxRecordBytes = 64 * 1024;
/** Largest control record, signature included: all peers keep them for ever. */
const maxControlBytes = 16 * 1024;
const signatureBytes = 64;

/** A place in one author's stream: epochs first, then the count within. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** Before every record. */
export const origin: Position = { epoch: 0, seq: 0 };

/** Negative, zero or positive, as `a` stands before, at or after `b`. */
export const comparePositions = (a: Position, b: Position): number => a.epoch - b.epoch || a.seq - b.seq;

/** The control collections have a stream of their own. */
export const streamOf = (collection: string): RecordStream =>
  controlCollections.has(collection) ? 'control' : 'data';

/** Collections whose keys are Thing ids. */
export const thingCollections: ReadonlySet<string> = new Set(['thing', 'shadow']);

const maxBytesOf = (stream: RecordStream): number =>
  stream === 'control' ? maxControlBytes : maxRecordBytes;

/** A record's content, before it is signed. */
export interface RecordBody extends Position {
  readonly collection: string;
  readonly key: string;
  readonly author: Uint8Array;
  readonly hlc: number;
  readonly deleted: boolean;
  readonly value: unknown;
}

/** A verified record. Of data records the value stays encoded until `recordValue` is asked for it. */
export interface SignedRecord extends Position, StoredRecord, ControlRecord {
  readonly collection: string;
  readonly key: string;
  readonly deleted: boolean;
  /** Control records: hash of the author's previous one, hexadecimal, or null for the first. */
  readonly prev: string | null;
  /** Of records about a Thing: the peer in its id, read once since listing thousands asks for it; null where there is none. */
  readonly thingOwner: PeerId | null;
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const bodyElements = 8;
const bodySchema = v.strictTuple([
  v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/)),
  v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  v.pipe(
    v.instance(Uint8Array),
    v.check((key) => key.length === 32, 'the author is a 32-byte key'),
  ),
  count,
  count,
  count,
  v.boolean(),
  v.any(),
]);

type BodyTuple = [string, string, Uint8Array, number, number, number, boolean, unknown];

/** Signs a record: `signature || CBOR [collection, key, author, epoch, seq, hlc, deleted, value]`. Throws `value-too-large`. */
export const signRecord = (body: RecordBody, fabric: Uint8Array, signer: Signer): Uint8Array => {
  const bytes = encode([
    body.collection,
    body.key,
    body.author,
    body.epoch,
    body.seq,
    body.hlc,
    body.deleted,
    body.value,
  ]);
  const maxBytes = maxBytesOf(streamOf(body.collection));
  if (bytes.length + signatureBytes > maxBytes)
    throw new AlthingError(
      'value-too-large',
      `The ${body.collection} record "${body.key}" has ${bytes.length} bytes: at most ${maxBytes - signatureBytes} fit.`,
    );
  return concat(signer.sign(signedBytes('record', fabric, bytes)), bytes);
};

/**
 * Reads raw bytes as a record of this fabric: checks size, form and signature. Throws `record-invalid`.
 * With `trusted` (what our own store gave back) the signature is not checked again.
 */
export const openRecord = (
  raw: Uint8Array,
  fabric: Uint8Array,
  crypto: Crypto,
  options: { trusted?: boolean } = {},
): SignedRecord => {
  if (raw.length <= signatureBytes || raw.length > maxRecordBytes)
    throw new AlthingError(
      'record-invalid',
      `A record has 65 to ${maxRecordBytes} bytes, not ${raw.length}.`,
    );
  const bytes = raw.subarray(signatureBytes);
  const decoded = decode(bytes, 'record-invalid');
  // A value may be anything, which for the schema includes that there is none.
  if (!Array.isArray(decoded) || decoded.length !== bodyElements)
    throw new AlthingError('record-invalid', `A record is an array of ${bodyElements} elements.`);
  const parsed = v.safeParse(bodySchema, decoded);
  if (!parsed.success)
    throw new AlthingError('record-invalid', `The record is not well formed: ${parsed.issues[0].message}.`);
  const [collection, key, author, epoch, seq, hlc, deleted, value] = parsed.output as BodyTuple;
  if (
    !options.trusted &&
    !crypto.verify(author, signedBytes('record', fabric, bytes), raw.subarray(0, signatureBytes))
  )
    throw new AlthingError(
      'record-invalid',
      `The signature of the ${collection} record "${key}" by ${peerIdOf(author)} does not hold in this fabric.`,
    );
  const stream = streamOf(collection);
  if (raw.length > maxBytesOf(stream))
    throw new AlthingError(
      'record-invalid',
      `A control record has at most ${maxControlBytes} bytes, not ${raw.length}.`,
    );
  const authorId = peerIdOf(author);
  const control = stream === 'control';
  return {
    stream,
    collection,
    key,
    author,
    authorId,
    epoch,
    seq,
    hlc,
    deleted,
    raw,
    hash: toHex(crypto.sha256(raw)),
    prev: control ? prevOf(value) : null,
    thingOwner: thingCollections.has(collection) ? (parseThingId(key)?.peer ?? null) : null,
    statement: control ? parseStatement(collection, value) : null,
  };
};

const prevOf = (value: unknown): string | null => {
  const prev = (value as { prev?: unknown } | null)?.prev;
  if (prev === null) return null;
  if (prev instanceof Uint8Array && prev.length === 32) return toHex(prev);
  throw new AlthingError(
    'record-invalid',
    'A control record names its predecessor in `prev`, this one does not.',
  );
};

/** A record's value, decoded anew at each call, so that thousands of records stay small in memory. */
export const recordValue = (record: SignedRecord): unknown =>
  (decode(record.raw.subarray(signatureBytes), 'record-invalid') as unknown[])[7];
