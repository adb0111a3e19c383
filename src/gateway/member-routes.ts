/**
 * What a gateway offers to people who govern the fabric: members, roles, invites, grants, revocation, recovery.
 * Relies on the peer for every decision; bodies are checked here before they reach it.
 */
import {
  array,
  boolean,
  integer,
  isoTimestamp,
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
import type { GrantRequest, RecoverRequest } from '../core/governance-shapes.ts';
import type { CutOptions } from '../peer/governance/governance-api.ts';
import { json } from './json-answer.ts';
import { readObject } from './request-input.ts';
import type { Gateway, GatewayContext, Route } from './routes.ts';

const name = pipe(string(), nonEmpty(), maxLength(256));
const names = pipe(array(name), maxLength(64));
const grantBody = strictObject({
  subject: name,
  things: optional(names),
  type: optional(name),
  all: optional(boolean()),
  operations: optional(array(picklist(['read', 'write', 'invoke', 'subscribe', 'rule']))),
  affordances: optional(names),
  from: optional(pipe(string(), isoTimestamp())),
  forMs: optional(pipe(number(), integer(), minValue(1))),
});
const before = optional(pipe(string(), isoTimestamp()));
const roleBody = strictObject({ role: picklist(['admin', 'member', 'guest']), before });
const revocationBody = strictObject({ subject: name, before });
const labelBody = strictObject({
  name: optional(pipe(string(), maxLength(64))),
  room: optional(pipe(string(), maxLength(64))),
});
const restrictionBody = strictObject({ restricted: boolean() });
const replacementBody = strictObject({ old: name, new: optional(name) });
const recoverBody = strictObject({
  words: pipe(string(), nonEmpty(), maxLength(1024)),
  keep: optional(names),
  revoke: optional(names),
  before,
});
const leaveBody = strictObject({ confirm: optional(boolean(), false) });

/** The routes of governing. */
export const memberRoutes = (gateway: Gateway): Route[] => {
  const { peer } = gateway;
  const { governance } = peer;

  const members = (c: GatewayContext): Response =>
    json(governance.members({ all: c.req.query('all') === 'true' }));

  const setRole = async (c: GatewayContext): Promise<Response> => {
    const { role, ...cut } = await readObject(c, roleBody);
    return json(await governance.setRole(c.req.param('peer') ?? '', role, cutOf(cut)));
  };

  const grant = async (c: GatewayContext): Promise<Response> =>
    json(await governance.grant((await readObject(c, grantBody)) as GrantRequest), 201);

  const rename = async (c: GatewayContext): Promise<Response> => {
    const { name, room } = await readObject(c, labelBody);
    const request = { ...(name !== undefined && { name }), ...(room !== undefined && { room }) };
    return json(await governance.rename(c.req.param('target') ?? '', request));
  };

  const restrict = async (c: GatewayContext): Promise<Response> => {
    const { restricted } = await readObject(c, restrictionBody);
    return json(await governance.restrict(c.req.param('thing') ?? '', restricted));
  };

  const revoke = async (c: GatewayContext): Promise<Response> => {
    const { subject, ...cut } = await readObject(c, revocationBody);
    return json(await governance.revoke(subject, cutOf(cut)), 201);
  };

  const replace = async (c: GatewayContext): Promise<Response> => {
    const body = await readObject(c, replacementBody);
    return json(await governance.replace(body.old, body.new), 201);
  };

  const recover = async (c: GatewayContext): Promise<Response> =>
    json(await governance.recover((await readObject(c, recoverBody)) as RecoverRequest));

  const leave = async (c: GatewayContext): Promise<Response> => {
    const info = await peer.leave(await readObject(c, leaveBody));
    // The peer is no more; its program ends once the answer is out.
    c.env.outgoing.once('close', () => gateway.left());
    return json(info);
  };

  return [
    { method: 'get', path: '/members', scope: 'manage', handle: members },
    { method: 'put', path: '/members/:peer/role', scope: 'manage', handle: setRole },
    { method: 'get', path: '/invites', scope: 'manage', handle: () => json(governance.invites()) },
    { method: 'get', path: '/grants', scope: 'manage', handle: () => json(governance.grants()) },
    { method: 'post', path: '/grants', scope: 'manage', handle: grant },
    { method: 'put', path: '/labels/:target', scope: 'manage', handle: rename },
    { method: 'put', path: '/restrictions/:thing', scope: 'manage', handle: restrict },
    { method: 'post', path: '/revocations', scope: 'manage', handle: revoke },
    { method: 'post', path: '/replacements', scope: 'manage', handle: replace },
    { method: 'post', path: '/recover', scope: 'manage', handle: recover },
    { method: 'post', path: '/leave', scope: 'manage', handle: leave },
  ];
};

const cutOf = (cut: { before?: string | undefined }): CutOptions =>
  cut.before === undefined ? {} : { beforeMs: Date.parse(cut.before) };
