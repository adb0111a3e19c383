/**
 * HTTP in the gateway: every route behind the checks of who asks, in servers that are handed their connections.
 * Relies on hono and its Node adapter. It is loaded late, so nothing that the start needs may import it.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono/tiny';
import { AlthingError } from '../core/errors.ts';
import { checkHost, checkOrigin, scopeOfToken } from './auth.ts';
import { directoryRoutes } from './directory-routes.ts';
import { fabricRoutes } from './fabric-routes.ts';
import { memberRoutes } from './member-routes.ts';
import { problemResponse, unknownPath } from './problem.ts';
import { failure, type Gateway, type GatewayEnv, mountRoutes, type Route, type Via } from './routes.ts';
import { ruleRoutes } from './rule-routes.ts';
import { thingRoutes } from './thing-routes.ts';

/** Every route of a gateway. */
export const gatewayRoutes = (gateway: Gateway): Route[] => [
  ...directoryRoutes(gateway),
  ...thingRoutes(gateway),
  ...fabricRoutes(gateway),
  ...memberRoutes(gateway),
  ...ruleRoutes(gateway),
];

/** How long a request may take to come in, and how often that is looked at. */
const defaultTimeouts = {
  requestTimeout: 30_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 10_000,
};

/** A server for each way in. `listeningHost` is what the gateway was asked to listen on over TCP. */
export const createHttpServers = (
  gateway: Gateway,
  listeningHost: string | undefined,
  timeouts: typeof defaultTimeouts = defaultTimeouts,
): Record<Via, Server> => {
  const app = createApp(gateway, listeningHost);
  const create = (via: Via): Server => {
    const server = createServer(timeouts, listener(app, via));
    // These servers never listen, and Node watches the timeouts only of those that do.
    server.emit('listening');
    return server;
  };
  return { socket: create('socket'), tcp: create('tcp') };
};

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
        scopeOfToken(c.req.header('authorization'), (token) => gateway.peer.tokens.check(token)),
      );
    }
    await next();
  });
  mountRoutes(app, gatewayRoutes(gateway), gateway.logger);
  app.notFound((c) => problemResponse(unknownPath(c.req.path)));
  app.onError((error, c) => failure(error, c, gateway.logger));
  return app;
};

const listener = (app: Hono<GatewayEnv>, via: Via): RequestListener =>
  getRequestListener(
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
