/**
 * The table of routes: what each answers to, what scope it needs, and how the table is mounted.
 * Relies on hono for matching; no route can be mounted without a scope.
 */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { Scope } from '../core/api-shapes.ts';
import { AlthingError, isDiskFailure } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { PeerApi } from '../peer/peer-api.ts';
import { requireScope } from './auth.ts';
import { problemResponse } from './problem.ts';
import type { EventStreams } from './sse.ts';

/** How a request came in. */
export type Via = 'socket' | 'tcp';

/** What every handler finds in its context. */
export interface GatewayEnv {
  Bindings: HttpBindings & { via: Via };
  Variables: { scope: Scope };
}
export type GatewayContext = Context<GatewayEnv>;

/** The header by which whoever asks was let in; undefined on the unix socket, whose file says who may. */
export const authorizationOf = (c: GatewayContext): string | undefined =>
  c.env.via === 'socket' ? undefined : c.req.header('authorization');

/** What the routes work with. */
export interface Gateway {
  readonly peer: PeerApi;
  readonly streams: EventStreams;
  readonly logger: Logger;
  /** Called when the peer has left its fabric and whoever asked for that has the answer. */
  readonly left: () => void;
  /** Where this gateway is reached: its socket's path, and its URL where it listens on TCP. */
  readonly address: { readonly socket: string; http: string | null };
}

/** One route. `path` in hono's notation (`/things/:id`). GET routes answer HEAD too. */
export interface Route {
  readonly method: 'get' | 'put' | 'post' | 'delete';
  readonly path: string;
  readonly scope: Scope;
  readonly handle: (c: GatewayContext) => Response | Promise<Response>;
}

/** Mounts the routes; other methods on their paths answer 405 with what is allowed. */
export const mountRoutes = (app: Hono<GatewayEnv>, routes: readonly Route[], logger: Logger): void => {
  for (const route of routes)
    app.on(route.method.toUpperCase(), route.path, async (c) => {
      try {
        requireScope(c.get('scope'), route.scope);
        return await route.handle(c);
      } catch (thrown) {
        return failure(thrown, c, logger);
      }
    });
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase());
    const allow = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ');
    app.all(path, (c) =>
      problemResponse(
        new AlthingError('operation-unsupported', `${c.req.path} takes ${allow}, not ${c.req.method}.`),
        { allow },
      ),
    );
  }
};

/** A failed request's answer; failures that are our bug are logged. */
export const failure = (thrown: unknown, c: GatewayContext, logger: Logger): Response => {
  const response = problemResponse(thrown);
  // A failing disk is told once, by the store, and not with every request.
  if (response.status === 500 && !isDiskFailure(thrown))
    logger.error({ err: thrown, method: c.req.method, path: c.req.path }, 'a request failed');
  return response;
};
