/**
 * Data on its way through an interaction (Scripting API, InteractionOutput and InteractionInput).
 * Relies on values that are plain data or bytes, and complete: nothing is streamed.
 */
import { utf8 } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import { copyPlain } from './plain-value.ts';
import type { InteractionInput, InteractionOutput as InteractionOutputApi } from './scripting-api.ts';

/** A value that has arrived, was checked, and can be taken as a value or as bytes, as often as one likes. */
export class InteractionOutput implements InteractionOutputApi {
  readonly #value: unknown;
  readonly schema?: unknown;
  readonly form?: unknown;
  #used = false;

  /** @param value plain data, bytes, or undefined where there is no data at all */
  constructor(value: unknown, schema?: unknown, form?: unknown) {
    this.#value = value;
    this.schema = schema;
    this.form = form;
  }

  get dataUsed(): boolean {
    return this.#used;
  }

  /** The bytes as a stream of one chunk. */
  get data(): ReadableStream<Uint8Array> {
    this.#used = true;
    const bytes = bytesOf(this.#value);
    return new ReadableStream({
      start: (controller) => {
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    });
  }

  /** The value; undefined where there is none, a Uint8Array where the content type is not JSON. */
  async value(): Promise<unknown> {
    this.#used = true;
    return this.#value;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    this.#used = true;
    return bytesOf(this.#value).slice().buffer as ArrayBuffer;
  }
}

const bytesOf = (value: unknown): Uint8Array => {
  if (value === undefined) return new Uint8Array();
  return value instanceof Uint8Array ? value : utf8(JSON.stringify(value));
};

/**
 * What a handler returned or a caller passed, as a value: functions are called, promises awaited, an
 * InteractionOutput's value is taken. Gives the value itself where nothing had to be waited for; it is not checked.
 * Throws or rejects with `value-invalid` for streams, and with whatever the functions throw.
 */
export const resolveInput = (input: InteractionInput, depth = 0): unknown => {
  if (typeof input !== 'object' && typeof input !== 'function') return input;
  if (input === null) return null;
  if (depth > 4)
    throw new AlthingError('value-invalid', 'The value is a function that gives a function, and so on.');
  if (typeof input === 'function') return resolveInput(input(), depth + 1);
  if (isThenable(input)) return Promise.resolve(input).then((value) => resolveInput(value, depth + 1));
  if (isInteractionOutput(input)) return input.value();
  if (input instanceof ReadableStream)
    throw new AlthingError('value-invalid', 'A stream is not taken as a value: give all of it at once.');
  return input;
};

/** A private copy: of bytes where `binary` allows them, else as `copyPlain`. Throws `value-invalid`. */
export const copyValue = (value: unknown, binary: boolean): unknown => {
  const bytes = binary ? bytesIn(value) : undefined;
  return bytes ?? copyPlain(value);
};

/** A copy of the bytes of a buffer or of a view of one; undefined for everything else. */
export const bytesIn = (value: unknown): Uint8Array | undefined => {
  if (value instanceof ArrayBuffer) return new Uint8Array(value.slice());
  if (!ArrayBuffer.isView(value)) return undefined;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
};

/** Whether it is a promise, or behaves like one. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

const isInteractionOutput = (value: object): value is InteractionOutputApi =>
  typeof (value as { value?: unknown }).value === 'function' &&
  typeof (value as { arrayBuffer?: unknown }).arrayBuffer === 'function';

/** Whether a form's content is JSON (RFC 8259, RFC 6839 `+json`); it is where no content type is given. */
export const isJsonContent = (contentType: unknown): boolean => {
  if (typeof contentType !== 'string') return true;
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  return type === 'application/json' || type.endsWith('+json');
};
