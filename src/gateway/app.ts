/**
 * The gateway's HTTP application: every route behind the checks of who asks, as a listener for Node's HTTP server.
 * Relies on hono and its Node adapter; loaded with the first request, because most devices are seldom asked over HTTP.
 */
import type { RequestListener } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono/tiny';
import { AlthingError } from '../core/errors.ts';
import { checkHost, checkOrigin, scopeOfToken } from './auth.ts';
import { directoryRoutes } from './directory-routes.ts';
import { fabricRoutes } from './fabric-routes.ts';
import { problemResponse, unknownPath } from './problem.ts';
import { failure, type Gateway, type GatewayEnv, mountRoutes, type Route, type Via } from './routes.ts';
import { thingRoutes } from './thing-routes.ts';

/** Every route of a gateway. */
export const gatewayRoutes = (gateway: Gateway): Route[] => [
  ...directoryRoutes(gateway),
  ...thingRoutes(gateway),
  ...fabricRoutes(gateway),
];

/** The application's listener for each way in. `listeningHost` is what the gateway was asked to listen on over TCP. */
export const createApp = (
  gateway: Gateway,
  listeningHost: string | undefined,
): Record<Via, RequestListener> => {
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
  const listener = (via: Via): RequestListener =>
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
  return { socket: listener('socket'), tcp: listener('tcp') };
};
