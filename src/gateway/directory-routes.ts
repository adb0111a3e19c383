/**
 * The fabric's Things as a W3C WoT Discovery directory: its own TD, listing, single TDs, names, changes.
 * Relies on the peer's local replica, so all of it works with every other peer out of reach.
 */
import { AlthingError } from '../core/errors.ts';
import type { DirectoryChange } from '../peer/peer-api.ts';
import type { ThingFilter } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { type HttpAccess, withHttpForms } from './http-forms.ts';
import { json, jsonArray } from './json-answer.ts';
import { problemOf } from './problem.ts';
import { authorizationOf, type Gateway, type GatewayContext, type Route } from './routes.ts';
import { problemEvent } from './sse.ts';
import { findThing } from './thing-routes.ts';
import { headOfStream } from './thing-streams.ts';

/** The routes of WoT Discovery (REC 2023, section 7.3), read only, with `/resolve/{name}` beside them. */
export const directoryRoutes = (gateway: Gateway): Route[] => {
  const { peer } = gateway;

  const self = async (c: GatewayContext): Promise<Response> => {
    const { directoryTd } = await import('./directory-td.ts');
    return td(directoryTd(peer.id, httpAccess(c, gateway)));
  };

  const list = async (c: GatewayContext): Promise<Response> => {
    const filter = filterOf(c);
    await peer.thingsRead();
    if (c.req.query('view') === 'summary') return json(peer.things(filter).sort(byId));
    const { items, page, headers } = paginate(c, peer.thingDescriptions(filter).sort(byId));
    const access = httpAccess(c, gateway);
    const how = { 'content-type': 'application/ld+json', ...headers };
    const shown = (item: ThingDescription): ThingDescription => withHttpForms(item, access);
    if (!page) return jsonArray(items, shown, how);
    const members = items.map(shown);
    const collection = { '@context': 'https://www.w3.org/2022/wot/discovery', '@type': 'ThingCollection' };
    return json({ ...collection, ...page, members }, 200, how);
  };

  const one = (c: GatewayContext): Response =>
    td(withHttpForms(findThing(gateway, c), httpAccess(c, gateway)));

  const resolve = async (c: GatewayContext): Promise<Response> => {
    await peer.thingsRead();
    return td(withHttpForms(peer.resolveThing(c.req.param('name') ?? ''), httpAccess(c, gateway)));
  };

  const events = (c: GatewayContext): Response => {
    const only = c.req.param('type');
    if (only !== undefined && !isChangeKind(only))
      throw new AlthingError('not-found', `There are no "${only}" events: ${changeKinds.join(', ')}.`);
    if (c.req.query('diff') === 'true')
      throw new AlthingError('bad-input', 'The directory sends no diffs: read the TD when it changes.');
    if (c.req.method === 'HEAD') return headOfStream();
    return streamChanges(c, gateway, only);
  };

  return [
    { method: 'get', path: '/.well-known/wot', scope: 'read', handle: self },
    { method: 'get', path: '/things', scope: 'read', handle: list },
    { method: 'get', path: '/things/:id', scope: 'read', handle: one },
    { method: 'get', path: '/resolve/:name', scope: 'read', handle: resolve },
    { method: 'get', path: '/events', scope: 'read', handle: events },
    { method: 'get', path: '/events/:type', scope: 'read', handle: events },
  ];
};

const changeKinds = ['thing_created', 'thing_updated', 'thing_deleted'] as const;
const isChangeKind = (text: string): text is DirectoryChange['kind'] =>
  (changeKinds as readonly string[]).includes(text);

const streamChanges = (
  c: GatewayContext,
  gateway: Gateway,
  only: DirectoryChange['kind'] | undefined,
): Response => {
  const returning = c.req.header('last-event-id') !== undefined;
  const run = crypto.randomUUID();
  let count = 0;
  const stream = gateway.streams.open(() => stop(), authorizationOf(c));
  const stop = gateway.peer.onDirectoryChange((change) => {
    if (only !== undefined && change.kind !== only) return;
    count += 1;
    stream.send({ event: change.kind, id: `${run}:${count}`, data: { id: change.td.id } });
  });
  // Changes are not kept, so a reader that comes back is told to look for itself.
  if (returning) {
    const error = new AlthingError('values-missed', 'Changes may have been missed: list the Things again.', {
      details: { missed: null },
    });
    stream.send({ event: problemEvent, data: problemOf(error) });
  }
  return stream.response();
};

/** How the sender of this request reaches the gateway. */
const httpAccess = (c: GatewayContext, gateway: Gateway): HttpAccess =>
  c.env.via === 'tcp'
    ? { base: new URL(c.req.url).origin, scheme: 'bearer' }
    : { base: `http+unix://${encodeURIComponent(gateway.address.socket)}`, scheme: 'nosec' };

const filterOf = (c: GatewayContext): ThingFilter => {
  const { type, q, room } = c.req.query();
  return { ...(type && { type }), ...(q && { query: q }), ...(room && { room }) };
};

/** Pages by `limit` and `offset`, in the plain or the `collection` format (section 7.3.2.1.5). Throws `bad-input`. */
const paginate = (c: GatewayContext, all: ThingDescription[]) => {
  const { limit, offset, format = 'array' } = c.req.query();
  if (format !== 'array' && format !== 'collection')
    throw new AlthingError('bad-input', `The format is array or collection, not "${format}".`);
  const from = wholeNumber('offset', offset, 0) ?? 0;
  const size = wholeNumber('limit', limit, 1) ?? all.length;
  const items = all.slice(from, from + size);
  const pageAt = (at: number): string => {
    const query = new URLSearchParams(c.req.query());
    query.set('offset', String(at));
    query.set('limit', String(size));
    return `/things?${query}`;
  };
  const next = from + size < all.length ? pageAt(from + size) : undefined;
  const links = [...(next ? [`<${next}>; rel="next"`] : []), '</things>; rel="canonical"'];
  const page =
    format === 'collection' ? { '@id': pageAt(from), total: all.length, ...(next && { next }) } : undefined;
  return { items, page, headers: { link: links.join(', ') } };
};

const wholeNumber = (name: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number >= least) return number;
  throw new AlthingError(
    'bad-input',
    `The query parameter ${name} is a whole number from ${least}, not "${text}".`,
  );
};

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);

const td = (description: ThingDescription): Response =>
  json(description, 200, { 'content-type': 'application/td+json' });
