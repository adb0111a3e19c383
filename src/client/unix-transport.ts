/**
 * The client's transport over a gateway's unix socket, for the command line.
 * Relies on node:http; a connection is used for one exchange, so that nothing keeps the process alive afterwards.
 */
import { request } from 'node:http';
import { AlthingError } from '../core/errors.ts';
import type { Transport } from './transport.ts';

/** Which gateway. */
export interface UnixTransportOptions {
  readonly socketPath: string;
  /** The home that the socket belongs to, for messages. */
  readonly home: string;
}

const nobodyThere = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK']);

/** A transport over a unix socket. Throws `not-running` where nobody listens, `forbidden` where the file says so. */
export const unixTransport =
  ({ socketPath, home }: UnixTransportOptions): Transport =>
  ({ method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const failure = (error: NodeJS.ErrnoException): AlthingError => {
        if (signal?.aborted)
          return new AlthingError('cancelled', 'The request was given up.', { cause: error });
        if (error.code && nobodyThere.has(error.code))
          return new AlthingError('not-running', `No peer is running on ${home}.`, { cause: error });
        if (error.code === 'EACCES' || error.code === 'EPERM')
          return new AlthingError('forbidden', `The peer on ${home} belongs to another user.`, {
            cause: error,
          });
        return new AlthingError(
          'connection-lost',
          `The peer on ${home} ended the connection: ${error.message}`,
          {
            cause: error,
          },
        );
      };
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const outgoing = request(
        {
          socketPath,
          method,
          path,
          agent: false,
          headers: {
            ...headers,
            host: 'localhost',
            ...(bytes === undefined ? {} : { 'content-length': bytes.length }),
          },
          ...(signal === undefined ? {} : { signal }),
        },
        (incoming) =>
          resolve({
            status: incoming.statusCode ?? 0,
            header: (name) => {
              const value = incoming.headers[name.toLowerCase()];
              return Array.isArray(value) ? value.join(', ') : value;
            },
            body: {
              async *[Symbol.asyncIterator]() {
                try {
                  // Leaving this loop destroys the connection.
                  yield* incoming as AsyncIterable<Uint8Array>;
                } catch (error) {
                  throw failure(error as NodeJS.ErrnoException);
                }
              },
            },
          }),
      );
      outgoing.once('error', (error) => reject(failure(error)));
      outgoing.end(bytes);
    });
