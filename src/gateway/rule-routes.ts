/**
 * What a gateway offers to people who automate: rules, dry runs, traces and reasons, scenes, the place of the fabric.
 * Relies on the peer for every decision; bodies are checked here before they reach it.
 */
import {
  array,
  boolean,
  finite,
  maxLength,
  nonEmpty,
  nullable,
  number,
  optional,
  pipe,
  strictObject,
  string,
  unknown,
} from 'valibot';
import { AlthingError } from '../core/errors.ts';
import type { PlaceInfo } from '../core/rule-shapes.ts';
import type { SceneRequest } from '../peer/rules/rules-api.ts';
import { json } from './json-answer.ts';
import { callOptions, readObject } from './request-input.ts';
import type { Gateway, GatewayContext, Route } from './routes.ts';

const name = pipe(string(), nonEmpty(), maxLength(256));
const applyBody = strictObject({ yaml: pipe(string(), maxLength(1024 * 1024)) });
const enabledBody = strictObject({ enabled: boolean() });
const fireBody = strictObject({ input: optional(unknown()) });
const testBody = strictObject({ trigger: optional(name), event: optional(unknown()) });
const sceneBody = strictObject({ room: optional(name), things: optional(pipe(array(name), maxLength(256))) });
const degrees = optional(nullable(pipe(number(), finite())));
const placeBody = strictObject({ zone: optional(name), latitude: degrees, longitude: degrees });
const emptyBody = strictObject({});
const largestLimit = 500;

/** The routes of automation. */
export const ruleRoutes = (gateway: Gateway): Route[] => {
  const { rules } = gateway.peer;
  const ruleOf = (c: GatewayContext): string => c.req.param('rule') ?? '';
  const sceneOf = (c: GatewayContext): string => c.req.param('scene') ?? '';

  const apply = async (c: GatewayContext): Promise<Response> =>
    json(await rules.apply((await readObject(c, applyBody)).yaml));

  const remove = async (c: GatewayContext): Promise<Response> => {
    await rules.remove(ruleOf(c));
    return new Response(null, { status: 204 });
  };

  const setEnabled = async (c: GatewayContext): Promise<Response> =>
    json(await rules.setEnabled(ruleOf(c), (await readObject(c, enabledBody)).enabled));

  const fire = async (c: GatewayContext): Promise<Response> =>
    json(await rules.fire(ruleOf(c), (await readObject(c, fireBody)).input), 201);

  const test = async (c: GatewayContext): Promise<Response> => {
    const { trigger, ...event } = await readObject(c, testBody);
    return json(await rules.test(ruleOf(c), { ...event, ...(trigger !== undefined && { trigger }) }));
  };

  const executions = async (c: GatewayContext): Promise<Response> =>
    json(await rules.trace(ruleOf(c), limitOf(c)));

  const why = async (c: GatewayContext): Promise<Response> =>
    json(await rules.why(c.req.param('thing') ?? ''));

  const kept = async (c: GatewayContext): Promise<Response> => json(await rules.activity(limitOf(c)));

  const saveScene = async (c: GatewayContext): Promise<Response> =>
    json(await rules.saveScene(sceneOf(c), (await readObject(c, sceneBody)) as SceneRequest));

  const removeScene = async (c: GatewayContext): Promise<Response> => {
    await rules.removeScene(sceneOf(c));
    return new Response(null, { status: 204 });
  };

  const applyScene = async (c: GatewayContext): Promise<Response> => {
    await readObject(c, emptyBody);
    const { cause } = callOptions(c, gateway);
    return json(await rules.applyScene(sceneOf(c), { ...(cause && { cause }) }));
  };

  const setPlace = async (c: GatewayContext): Promise<Response> =>
    json(await rules.setPlace((await readObject(c, placeBody)) as Partial<PlaceInfo>));

  return [
    { method: 'get', path: '/rules', scope: 'read', handle: async () => json(await rules.list()) },
    { method: 'put', path: '/rules', scope: 'manage', handle: apply },
    {
      method: 'get',
      path: '/rules/:rule',
      scope: 'read',
      handle: async (c) => json(await rules.show(ruleOf(c))),
    },
    { method: 'delete', path: '/rules/:rule', scope: 'manage', handle: remove },
    { method: 'put', path: '/rules/:rule/enabled', scope: 'manage', handle: setEnabled },
    { method: 'post', path: '/rules/:rule/firings', scope: 'use', handle: fire },
    { method: 'post', path: '/rules/:rule/test', scope: 'read', handle: test },
    { method: 'get', path: '/rules/:rule/executions', scope: 'read', handle: executions },
    { method: 'get', path: '/why/:thing', scope: 'read', handle: why },
    { method: 'get', path: '/activity/kept', scope: 'read', handle: kept },
    { method: 'get', path: '/scenes', scope: 'read', handle: async () => json(await rules.scenes()) },
    { method: 'put', path: '/scenes/:scene', scope: 'manage', handle: saveScene },
    { method: 'delete', path: '/scenes/:scene', scope: 'manage', handle: removeScene },
    { method: 'post', path: '/scenes/:scene/apply', scope: 'use', handle: applyScene },
    { method: 'get', path: '/place', scope: 'read', handle: async () => json(await rules.place()) },
    { method: 'put', path: '/place', scope: 'manage', handle: setPlace },
  ];
};

/** `?limit=N`: how many at most. Throws `bad-input`. */
const limitOf = (c: GatewayContext): { limit?: number } => {
  const text = c.req.query('limit');
  if (text === undefined) return {};
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > largestLimit)
    throw new AlthingError('bad-input', `limit takes 1 to ${largestLimit}, not "${text}".`);
  return { limit };
};
