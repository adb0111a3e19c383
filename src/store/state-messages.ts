/**
 * What the state store and its worker thread say to each other: one request at a time, one reply to each.
 * Relies on structured clone; the bytes of a message lie in one buffer, which is handed over and not copied again.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { RecordPosition, StateBatch } from '../replica/record-store.ts';

/** What the worker is started with. */
export interface WorkerSettings {
  readonly path: string;
  readonly maxSizeBytes: number;
}

/** `load` is asked again until the reply says `done`. */
export type StateRequest =
  | { readonly op: 'load' }
  | { readonly op: 'commit'; readonly batches: readonly StateBatch[] }
  | { readonly op: 'snapshot'; readonly path: string }
  | { readonly op: 'close' };

/** A piece of what is stored; empty in replies to other requests than `load`. */
export interface StateChunk {
  readonly records: Uint8Array[];
  readonly local: [key: string, value: Uint8Array][];
  readonly done: boolean;
}

/** The worker's first reply, to nothing, says how opening went. */
export type StateReply =
  | { readonly ok: true; readonly chunk: StateChunk }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** A message whose bytes all lie in `buffer`, which is to be handed over with it. */
export interface Packed<T> {
  readonly message: T;
  readonly buffer: ArrayBuffer;
}

/** Copies byte arrays into one buffer, because cloning a view would clone all of the buffer that it looks into. */
const packer = (sizeBytes: number) => {
  const bytes = new Uint8Array(sizeBytes);
  let used = 0;
  const add = (part: Uint8Array): Uint8Array => {
    const view = bytes.subarray(used, used + part.length);
    view.set(part);
    used += part.length;
    return view;
  };
  return { buffer: bytes.buffer, add };
};

/** Copies a batch for the way to the worker; the caller's own arrays stay the caller's. */
export const packBatch = (batch: StateBatch): Packed<StateBatch> => {
  const { clearRecords = false, remove = [], put = [], local = [] } = batch;
  let size = 0;
  for (const { author } of remove) size += author.length;
  for (const { author, raw } of put) size += author.length + raw.length;
  for (const [, value] of local) size += value?.length ?? 0;
  const { buffer, add } = packer(size);
  const position = ({ stream, author, epoch, seq }: RecordPosition): RecordPosition => ({
    stream,
    author: add(author),
    epoch,
    seq,
  });
  const message = {
    clearRecords,
    remove: remove.map(position),
    put: put.map((record) => ({ ...position(record), raw: add(record.raw) })),
    local: local.map(([key, value]) => [key, value && add(value)] as const),
  };
  return { message, buffer };
};

/** Copies what was read from the database for the way back. */
export const packChunk = ({ records, local, done }: StateChunk): Packed<StateChunk> => {
  let size = 0;
  for (const raw of records) size += raw.length;
  for (const [, value] of local) size += value.length;
  const { buffer, add } = packer(size);
  const message: StateChunk = {
    records: records.map(add),
    local: local.map(([key, value]) => [key, add(value)]),
    done,
  };
  return { message, buffer };
};
