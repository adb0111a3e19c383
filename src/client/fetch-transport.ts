/**
 * The client's transport over fetch, for browsers and for gateways on TCP.
 * Relies on the platform's fetch and streams alone.
 */
import { AlthingError } from '../core/errors.ts';
import type { Transport } from './transport.ts';

/** Where the gateway is, and the bearer token for it. */
export interface FetchTransportOptions {
  /** URL of the gateway without a final slash; empty for the page's own. */
  readonly base: string;
  readonly token?: string;
  readonly fetch?: typeof fetch;
}

/** A transport over fetch. */
export const fetchTransport = (options: FetchTransportOptions): Transport => {
  const send = options.fetch ?? fetch;
  const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  return async ({ method, path, headers, body, signal }) => {
    const broken = (error: unknown, when: string) =>
      new AlthingError(
        signal?.aborted ? 'cancelled' : when === 'before' ? 'not-running' : 'connection-lost',
        signal?.aborted
          ? 'The request was given up.'
          : when === 'before'
            ? `No gateway answers at ${options.base || 'this address'}.`
            : 'The gateway ended the connection in the middle of an answer.',
        { cause: error },
      );
    let response: Response;
    try {
      response = await send(`${options.base}${path}`, {
        method,
        headers: { ...headers, ...authorization },
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw broken(error, 'before');
    }
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: chunksOf(response, (error) => broken(error, 'after')),
    };
  };
};

/** The body's chunks. Not every browser can iterate a stream, so this reads it by hand. */
async function* chunksOf(
  response: Response,
  failure: (error: unknown) => AlthingError,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw failure(error);
  } finally {
    // Ends the exchange when the reader leaves early; one that has failed was told above and cannot be cancelled.
    await reader.cancel().catch(() => {});
  }
}
