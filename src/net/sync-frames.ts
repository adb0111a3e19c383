/**
 * The reconciliation messages as frames, and back.
 * Relies on the replica's message types; checks every element of what comes from outside.
 */
import * as v from 'valibot';
import { AlthingError } from '../core/errors.ts';
import { maxVectorEntries, type SyncMessage } from '../replica/reconciler.ts';
import type { Position } from '../replica/record.ts';
import type { RecordStream } from '../replica/record-store.ts';
import { groupDigestBytes, summaryGroups } from '../replica/vector-summary.ts';
import { type Frame, frameType } from './frames.ts';

const key = v.pipe(
  v.instance(Uint8Array),
  v.check((bytes) => bytes.length === 32, 'has 32 bytes'),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const stream = v.picklist([0, 1]);
const position = v.tuple([count, count]);
const vectorSchema = v.tuple([
  v.literal(frameType.vector),
  v.pipe(v.array(v.tuple([stream, key, count, count, key])), v.maxLength(maxVectorEntries)),
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
const wantSchema = v.tuple([v.literal(frameType.want), stream, key, position]);
const recordsSchema = v.tuple([
  v.literal(frameType.records),
  stream,
  key,
  position,
  position,
  v.pipe(v.array(v.instance(Uint8Array)), v.minLength(1), v.maxLength(10_000)),
]);

const streamCode = (name: RecordStream): number => (name === 'control' ? 0 : 1);
const streamName = (code: number): RecordStream => (code === 0 ? 'control' : 'data');
const pair = ({ epoch, seq }: Position): [number, number] => [epoch, seq];
const positionOf = ([epoch, seq]: readonly [number, number]): Position => ({ epoch, seq });

/** A message as a frame. */
export const encodeSync = (message: SyncMessage): Frame => {
  if (message.kind === 'summary') return [frameType.summary, message.groups];
  if (message.kind === 'vector')
    return [
      frameType.vector,
      message.entries.map((one) => [streamCode(one.stream), one.author, one.epoch, one.seq, one.digest]),
    ];
  if (message.kind === 'want')
    return [frameType.want, streamCode(message.stream), message.author, pair(message.from)];
  return [
    frameType.records,
    streamCode(message.stream),
    message.author,
    pair(message.from),
    pair(message.to),
    message.records,
  ];
};

/** The message in a frame of type summary, vector, want or records. Throws `protocol-error`. */
export const decodeSync = (frame: Frame): SyncMessage => {
  if (frame[0] === frameType.summary) return { kind: 'summary', groups: parse(summarySchema, frame)[1] };
  if (frame[0] === frameType.vector) {
    const [, entries] = parse(vectorSchema, frame);
    return {
      kind: 'vector',
      entries: entries.map(([code, author, epoch, seq, digest]) => ({
        stream: streamName(code),
        author,
        epoch,
        seq,
        digest,
      })),
    };
  }
  if (frame[0] === frameType.want) {
    const [, code, author, from] = parse(wantSchema, frame);
    return { kind: 'want', stream: streamName(code), author, from: positionOf(from) };
  }
  const [, code, author, from, to, records] = parse(recordsSchema, frame);
  return {
    kind: 'records',
    stream: streamName(code),
    author,
    from: positionOf(from),
    to: positionOf(to),
    records,
  };
};

const parse = <Schema extends v.GenericSchema>(schema: Schema, frame: Frame): v.InferOutput<Schema> => {
  const parsed = v.safeParse(schema, frame);
  if (parsed.success) return parsed.output;
  throw new AlthingError('protocol-error', `A records frame does not fit: ${parsed.issues[0].message}.`);
};
