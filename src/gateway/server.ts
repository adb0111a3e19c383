/**
 * The gateway: one HTTP application on the unix socket and, if asked, on TCP.
 * Relies on `app.ts` for HTTP itself, loaded with the first connection: most devices are seldom asked over HTTP.
 */
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { toAlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { PeerApi } from '../peer/peer-api.ts';
import { closeServer, listenOnSocket, listenOnTcp } from './listen.ts';
import type { Gateway, Via } from './routes.ts';
import { defaultSseLimits, EventStreams, type SseLimits } from './sse.ts';

/** How a gateway is started. */
export interface GatewayOptions {
  /** Where the unix socket goes; its directory exists. */
  readonly socketPath: string;
  /** Listens on TCP too; port 0 takes a free one. Only bearer tokens get in there. */
  readonly http?: { readonly host: string; readonly port: number };
  readonly logger: Logger;
  /** The peer has left its fabric and is stopped: the program that runs it ends, and closes the gateway. */
  readonly onLeft?: () => void;
  readonly sse?: Partial<SseLimits>;
}

/** A gateway that listens. */
export interface RunningGateway {
  readonly socket: string;
  /** The URL on TCP, or null. */
  readonly http: string | null;
  /** Ends every stream and connection and removes the socket file. Idempotent. */
  close(): Promise<void>;
}

const maxConnections = 512;

/** Starts a peer's HTTP face. Throws `home-in-use`, `port-in-use`, `listen-failed`. */
export const startGateway = async (peer: PeerApi, options: GatewayOptions): Promise<RunningGateway> => {
  const logger = options.logger.child({ part: 'gateway' });
  const address = { socket: options.socketPath, http: null as string | null };
  const streams = new EventStreams({ ...defaultSseLimits, ...options.sse });
  const left = options.onLeft ?? (() => {});
  const gateway: Gateway = { peer, streams, logger, left, address };
  const http = lazyHttp(gateway, options.http?.host);
  const doors: Door[] = [];
  const serve = (via: Via): Server => {
    const door = createDoor(http, via, logger);
    doors.push(door);
    return door.server;
  };
  const close = async (): Promise<void> => {
    streams.closeAll();
    await Promise.all([...doors.map((door) => door.close()), http.close()]);
  };
  try {
    await listenOnSocket(serve('socket'), options.socketPath);
    if (options.http) address.http = await listenOnTcp(serve('tcp'), options.http.host, options.http.port);
  } catch (error) {
    await close();
    throw error;
  }
  logger.info(address, 'the gateway listens');
  return { ...address, close };
};

/** The HTTP servers, loaded when somebody connects. */
const lazyHttp = (gateway: Gateway, listeningHost: string | undefined): LazyHttp => {
  let loading: Promise<Record<Via, HttpServer>> | undefined;
  const load = async () => (await import('./app.ts')).createHttpServers(gateway, listeningHost);
  return {
    get: () => {
      loading ??= load();
      return loading;
    },
    close: async () => {
      // What could not be loaded was told to whoever asked for it, and has nothing to close.
      const loaded = await loading?.catch(() => undefined);
      for (const server of Object.values(loaded ?? {})) server.close();
    },
  };
};

interface LazyHttp {
  /** Rejects where files of the package are gone, as while it is being replaced. */
  get(): Promise<Record<Via, HttpServer>>;
  close(): Promise<void>;
}

/** Takes connections as an HTTP server would, and hands each to the HTTP server once that is there. */
const createDoor = (http: LazyHttp, via: Via, logger: Logger): Door => {
  const open = new Set<Socket>();
  const server = createServer({
    ...{ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 },
    pauseOnConnect: true,
  });
  server.maxConnections = maxConnections;
  server.on('connection', async (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // Until it is handed over nobody else listens for errors; 'close' follows each.
    socket.on('error', () => {});
    try {
      const servers = await http.get();
      servers[via].emit('connection', socket);
      socket.resume();
    } catch (thrown) {
      logger.error({ err: toAlthingError(thrown) }, 'the HTTP application cannot be loaded');
      socket.destroy();
    }
  });
  return { server, close: () => closeServer(server, open) };
};

interface Door {
  readonly server: Server;
  close(): Promise<void>;
}
