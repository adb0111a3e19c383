/**
 * The WoT HTTP binding for every Thing of the fabric: properties, actions and events by request, SSE and long poll.
 * Relies on the peer to find the Thing, to check access and to check values; follows the WoT Profile.
 */
import { AlthingError, type ErrorCode, isErrorCode } from '../core/errors.ts';
import type { StreamOperation, ThingCall } from '../thing/operations.ts';
import type { ActionStatus } from '../thing/scripting-api.ts';
import type { ActionAffordance, Affordance, ThingDescription } from '../thing/thing-description.ts';
import { contentTypeOf, thingPath } from './http-forms.ts';
import { problemOf } from './problem.ts';
import { callOptions, readInput, readUriVariables } from './request-input.ts';
import type { Gateway, GatewayContext, Route } from './routes.ts';
import { jsonOf } from './sse.ts';
import { nextValue, streamValues } from './thing-streams.ts';

type Kind = 'properties' | 'actions' | 'events';

/** The routes below `/things/{id}`. */
export const thingRoutes = (gateway: Gateway): Route[] => {
  const { peer } = gateway;

  const read = async (c: GatewayContext): Promise<Response> => {
    const target = find(gateway, c, 'properties');
    if (wantsStream(c)) return streamValues(c, gateway, streamCall(c, target, 'observeproperty'));
    const value = await peer.request(
      { thing: target.td.id, op: 'readproperty', name: target.name, ...variablesOf(c, target.affordance) },
      callOptions(c, gateway),
    );
    return valueResponse(value, target.affordance);
  };

  const write = async (c: GatewayContext): Promise<Response> => {
    const { td, name, affordance } = find(gateway, c, 'properties');
    const input = await readInput(c);
    if (input === undefined)
      throw new AlthingError('bad-input', `The body is empty: send the value for "${name}" as JSON.`);
    await peer.request(
      { thing: td.id, op: 'writeproperty', name, input, ...variablesOf(c, affordance) },
      callOptions(c, gateway),
    );
    return noContent();
  };

  const readMany = async (c: GatewayContext): Promise<Response> => {
    const thing = findThing(gateway, c).id;
    const names = c.req.queries('name');
    const values = await peer.request(
      names ? { thing, op: 'readmultipleproperties', input: names } : { thing, op: 'readallproperties' },
      callOptions(c, gateway),
    );
    return json(values);
  };

  const writeMany = async (c: GatewayContext): Promise<Response> => {
    const thing = findThing(gateway, c).id;
    const input = await readInput(c);
    if (typeof input !== 'object' || input === null || Array.isArray(input) || input instanceof Uint8Array)
      throw new AlthingError('bad-input', 'The body must be a JSON object of property names and values.');
    await peer.request({ thing, op: 'writemultipleproperties', input }, callOptions(c, gateway));
    return noContent();
  };

  const invoke = async (c: GatewayContext): Promise<Response> => {
    const { td, name, affordance } = find(gateway, c, 'actions');
    const input = await readInput(c);
    const output = await peer.request(
      {
        thing: td.id,
        op: 'invokeaction',
        name,
        ...(input === undefined ? {} : { input }),
        ...variablesOf(c, affordance),
      },
      callOptions(c, gateway),
    );
    if ((affordance as ActionAffordance).synchronous === false) {
      const status = statusOnTheWire(output as ActionStatus, td.id, name);
      return json(status, 201, { location: status.href });
    }
    const silent = (affordance as ActionAffordance).output === undefined;
    return silent && (output ?? null) === null ? noContent() : valueResponse(output, affordance);
  };

  const invocationCall = <Op extends 'queryaction' | 'cancelaction'>(c: GatewayContext, op: Op) => {
    const { td, name } = find(gateway, c, 'actions');
    return { thing: td.id, op, name, input: c.req.param('invocation') } as const;
  };

  const query = async (c: GatewayContext): Promise<Response> => {
    const call = invocationCall(c, 'queryaction');
    const status = (await peer.request(call, callOptions(c, gateway))) as ActionStatus;
    return json(statusOnTheWire(status, call.thing, call.name));
  };

  const cancel = async (c: GatewayContext): Promise<Response> => {
    await peer.request(invocationCall(c, 'cancelaction'), callOptions(c, gateway));
    return noContent();
  };

  const stream = (kind: 'properties' | 'events') => (c: GatewayContext) =>
    streamValues(c, gateway, streamCall(c, find(gateway, c, kind), streamOps[kind]));

  const next = (kind: 'properties' | 'events') => async (c: GatewayContext) => {
    const target = find(gateway, c, kind);
    // Clients open a long poll with a HEAD, to learn whether they may.
    if (c.req.method === 'HEAD') return valueResponse(null, target.affordance);
    return valueResponse(
      await nextValue(c, gateway, streamCall(c, target, streamOps[kind])),
      target.affordance,
    );
  };

  const shadow = (c: GatewayContext): Response => json(peer.lastKnown(findThing(gateway, c).id));

  return [
    { method: 'get', path: '/things/:id/shadow', scope: 'read', handle: shadow },
    { method: 'get', path: '/things/:id/properties', scope: 'read', handle: readMany },
    { method: 'put', path: '/things/:id/properties', scope: 'use', handle: writeMany },
    { method: 'get', path: '/things/:id/properties/:name', scope: 'read', handle: read },
    { method: 'put', path: '/things/:id/properties/:name', scope: 'use', handle: write },
    { method: 'get', path: '/things/:id/properties/:name/next', scope: 'read', handle: next('properties') },
    { method: 'post', path: '/things/:id/actions/:name', scope: 'use', handle: invoke },
    { method: 'get', path: '/things/:id/actions/:name/:invocation', scope: 'read', handle: query },
    { method: 'delete', path: '/things/:id/actions/:name/:invocation', scope: 'use', handle: cancel },
    { method: 'get', path: '/things/:id/events/:name', scope: 'read', handle: stream('events') },
    { method: 'get', path: '/things/:id/events/:name/next', scope: 'read', handle: next('events') },
  ];
};

const streamOps = { properties: 'observeproperty', events: 'subscribeevent' } as const;

/** The TD of the Thing with exactly the id in the path. Throws `thing-unknown`: titles go through `/resolve`. */
export const findThing = (gateway: Gateway, c: GatewayContext): ThingDescription => {
  const id = c.req.param('id') ?? '';
  const td = gateway.peer.resolveThing(id);
  if (td.id === id) return td;
  throw new AlthingError(
    'thing-unknown',
    `No Thing has the id "${id}". Resolve a name at /resolve/NAME first.`,
  );
};

interface Target {
  readonly td: ThingDescription;
  readonly name: string;
  readonly affordance: Affordance;
}

const find = (gateway: Gateway, c: GatewayContext, kind: Kind): Target => {
  const td = findThing(gateway, c);
  const name = c.req.param('name') ?? '';
  const affordances: Readonly<Record<string, Affordance>> = td[kind] ?? {};
  const affordance = Object.hasOwn(affordances, name) ? affordances[name] : undefined;
  if (affordance) return { td, name, affordance };
  throw new AlthingError('affordance-unknown', `"${td.title}" has nothing called "${name}" in its ${kind}.`);
};

const streamCall = <Op extends StreamOperation>(
  c: GatewayContext,
  target: Target,
  op: Op,
): ThingCall<Op> => ({
  thing: target.td.id,
  op,
  name: target.name,
  ...variablesOf(c, target.affordance),
});

const variablesOf = (c: GatewayContext, affordance: Affordance) => {
  const uriVariables = readUriVariables(c, affordance);
  return Object.keys(uriVariables).length === 0 ? {} : { uriVariables };
};

const wantsStream = (c: GatewayContext): boolean =>
  c.req.header('accept')?.includes('text/event-stream') ?? false;

/** An ActionStatus as the WoT Profile writes it: with its address, and its error as problem details. */
const statusOnTheWire = (status: ActionStatus, thing: string, action: string) => {
  if (typeof status?.id !== 'string')
    throw new AlthingError('protocol-error', `The device answered "${action}" without an ActionStatus.`);
  const { error, ...rest } = status;
  const code: ErrorCode = isErrorCode(error?.code) ? error.code : 'handler-failed';
  return {
    ...rest,
    href: thingPath(thing, 'actions', action, status.id),
    ...(error && { error: problemOf(new AlthingError(code, error.message)) }),
  };
};

/** Bytes in the media type that the device declares; everything else as JSON. */
const valueResponse = (value: unknown, affordance: Affordance): Response => {
  if (!(value instanceof Uint8Array)) return json(value);
  const declared = contentTypeOf(affordance);
  const type = declared === 'application/json' ? 'application/octet-stream' : declared;
  return new Response(new Uint8Array(value), {
    headers: { 'content-type': type, 'cache-control': 'no-store' },
  });
};

const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(jsonOf(value), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  });

const noContent = (): Response => new Response(null, { status: 204 });
