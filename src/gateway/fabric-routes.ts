/**
 * What a gateway offers beside the Things: the peer, the members, invites, joining, tokens, recovery, activity.
 * Relies on the peer for every decision; bodies are checked here before they reach it.
 */
import {
  array,
  integer,
  maxLength,
  minValue,
  nonEmpty,
  number,
  optional,
  picklist,
  pipe,
  strictObject,
  string,
} from 'valibot';
import { knownScope } from './auth.ts';
import { json } from './json-answer.ts';
import { readObject } from './request-input.ts';
import { authorizationOf, type Gateway, type GatewayContext, type Route } from './routes.ts';
import { headOfStream } from './thing-streams.ts';

const positive = pipe(number(), integer(), minValue(1));
const inviteBody = strictObject({
  role: optional(picklist(['member', 'guest'])),
  uses: optional(positive),
  expiresMs: optional(positive),
  replaces: optional(pipe(string(), nonEmpty(), maxLength(256))),
});
const joinBody = strictObject({
  ticket: pipe(string(), nonEmpty(), maxLength(64 * 1024)),
  name: optional(pipe(string(), nonEmpty(), maxLength(256))),
});
const names = array(pipe(string(), nonEmpty(), maxLength(256)));
const shareBody = strictObject({
  things: names,
  operations: optional(array(picklist(['read', 'write', 'invoke', 'subscribe']))),
  affordances: optional(names),
  forMs: optional(positive),
  uses: optional(positive),
});
const tokenBody = strictObject({ scope: optional(picklist(['read', 'use', 'manage']), 'use') });
const emptyBody = strictObject({});

/** The routes that are Althing's own. */
export const fabricRoutes = (gateway: Gateway): Route[] => {
  const { peer } = gateway;

  const invite = async (c: GatewayContext): Promise<Response> => {
    const { role, uses, expiresMs, replaces } = await readObject(c, inviteBody);
    const info = await peer.invite({
      ...(role && { role }),
      ...(uses && { uses }),
      ...(expiresMs && { expiresMs }),
      ...(replaces && { replaces }),
    });
    return json(info, 201);
  };

  const join = async (c: GatewayContext): Promise<Response> => {
    const { ticket, name } = await readObject(c, joinBody);
    return json(await peer.join(ticket, { signal: c.req.raw.signal, ...(name && { name }) }));
  };

  const share = async (c: GatewayContext): Promise<Response> => {
    const { things, operations, affordances, forMs, uses } = await readObject(c, shareBody);
    const info = await peer.passes.share({
      things,
      ...(operations && { operations }),
      ...(affordances && { affordances }),
      ...(forMs && { forMs }),
      ...(uses && { uses }),
    });
    return json(info, 201);
  };

  const createToken = async (c: GatewayContext): Promise<Response> => {
    const { scope } = await readObject(c, tokenBody);
    return json(await peer.tokens.create(scope), 201);
  };

  const revokeToken = async (c: GatewayContext): Promise<Response> => {
    await peer.tokens.revoke(c.req.param('id') ?? '');
    const isGood = (header: string) => knownScope(header, (token) => peer.tokens.check(token)) !== undefined;
    gateway.streams.endUnless(isGood);
    return new Response(null, { status: 204 });
  };

  const recovery = async (c: GatewayContext): Promise<Response> => {
    await readObject(c, emptyBody);
    return json({ words: await peer.recoveryWords() });
  };

  const snapshot = async (c: GatewayContext): Promise<Response> => {
    await readObject(c, emptyBody);
    return json({ path: await peer.snapshot() }, 201);
  };

  const activity = (c: GatewayContext): Response => {
    if (c.req.method === 'HEAD') return headOfStream();
    const stream = gateway.streams.open(() => stop(), authorizationOf(c));
    const stop = peer.onActivity((entry) => stream.send({ data: entry }));
    return stream.response();
  };

  const openapi = async (): Promise<Response> => {
    const { openApi } = await import('./openapi.ts');
    return json(openApi(peer.self().version));
  };

  const self = () => json({ ...peer.self(), gateway: gateway.address });

  return [
    { method: 'get', path: '/peer', scope: 'read', handle: self },
    { method: 'get', path: '/peers', scope: 'read', handle: () => json(peer.peers()) },
    { method: 'post', path: '/invites', scope: 'manage', handle: invite },
    { method: 'get', path: '/shares', scope: 'manage', handle: () => json(peer.passes.shares()) },
    { method: 'post', path: '/shares', scope: 'manage', handle: share },
    { method: 'post', path: '/join', scope: 'manage', handle: join },
    { method: 'get', path: '/tokens', scope: 'manage', handle: () => json(peer.tokens.list()) },
    { method: 'post', path: '/tokens', scope: 'manage', handle: createToken },
    { method: 'delete', path: '/tokens/:id', scope: 'manage', handle: revokeToken },
    { method: 'post', path: '/recovery', scope: 'manage', handle: recovery },
    { method: 'post', path: '/snapshots', scope: 'manage', handle: snapshot },
    { method: 'get', path: '/doctor', scope: 'read', handle: async () => json(await peer.doctor()) },
    { method: 'get', path: '/activity', scope: 'read', handle: activity },
    { method: 'get', path: '/openapi.json', scope: 'read', handle: openapi },
  ];
};
