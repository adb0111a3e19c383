/**
 * The gateway's description in OpenAPI 3.1: every path, what it takes, what it answers.
 * Relies on nothing; a test holds it against the routes that are mounted. Loaded when it is asked for.
 */
import { memberPaths, memberSchemas } from './openapi-members.ts';
import {
  body,
  created,
  empty,
  events,
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
import { rulePaths, ruleSchemas } from './openapi-rules.ts';

/** The OpenAPI 3.1 document of a gateway of this version. */
export const openApi = (version: string): Json => ({
  openapi: '3.1.0',
  info: {
    title: 'Althing gateway',
    version,
    description:
      'The HTTP face of an Althing peer: a W3C WoT Discovery directory, the W3C WoT HTTP binding for every Thing of ' +
      'the fabric, and the fabric itself. Over TCP every request carries a bearer token; a token of scope "use" may ' +
      'do what "read" may, one of scope "manage" everything. "Althing-Timeout" gives the milliseconds that a ' +
      'request may take. Errors are RFC 9457 problem details with a member "code".',
  },
  security: [{ token: [] }],
  paths,
  components: {
    securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    schemas,
    responses: {
      Problem: {
        description: 'What went wrong',
        content: { 'application/problem+json': { schema: ref('Problem') } },
      },
    },
  },
});

const thing = inPath('id', "The Thing's id");
const property = inPath('name', "The property's name");
const action = inPath('name', "The action's name");
const event = inPath('name', "The event's name");
const invocation = inPath('invocation', 'The id of the invocation');
const lastEventId: Json = {
  name: 'Last-Event-ID',
  in: 'header',
  description: 'The id of the last message that was read: tells how many values were missed since',
  schema: text,
};
const td = 'application/td+json';

const paths: Json = {
  '/.well-known/wot': {
    get: operation('read', "The directory's own Thing Description", ok('A TD', ref('ThingDescription'), td)),
  },
  '/things': {
    get: operation(
      'read',
      'The Thing Descriptions of the fabric',
      {
        200: {
          description: 'TDs, or short entries with view=summary',
          content: {
            'application/ld+json': { schema: listOf(ref('ThingDescription')) },
            'application/json': { schema: listOf(ref('ThingInfo')) },
          },
        },
      },
      {
        parameters: [
          inQuery('type', 'Only Things of this @type'),
          inQuery('q', 'Only Things with this text in id, title or @type'),
          inQuery('room', 'Only Things in this room'),
          inQuery('view', 'Short entries instead of TDs', { const: 'summary' }),
          inQuery('limit', 'Number of TDs in a page', { type: 'integer', minimum: 1 }),
          inQuery('offset', 'Number of TDs to skip', { type: 'integer', minimum: 0 }),
          inQuery('format', 'How a page is written', { enum: ['array', 'collection'] }),
        ],
      },
    ),
  },
  '/things/{id}': {
    parameters: [thing],
    get: operation('read', 'One Thing Description', ok('A TD', ref('ThingDescription'), td)),
  },
  '/things/{id}/shadow': {
    parameters: [thing],
    get: operation('read', "A Thing's last known values and their ages", ok('Values', ref('ShadowInfo'))),
  },
  '/resolve/{name}': {
    parameters: [inPath('name', 'An id, a unique title or local name, or peer/name (percent-encoded)')],
    get: operation('read', 'The Thing that a name means', ok('A TD', ref('ThingDescription'), td)),
  },
  '/events': {
    get: operation('read', 'Changes of the directory', events('{"id": ...} of each Thing that changed.')),
  },
  '/events/{type}': {
    parameters: [inPath('type', 'thing_created, thing_updated or thing_deleted')],
    get: operation('read', 'Changes of one kind', events('{"id": ...} of each Thing that changed.')),
  },
  '/things/{id}/properties': {
    parameters: [thing],
    get: operation('read', 'Read all properties, or several', ok('Values by name', { type: 'object' }), {
      parameters: [inQuery('name', 'Only this property; may be repeated', listOf(text))],
    }),
    put: operation('use', 'Write several properties', empty('Written'), {
      requestBody: body({ type: 'object' }),
    }),
  },
  '/things/{id}/properties/{name}': {
    parameters: [thing, property],
    get: operation(
      'read',
      'Read a property, or observe it with Accept: text/event-stream',
      {
        200: {
          description: 'The value, or a stream of values',
          content: { 'application/json': { schema: {} }, 'text/event-stream': { schema: text } },
        },
      },
      { parameters: [lastEventId] },
    ),
    put: operation('use', 'Write a property', empty('Written'), { requestBody: body({}) }),
  },
  '/things/{id}/properties/{name}/next': {
    parameters: [thing, property],
    get: operation('read', "Wait for a property's next value (long poll)", ok('The value', {})),
  },
  '/things/{id}/actions/{name}': {
    parameters: [thing, action],
    post: operation(
      'use',
      'Invoke an action',
      {
        ...ok('The output', {}),
        201: {
          description: 'The action goes on: its status, which Location leads to',
          content: { 'application/json': { schema: ref('ActionStatus') } },
        },
        ...empty('Done; the action has no output'),
      },
      { requestBody: body({}, false) },
    ),
  },
  '/things/{id}/actions/{name}/{invocation}': {
    parameters: [thing, action, invocation],
    get: operation('read', "An invocation's status", ok('The status', ref('ActionStatus'))),
    delete: operation('use', 'Cancel an invocation', empty('Cancelled')),
  },
  '/things/{id}/events/{name}': {
    parameters: [thing, event],
    get: operation('read', 'Subscribe to an event', events('The data of each event.'), {
      parameters: [lastEventId],
    }),
  },
  '/things/{id}/events/{name}/next': {
    parameters: [thing, event],
    get: operation('read', 'Wait for the next event (long poll)', ok("The event's data", {})),
  },
  '/peer': { get: operation('read', 'The answering peer', ok('The peer', ref('SelfInfo'))) },
  '/peers': { get: operation('read', 'The members of the fabric', ok('Members', listOf(ref('PeerInfo')))) },
  '/invites': {
    get: operation('manage', 'Invites that still let somebody in', ok('Invites', listOf(ref('InviteEntry')))),
    post: operation('manage', 'Make an invite', created('The ticket', ref('InviteInfo')), {
      requestBody: body(ref('InviteRequest'), false),
    }),
  },
  '/shares': {
    get: operation(
      'manage',
      'The guest passes that were made here and have not expired',
      ok('Passes', listOf(ref('ShareEntry'))),
    ),
    post: operation('manage', 'Make a guest pass', created('The pass', ref('ShareInfo')), {
      requestBody: body(ref('ShareRequest')),
    }),
  },
  '/join': {
    post: operation(
      'manage',
      'Join a fabric, or use a guest pass',
      ok('Where the peer is now', ref('JoinInfo')),
      {
        requestBody: body({
          type: 'object',
          required: ['ticket'],
          properties: { ticket: text, name: text },
        }),
      },
    ),
  },
  '/tokens': {
    get: operation('manage', 'The tokens of this gateway', ok('Tokens', listOf(ref('TokenInfo')))),
    post: operation('manage', 'Make a token', created('The token, shown once', ref('NewToken')), {
      requestBody: body({ type: 'object', properties: { scope: ref('Scope') } }, false),
    }),
  },
  '/tokens/{id}': {
    parameters: [inPath('id', "The token's id")],
    delete: operation('manage', 'Revoke a token', empty('Revoked')),
  },
  '/recovery': {
    post: operation(
      'manage',
      'The recovery words, once',
      ok('The words, which are forgotten with this answer', { type: 'object', properties: { words: text } }),
    ),
  },
  '/snapshots': {
    post: operation('manage', 'Copy all that is stored into a new file in the home', {
      201: {
        description: 'Where the copy is: remove it',
        content: { 'application/json': { schema: { type: 'object', properties: { path: text } } } },
      },
    }),
  },
  ...memberPaths,
  ...rulePaths,
  '/doctor': { get: operation('read', 'What is wrong with this peer', ok('Findings', ref('DoctorReport'))) },
  '/activity': { get: operation('read', 'What the peer does and sees', events('An Activity each.')) },
  '/openapi.json': { get: operation('read', 'This description', ok('OpenAPI 3.1', { type: 'object' })) },
};

const share = {
  id: text,
  things: listOf(text),
  operations: listOf(ref('Operation')),
  uses: { type: 'integer' },
  expires: time,
};

const schemas: Json = {
  ...memberSchemas,
  ...ruleSchemas,
  Problem: object(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      detail: text,
      code: text,
      details: { type: 'object' },
    },
    ['details'],
  ),
  ThingDescription: { type: 'object', description: 'W3C WoT Thing Description 1.1' },
  ThingInfo: object({
    id: text,
    title: text,
    types: listOf(text),
    peer: text,
    online: { type: ['boolean', 'null'] },
  }),
  ShadowInfo: object({
    thing: text,
    properties: {
      type: 'object',
      additionalProperties: object({ value: {}, time, ageMs: { type: 'number' } }),
    },
    omitted: listOf(text),
  }),
  ActionStatus: object(
    {
      id: text,
      status: { enum: ['pending', 'running', 'completed', 'failed', 'cancelled'] },
      href: text,
      output: {},
      error: ref('Problem'),
      timeRequested: time,
      timeEnded: time,
    },
    ['output', 'error', 'timeEnded'],
  ),
  SelfInfo: object({
    peer: text,
    name: text,
    fabric: text,
    fabricName: text,
    role,
    gone: { oneOf: [ref('Departure'), { type: 'null' }] },
    version: text,
    listen: listOf(text),
    gateway: object({ socket: text, http: textOrNull }),
  }),
  PeerInfo: object(
    {
      peer: text,
      name: text,
      role: nullable(role),
      state: { enum: ['self', 'online', 'offline', 'unknown'] },
      rttMs: { type: ['number', 'null'] },
      address: textOrNull,
      lastSeen: textOrNull,
      room: text,
      gone: ref('Departure'),
    },
    ['room', 'gone'],
  ),
  Finding: object(
    {
      check: text,
      level: { enum: ['problem', 'warning', 'ok'] },
      message: text,
      advice: textOrNull,
      peer: text,
    },
    ['peer'],
  ),
  DoctorReport: object({ healthy: { type: 'boolean' }, findings: listOf(ref('Finding')) }),
  InviteRequest: object(
    {
      role: { enum: ['member', 'guest'] },
      uses: { type: 'integer', minimum: 1 },
      expiresMs: { type: 'integer', minimum: 1 },
      replaces: text,
    },
    ['role', 'uses', 'expiresMs', 'replaces'],
  ),
  InviteInfo: object({ ticket: text, id: text, role, uses: { type: 'integer' }, expires: time }),
  JoinInfo: object({ peer: text, fabric: text, role, things: listOf(text) }, ['things']),
  ShareRequest: object(
    {
      things: listOf(text),
      operations: listOf(ref('Operation')),
      affordances: listOf(text),
      forMs: { type: 'integer', minimum: 1 },
      uses: { type: 'integer', minimum: 1 },
    },
    ['operations', 'affordances', 'forMs', 'uses'],
  ),
  ShareInfo: object({ ticket: text, ...share }),
  ShareEntry: object({
    ...share,
    affordances: { type: ['array', 'null'], items: text },
    ended: { type: 'boolean' },
  }),
  Operation: { enum: ['read', 'write', 'invoke', 'subscribe'] },
  Scope: { enum: ['read', 'use', 'manage'] },
  TokenInfo: object({ id: text, scope: ref('Scope'), created: time }),
  NewToken: object({ token: text, id: text, scope: ref('Scope') }),
};
