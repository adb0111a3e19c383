/**
 * The part of the OpenAPI document about governing the fabric: members, roles, grants, revocation, recovery.
 * Relies on `openapi-parts.ts`; the same test holds it against the routes.
 */
import {
  body,
  created,
  inPath,
  inQuery,
  type Json,
  listOf,
  nullable,
  object,
  ok,
  operation,
  ref,
  role,
  text,
  textOrNull,
  time,
} from './openapi-parts.ts';

const bool: Json = { type: 'boolean' };
const count: Json = { type: 'integer' };
const texts = listOf(text);

export const memberPaths: Json = {
  '/members': {
    get: operation(
      'manage',
      'The members, and what is proposed about them',
      ok('Members', listOf(ref('MemberInfo'))),
      {
        parameters: [inQuery('all', 'Also those who are out', { const: 'true' })],
      },
    ),
  },
  '/members/{peer}/role': {
    parameters: [inPath('peer', 'A member by name or id')],
    put: operation(
      'manage',
      'Change a role; to or from admin more than half of the admins must',
      ok('What became of it', ref('RoleInfo')),
      {
        requestBody: body(object({ role, before: time }, ['before'])),
      },
    ),
  },
  '/grants': {
    get: operation('manage', 'The grants that stand', ok('Grants', listOf(ref('GrantInfo')))),
    post: operation('manage', 'Let somebody use Things', created('The grant', ref('GrantInfo')), {
      requestBody: body(ref('GrantRequest')),
    }),
  },
  '/labels/{target}': {
    parameters: [inPath('target', 'A Thing or a peer by id or name (percent-encoded)')],
    put: operation(
      'manage',
      'Say for all what a Thing or a peer is called, and in which room it is; an empty text removes',
      ok('As it is now', object({ id: text, name: textOrNull, room: textOrNull })),
      { requestBody: body(object({ name: text, room: text }, ['name', 'room'])) },
    ),
  },
  '/restrictions/{thing}': {
    parameters: [inPath('thing', 'A Thing by id or name (percent-encoded)')],
    put: operation(
      'manage',
      'Keep a Thing for admins and grants only, or not',
      ok('As it is now', object({ thing: text, restricted: bool })),
      {
        requestBody: body(object({ restricted: bool })),
      },
    ),
  },
  '/revocations': {
    post: operation(
      'manage',
      'End a membership, an invite, a guest pass or a grant',
      created('What became of it', ref('RevocationInfo')),
      {
        requestBody: body(object({ subject: text, before: time }, ['before'])),
      },
    ),
  },
  '/replacements': {
    post: operation(
      'manage',
      'Put a member (default: this peer) in the place of another',
      created('Who took whose place', object({ old: text, new: text })),
      {
        requestBody: body(object({ old: text, new: text }, ['new'])),
      },
    ),
  },
  '/recover': {
    post: operation(
      'manage',
      'Make this peer an admin by the 24 words',
      ok('The admins', object({ admins: texts, removed: texts, revoked: texts })),
      {
        requestBody: body(
          object({ words: text, keep: texts, revoke: texts, before: time }, ['keep', 'revoke', 'before']),
        ),
      },
    ),
  },
  '/leave': {
    post: operation(
      'manage',
      'Leave the fabric; the peer stops',
      ok('What was left', object({ peer: text, fabric: text, told: texts, archive: text })),
      {
        requestBody: body(object({ confirm: bool }, ['confirm']), false),
      },
    ),
  },
};

const change = { inForce: bool, needs: count, waitingFor: texts };
const operations = listOf({ enum: ['read', 'write', 'invoke', 'subscribe', 'rule'] });

export const memberSchemas: Json = {
  Departure: object({
    how: { enum: ['revoked', 'left', 'replaced'] },
    by: text,
    at: time,
    successor: textOrNull,
  }),
  MemberInfo: object({
    peer: text,
    name: textOrNull,
    role: nullable(role),
    since: nullable(time),
    invite: textOrNull,
    confirmed: bool,
    gone: nullable(ref('Departure')),
    proposed: listOf(
      object({ set: text, role: { enum: ['admin', 'member', 'revoked'] }, by: texts, needs: count }),
    ),
  }),
  InviteEntry: object({
    id: text,
    role: { enum: ['member', 'guest'] },
    uses: count,
    used: count,
    expires: time,
    by: text,
    replaces: textOrNull,
  }),
  GrantRequest: object(
    {
      subject: text,
      things: texts,
      type: text,
      all: bool,
      operations,
      affordances: texts,
      from: time,
      forMs: { type: 'integer', minimum: 1 },
    },
    ['things', 'type', 'all', 'operations', 'affordances', 'from', 'forMs'],
  ),
  GrantInfo: object({
    id: text,
    subject: text,
    things: texts,
    types: texts,
    all: bool,
    operations,
    affordances: nullable(texts),
    notBefore: nullable(time),
    expires: nullable(time),
    by: text,
  }),
  RoleInfo: object({ peer: text, role, ...change }),
  RevocationInfo: object({
    what: { enum: ['peer', 'invite', 'pass', 'grant'] },
    id: text,
    ...change,
    unheard: texts,
  }),
};
