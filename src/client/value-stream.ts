/**
 * A gateway's event stream as an async iterable of values, with its problems as errors.
 * Relies on the parser for the format; it does not reconnect: whoever reads decides that.
 */
import type { Problem } from '../core/api-shapes.ts';
import { AlthingError, isErrorCode, toAlthingError } from '../core/errors.ts';
import { SseParser } from './sse-parser.ts';

/** Options of a stream. */
export interface StreamOptions {
  /**
   * Told of values that never came (`values-missed`; `details.missed`: how many, or null); the stream goes on.
   * Without it the stream throws instead.
   */
  readonly onMissed?: (error: AlthingError) => void;
}

/** Values as they come. Leaving the loop, or `return()`, ends the stream at the gateway. */
export interface ValueStream<T> extends AsyncIterableIterator<T> {
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
}

/**
 * Values out of an event stream's bytes. Throws what the stream's problems say, and `connection-lost` where it ends.
 * @param abort ends the exchange, so that a read that waits fails
 * @param read makes a value of a message's data and type
 */
export const valueStream = <T>(
  body: AsyncIterable<Uint8Array>,
  abort: () => void,
  read: (data: unknown, event: string) => T,
  options: StreamOptions = {},
): ValueStream<T> => {
  const chunks = body[Symbol.asyncIterator]();
  const parser = new SseParser();
  const ready: T[] = [];
  let failure: AlthingError | undefined;
  let ended = false;

  const end = (): void => {
    ended = true;
    abort();
  };

  const take = (chunk: Uint8Array): void => {
    for (const message of parser.push(chunk)) {
      const data = parse(message.data);
      if (message.event !== 'althing:problem') {
        ready.push(read(data, message.event));
        continue;
      }
      const error = errorOf(data as Partial<Problem>);
      if (error.code === 'values-missed' && options.onMissed) options.onMissed(error);
      else {
        failure = error;
        return;
      }
    }
  };

  const next = async (): Promise<IteratorResult<T, undefined>> => {
    for (;;) {
      if (ready.length > 0) return { done: false, value: ready.shift() as T };
      if (failure) {
        const error = failure;
        failure = undefined;
        end();
        throw error;
      }
      if (ended) return { done: true, value: undefined };
      try {
        const chunk = await chunks.next();
        if (chunk.done) failure = new AlthingError('connection-lost', 'The gateway ended the stream.');
        else take(chunk.value);
      } catch (error) {
        // A read that fails because the stream was left is the end that was asked for.
        if (!ended) failure = toAlthingError(error, 'connection-lost');
      }
    }
  };

  return {
    next,
    return: async () => {
      failure = undefined;
      ready.length = 0;
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AlthingError('protocol-error', 'The gateway sent a message that is not JSON.', {
      cause: error,
    });
  }
};

const errorOf = (problem: Partial<Problem>): AlthingError =>
  new AlthingError(
    isErrorCode(problem.code) ? problem.code : 'protocol-error',
    problem.detail ?? 'The stream ended with an unknown problem.',
    { ...(problem.details && { details: problem.details }) },
  );
