/**
 * The gateway: one HTTP application on the unix socket and, if asked, on TCP.
 * Relies on hono and its Node adapter; what is not needed to start is loaded on first use.
 */
import { createServer, type Server } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono/tiny';
import { AlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { PeerApi } from '../peer/peer-api.ts';
import { checkHost, checkOrigin, scopeOfToken } from './auth.ts';
import { directoryRoutes } from './directory-routes.ts';
import { fabricRoutes } from './fabric-routes.ts';
import { closeServer, listenOnSocket, listenOnTcp } from './listen.ts';
import { problemResponse, unknownPath } from './problem.ts';
import { failure, type Gateway, type GatewayEnv, mountRoutes, type Route, type Via } from './routes.ts';
import { defaultSseLimits, EventStreams, type SseLimits } from './sse.ts';
import { thingRoutes } from './thing-routes.ts';

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
  const app = createApp(gateway, options.http?.host);
  const servers: Server[] = [];
  const serve = (via: Via): Server => {
    const server = createHttpServer(app, via);
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

/** Every route of a gateway. */
export const gatewayRoutes = (gateway: Gateway): Route[] => [
  ...directoryRoutes(gateway),
  ...thingRoutes(gateway),
  ...fabricRoutes(gateway),
];

const createApp = (gateway: Gateway, listeningHost: string | undefined): Hono<GatewayEnv> => {
  const app = new Hono<GatewayEnv>();
  app.use('*', async (c, next) => {
    const host = c.req.header('host');
    checkOrigin(c.req.header('origin'), host);
    if (c.env.via === 'socket') c.set('scope', 'manage');
    else {
      checkHost(host, listeningHost ?? '');
      c.set(
        'scope',
        await scopeOfToken(c.req.header('authorization'), (token) => gateway.peer.checkToken(token)),
      );
    }
    await next();
  });
  mountRoutes(app, gatewayRoutes(gateway), gateway.logger);
  app.notFound((c) => problemResponse(unknownPath(c.req.path)));
  app.onError((error, c) => failure(error, c, gateway.logger));
  return app;
};

const createHttpServer = (app: Hono<GatewayEnv>, via: Via): Server => {
  const listener = getRequestListener(
    // HTTP/2 bindings are in the adapter's type only: this server speaks HTTP/1.1.
    (request, env) => app.fetch(request, { ...(env as HttpBindings), via }),
    {
      // A program that embeds a peer keeps its own Request and Response.
      overrideGlobalObjects: false,
      errorHandler: (error) =>
        problemResponse(
          new AlthingError('bad-input', `The request cannot be read: ${(error as Error).message}`),
        ),
    },
  );
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 },
    listener,
  );
  server.maxConnections = maxConnections;
  return server;
};
