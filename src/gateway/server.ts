/**
 * The gateway: one HTTP application on the unix socket and, if asked, on TCP.
 * Relies on `app.ts` for what it answers, which is loaded with the first request.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { errorTable, toAlthingError } from '../core/errors.ts';
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
  const gateway: Gateway = { peer, streams, logger, address };
  const app = lazyApp(gateway, options.http?.host);
  const servers: Server[] = [];
  const serve = (via: Via): Server => {
    const server = createHttpServer(app(via));
    servers.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    streams.closeAll();
    await Promise.all(servers.map(closeServer));
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

/** The application's listeners, loaded when somebody asks something. */
const lazyApp = (gateway: Gateway, listeningHost: string | undefined) => {
  let loading: Promise<Record<Via, RequestListener>> | undefined;
  const load = async () => (await import('./app.ts')).createApp(gateway, listeningHost);
  return (via: Via): RequestListener =>
    async (request, response) => {
      try {
        loading ??= load();
        (await loading)[via](request, response);
      } catch (thrown) {
        // Files of the package are gone, as while it is being replaced: what runs already goes on.
        const error = toAlthingError(thrown);
        gateway.logger.error({ err: error }, 'the HTTP application cannot be loaded');
        response.writeHead(errorTable[error.code].status).end();
      }
    };
};

const createHttpServer = (listener: RequestListener): Server => {
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 },
    listener,
  );
  server.maxConnections = maxConnections;
  return server;
};
