/**
 * The reconciliation messages as frames, and back.
 * Relies on the replica's message types; checks every element of what comes from outside.
 */
import * as v from 'valibot';
import { AlthingError } from '../core/errors.ts';
import type { Position } from '../replica/record.ts';
import type { RecordStream } from '../replica/record-store.ts';
import {
  maxFraudEntries,
  maxHashes,
  maxNamed,
  maxRecords,
  maxTold,
  maxVectorEntries,
  type SyncMessage,
  toldBytes,
} from '../replica/sync-messages.ts';
import { groupDigestBytes, summaryGroups } from '../replica/vector-summary.ts';
import { type Frame, frameType } from './frames.ts';

const key = v.pipe(
  v.instance(Uint8Array),
  v.check((bytes) => bytes.length === 32, 'has 32 bytes'),
);
const hashBytes = 32;
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const stream = v.picklist([0, 1]);
const position = v.tuple([count, count]);
/** Up to so many pieces of equal size, one after the other. */
const piecesOf = (sizeBytes: number, most: number) =>
  v.pipe(
    v.instance(Uint8Array),
    v.check(
      (bytes) => bytes.length % sizeBytes === 0 && bytes.length <= sizeBytes * most,
      `has up to ${most} pieces of ${sizeBytes} bytes`,
    ),
  );
const vectorSchema = v.tuple([
  v.literal(frameType.vector),
  v.pipe(v.array(v.tuple([stream, key, count, count, key])), v.maxLength(maxVectorEntries)),
]);
const wantSchema = v.tuple([v.literal(frameType.want), stream, key, position]);
const recordsSchema = v.tuple([
  v.literal(frameType.records),
  stream,
  key,
  position,
  position,
  v.pipe(v.array(v.instance(Uint8Array)), v.minLength(1), v.maxLength(maxRecords)),
  v.optional(piecesOf(toldBytes, maxTold)),
]);
const summarySchema = v.tuple([
  v.literal(frameType.summary),
  v.pipe(
    v.array(
      v.nullable(
        v.pipe(
          v.instance(Uint8Array),
          v.check((bytes) => bytes.length === groupDigestBytes, `has ${groupDigestBytes} bytes`),
        ),
      ),
    ),
    v.length(summaryGroups),
  ),
]);
const wantHashesSchema = v.tuple([v.literal(frameType.wantHashes), stream, key, position]);
const hashesSchema = v.tuple([
  v.literal(frameType.hashes),
  stream,
  key,
  position,
  position,
  piecesOf(hashBytes, maxHashes),
]);
const wantNamedSchema = v.tuple([v.literal(frameType.wantNamed), stream, key, piecesOf(hashBytes, maxNamed)]);
const fraudsSchema = v.tuple([
  v.literal(frameType.frauds),
  v.pipe(v.array(v.tuple([stream, key, count, count])), v.maxLength(maxFraudEntries)),
]);
const wantFraudSchema = v.tuple([v.literal(frameType.wantFraud), stream, key, count, count]);
const fraudSchema = v.tuple([v.literal(frameType.fraud), v.instance(Uint8Array), v.instance(Uint8Array)]);

const streamCode = (name: RecordStream): number => (name === 'control' ? 0 : 1);
const streamName = (code: number): RecordStream => (code === 0 ? 'control' : 'data');
const pair = ({ epoch, seq }: Position): [number, number] => [epoch, seq];
const positionOf = ([epoch, seq]: readonly [number, number]): Position => ({ epoch, seq });
const authored = ({ stream: name, author }: { stream: RecordStream; author: Uint8Array }) =>
  [streamCode(name), author] as const;
const authorOf = (code: number, author: Uint8Array) => ({ stream: streamName(code), author });

/** A message as a frame. */
export const encodeSync = (message: SyncMessage): Frame => {
  switch (message.kind) {
    case 'vector':
      return [
        frameType.vector,
        message.entries.map((one) => [...authored(one), one.epoch, one.seq, one.digest]),
      ];
    case 'want':
      return [frameType.want, ...authored(message), pair(message.from)];
    case 'records': {
      const { from, to, records, told } = message;
      const frame: Frame = [frameType.records, ...authored(message), pair(from), pair(to), records];
      return told ? [...frame, told] : frame;
    }
    case 'summary':
      return [frameType.summary, message.groups];
    case 'want-hashes':
      return [frameType.wantHashes, ...authored(message), pair(message.from)];
    case 'hashes':
      return [frameType.hashes, ...authored(message), pair(message.from), pair(message.to), message.hashes];
    case 'want-named':
      return [frameType.wantNamed, ...authored(message), message.hashes];
    case 'frauds':
      return [frameType.frauds, message.entries.map((one) => [...authored(one), one.epoch, one.seq])];
    case 'want-fraud':
      return [frameType.wantFraud, ...authored(message), message.epoch, message.seq];
    case 'fraud':
      return [frameType.fraud, ...message.records];
  }
};

/** Reads one type of frame. */
const decoders: Record<number, (frame: Frame) => SyncMessage> = {
  [frameType.vector]: (frame) => {
    const [, entries] = parse(vectorSchema, frame);
    return {
      kind: 'vector',
      entries: entries.map(([code, author, epoch, seq, digest]) => ({
        ...authorOf(code, author),
        epoch,
        seq,
        digest,
      })),
    };
  },
  [frameType.want]: (frame) => {
    const [, code, author, from] = parse(wantSchema, frame);
    return { kind: 'want', ...authorOf(code, author), from: positionOf(from) };
  },
  [frameType.records]: (frame) => {
    const [, code, author, from, to, records, told] = parse(recordsSchema, frame);
    const range = { ...authorOf(code, author), from: positionOf(from), to: positionOf(to), records };
    return { kind: 'records', ...range, ...(told && { told }) };
  },
  [frameType.summary]: (frame) => ({ kind: 'summary', groups: parse(summarySchema, frame)[1] }),
  [frameType.wantHashes]: (frame) => {
    const [, code, author, from] = parse(wantHashesSchema, frame);
    return { kind: 'want-hashes', ...authorOf(code, author), from: positionOf(from) };
  },
  [frameType.hashes]: (frame) => {
    const [, code, author, from, to, hashes] = parse(hashesSchema, frame);
    return {
      kind: 'hashes',
      ...authorOf(code, author),
      from: positionOf(from),
      to: positionOf(to),
      hashes,
    };
  },
  [frameType.wantNamed]: (frame) => {
    const [, code, author, hashes] = parse(wantNamedSchema, frame);
    return { kind: 'want-named', ...authorOf(code, author), hashes };
  },
  [frameType.frauds]: (frame) => {
    const [, entries] = parse(fraudsSchema, frame);
    return {
      kind: 'frauds',
      entries: entries.map(([code, author, epoch, seq]) => ({ ...authorOf(code, author), epoch, seq })),
    };
  },
  [frameType.wantFraud]: (frame) => {
    const [, code, author, epoch, seq] = parse(wantFraudSchema, frame);
    return { kind: 'want-fraud', ...authorOf(code, author), epoch, seq };
  },
  [frameType.fraud]: (frame) => {
    const [, first, second] = parse(fraudSchema, frame);
    return { kind: 'fraud', records: [first, second] };
  },
};

/** Whether a frame carries a reconciliation message. */
export const isSyncFrame = (frame: Frame): boolean => Object.hasOwn(decoders, frame[0]);

/** The message in a frame for which `isSyncFrame` holds. Throws `protocol-error`. */
export const decodeSync = (frame: Frame): SyncMessage => decoders[frame[0]]!(frame);

const parse = <Schema extends v.GenericSchema>(schema: Schema, frame: Frame): v.InferOutput<Schema> => {
  const parsed = v.safeParse(schema, frame);
  if (parsed.success) return parsed.output;
  throw new AlthingError('protocol-error', `A records frame does not fit: ${parsed.issues[0].message}.`);
};
