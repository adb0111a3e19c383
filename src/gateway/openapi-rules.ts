/**
 * The part of the OpenAPI document about automation: rules, what they did and why, scenes, the place of the fabric.
 * Relies on `openapi-parts.ts`; the same test holds it against the routes.
 */
import {
  body,
  created,
  empty,
  inPath,
  inQuery,
  type Json,
  listOf,
  object,
  ok,
  operation,
  ref,
  text,
  textOrNull,
  time,
} from './openapi-parts.ts';

const bool: Json = { type: 'boolean' };
const count: Json = { type: 'integer' };
const numberOrNull: Json = { type: ['number', 'null'] };
const timeOrNull: Json = { type: ['string', 'null'], format: 'date-time' };
const rule = inPath('rule', 'A rule by its key or name (percent-encoded)');
const scene = inPath('scene', 'A scene by its key or name (percent-encoded)');
const limit = inQuery('limit', 'How many at most', { type: 'integer', minimum: 1, maximum: 500 });

export const rulePaths: Json = {
  '/rules': {
    get: operation('read', 'The rules', ok('Rules', listOf(ref('RuleInfo')))),
    put: operation(
      'manage',
      'Apply rules in YAML, all of them or none; what is wrong comes as details.problems with lines and columns',
      ok('What became of each', listOf(ref('AppliedRule'))),
      { requestBody: body(object({ yaml: text })) },
    ),
  },
  '/rules/{rule}': {
    parameters: [rule],
    get: operation('read', 'A rule, with its text in YAML', ok('The rule', ref('RuleDocument'))),
    delete: operation('manage', 'Remove a rule', empty('Removed')),
  },
  '/rules/{rule}/enabled': {
    parameters: [rule],
    put: operation('manage', 'Let a rule fire, or not', ok('The rule', ref('RuleInfo')), {
      requestBody: body(object({ enabled: bool })),
    }),
  },
  '/rules/{rule}/firings': {
    parameters: [rule],
    post: operation('use', 'Fire a rule by hand', created('Its firing', object({ firing: text })), {
      requestBody: body(object({ input: {} }, ['input']), false),
    }),
  },
  '/rules/{rule}/test': {
    parameters: [rule],
    post: operation(
      'read',
      'What the rule would do now; nothing is commanded',
      ok('A dry run', ref('DryRunInfo')),
      { requestBody: body(object({ trigger: text, event: {} }, ['trigger', 'event']), false) },
    ),
  },
  '/rules/{rule}/executions': {
    parameters: [rule],
    get: operation('read', 'What a rule did, newest first', ok('Executions', ref('TraceInfo')), {
      parameters: [limit],
    }),
  },
  '/why/{thing}': {
    parameters: [inPath('thing', 'A Thing by id or name (percent-encoded)')],
    get: operation('read', 'Why a Thing is as it is', ok('Why', ref('WhyInfo'))),
  },
  '/activity/kept': {
    get: operation(
      'read',
      'What is kept of rules that ran here and commands that were obeyed here, newest last',
      ok('Activities', listOf(ref('Activity'))),
      { parameters: [limit] },
    ),
  },
  '/scenes': {
    get: operation('read', 'The scenes', ok('Scenes', listOf(ref('SceneInfo')))),
  },
  '/scenes/{scene}': {
    parameters: [scene],
    put: operation(
      'manage',
      'Keep the values that Things have now as a scene',
      ok('The scene', ref('SceneInfo')),
      { requestBody: body(object({ room: text, things: listOf(text) }, ['room', 'things'])) },
    ),
    delete: operation('manage', 'Remove a scene', empty('Removed')),
  },
  '/scenes/{scene}/apply': {
    parameters: [scene],
    post: operation('use', 'Apply a scene', ok('What became of each value', ref('AppliedScene'))),
  },
  '/place': {
    get: operation('read', 'Where the fabric is', ok('The place', ref('Place'))),
    put: operation('manage', 'Say where the fabric is', ok('The place', ref('Place')), {
      requestBody: body(
        object({ zone: text, latitude: numberOrNull, longitude: numberOrNull }, [
          'zone',
          'latitude',
          'longitude',
        ]),
      ),
    }),
  },
};

const ruleInfo = {
  rule: text,
  name: text,
  description: textOrNull,
  enabled: bool,
  mode: { enum: ['single', 'restart', 'queued', 'parallel'] },
  author: text,
  ofMember: bool,
  notInForce: textOrNull,
  changed: time,
  unresolved: listOf(text),
  watchedBy: listOf(text),
  running: count,
  lastFired: timeOrNull,
};
const outcome: Json = {
  enum: [
    ...['running', 'done', 'stopped', 'failed', 'cancelled'],
    ...['superseded', 'lost', 'not-run', 'refused'],
  ],
};

export const ruleSchemas: Json = {
  RuleInfo: object(ruleInfo),
  RuleDocument: object({ ...ruleInfo, yaml: text }),
  RuleNote: object({ line: count, column: count, message: text }),
  AppliedRule: object({
    rule: text,
    name: text,
    result: { enum: ['created', 'changed', 'same'] },
    warnings: listOf(ref('RuleNote')),
  }),
  CauseLink: object({ rule: text, firing: text, peer: text, time }),
  RuleTrigger: object(
    {
      kind: { enum: ['property', 'event', 'time', 'peer', 'thing', 'manual'] },
      id: text,
      thing: textOrNull,
      peer: textOrNull,
      name: textOrNull,
      value: {},
      previous: {},
      event: {},
      hidden: bool,
      goes: { enum: ['online', 'offline', null] },
    },
    ['value', 'previous', 'event', 'hidden'],
  ),
  RuleCondition: object({
    text,
    result: { enum: ['true', 'false', 'unknown', 'error'] },
    values: listOf(
      object({ what: text, thing: textOrNull, value: {}, hidden: bool, ageMs: numberOrNull }, [
        ...['thing', 'value', 'hidden'],
      ]),
    ),
    message: textOrNull,
  }),
  RuleStep: object(
    {
      path: text,
      time,
      what: { enum: ['done', 'failed', 'unknown', 'continued', 'timeout', 'chosen', 'round'] },
      thing: textOrNull,
      op: textOrNull,
      name: textOrNull,
      input: {},
      hidden: bool,
      code: textOrNull,
    },
    ['input', 'hidden'],
  ),
  Execution: object({
    firing: text,
    rule: text,
    name: text,
    peer: text,
    started: time,
    ended: timeOrNull,
    trigger: ref('RuleTrigger'),
    chain: listOf(ref('CauseLink')),
    conditions: listOf(ref('RuleCondition')),
    steps: listOf(ref('RuleStep')),
    outcome,
    message: textOrNull,
  }),
  Obeyed: object(
    {
      thing: text,
      op: text,
      name: textOrNull,
      input: {},
      time,
      peer: text,
      origin: { enum: ['cli', 'http', 'script', 'program', 'rule'] },
      began: text,
      chain: listOf(ref('CauseLink')),
      outcome: text,
    },
    ['input'],
  ),
  Unasked: object({ peer: text, name: text, code: text }),
  TraceInfo: object({
    executions: listOf(ref('Execution')),
    unasked: listOf(ref('Unasked')),
    notAsked: count,
  }),
  WhyInfo: object({
    thing: text,
    title: text,
    commands: listOf(ref('Obeyed')),
    executions: listOf(ref('Execution')),
    unasked: listOf(ref('Unasked')),
    sentences: listOf(text),
  }),
  DryRunInfo: object({
    rule: text,
    trigger: ref('RuleTrigger'),
    conditions: listOf(ref('RuleCondition')),
    runs: bool,
    steps: listOf(object({ path: text, text })),
    outcome,
    message: textOrNull,
  }),
  SceneInfo: object({
    scene: text,
    name: text,
    author: text,
    values: listOf(object({ thing: text, property: text, value: {} })),
  }),
  AppliedScene: object({
    scene: text,
    results: listOf(object({ thing: text, property: text, outcome: text })),
  }),
  Place: object({ zone: text, latitude: numberOrNull, longitude: numberOrNull }),
  Activity: object(
    {
      time,
      kind: text,
      rule: text,
      firing: text,
      peer: text,
      thing: text,
      op: text,
      name: text,
      outcome: text,
      rttMs: { type: 'number' },
      message: text,
    },
    ['rule', 'firing', 'peer', 'thing', 'op', 'name', 'outcome', 'rttMs', 'message'],
  ),
};
