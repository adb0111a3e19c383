/**
 * Opening and closing the gateway's sockets: the unix socket with its file, and TCP.
 * Relies on node:net; a socket file is only ever removed when nobody answers behind it.
 */
import { lstat, unlink } from 'node:fs/promises';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { AlthingError } from '../core/errors.ts';

/** sun_path's size on the smallest system that we run on (macOS), with the final zero. */
const longestSocketPath = 103;

/**
 * Listens on a unix socket that its owner alone can use (mode 0600). Removes what a dead process left there.
 * Throws `home-in-use` where a living one answers, `listen-failed` otherwise.
 */
export const listenOnSocket = async (server: Server, path: string): Promise<void> => {
  if (Buffer.byteLength(path) > longestSocketPath)
    throw new AlthingError('listen-failed', `The socket's path is too long for this system: ${path}.`);
  await removeStale(path);
  // The mask makes the file private from its first moment; binding happens within the call.
  const mask = process.umask(0o177);
  const listening = listen(server, { path }, path);
  process.umask(mask);
  await listening;
};

const removeStale = async (path: string): Promise<void> => {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new AlthingError('listen-failed', `${path} cannot be looked at: ${error.message}`, {
      cause: error,
    });
  });
  if (!found) return;
  if (!found.isSocket())
    throw new AlthingError('listen-failed', `${path} is in the way: it is not a socket. Move it away.`);
  if (await answers(path))
    throw new AlthingError('home-in-use', `Another process already answers on ${path}.`);
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT')
      throw new AlthingError('listen-failed', `The old socket ${path} cannot be removed: ${error.message}`, {
        cause: error,
      });
  });
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refusal proves that nobody listens; anything else may be a living process that is busy.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });

/** Listens on TCP and gives the URL. Throws `port-in-use`, `listen-failed`. */
export const listenOnTcp = async (server: Server, host: string, port: number): Promise<string> => {
  await listen(server, { host, port }, `${host}:${port}`);
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
};

const listen = (server: Server, where: object, name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new AlthingError('port-in-use', `${name} is already in use.`, { cause: error })
          : new AlthingError('listen-failed', `The gateway cannot listen on ${name}: ${error.message}`, {
              cause: error,
            }),
      );
    server.once('error', failed);
    server.listen(where, () => {
      server.off('error', failed);
      resolve();
    });
  });

/** Stops listening and ends these connections, whatever they are doing. */
export const closeServer = (server: Server, open: Iterable<Socket>): Promise<void> =>
  new Promise((resolve) => {
    // The only error is "not running", which is what is wanted.
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
