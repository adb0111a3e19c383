/**
 * The check of every message that comes from a script's process, before anything is done with it.
 * Relies on valibot; the child trusts its host and does not load this.
 */
import * as v from 'valibot';
import { AlthingError, isErrorCode } from '../../core/errors.ts';
import type { ChildNotice, ChildRequest, Message } from './script-messages.ts';

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const text = v.pipe(v.string(), v.maxLength(4096));
const record = v.record(v.string(), v.unknown());
const what = v.picklist(['property', 'event']);

const chain = v.pipe(
  v.array(
    v.strictObject({
      rule: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,59}$/)),
      firing: v.pipe(v.string(), v.minLength(1), v.maxLength(600)),
      peer: v.pipe(v.string(), v.maxLength(64)),
      atMs: number,
    }),
  ),
  v.maxLength(16),
);

/** Without a step: no script commands as a rule does. */
const cause = v.strictObject({
  id: v.pipe(v.string(), v.maxLength(64)),
  origin: v.picklist(['cli', 'http', 'script', 'program', 'rule']),
  peer: v.pipe(v.string(), v.maxLength(64)),
  chain: v.exactOptional(chain),
});

const options = v.strictObject({
  uriVariables: v.exactOptional(record),
  formIndex: v.exactOptional(number),
  data: v.exactOptional(v.unknown()),
  timeoutMs: v.exactOptional(v.pipe(v.number(), v.minValue(0))),
  cause: v.exactOptional(cause),
});

const filter = v.strictObject({
  fragment: v.exactOptional(record),
  query: v.exactOptional(text),
  type: v.exactOptional(text),
  room: v.exactOptional(text),
});

const use = v.picklist([
  'readproperty',
  'writeproperty',
  'readallproperties',
  'readmultipleproperties',
  'writemultipleproperties',
  'invokeaction',
  'queryaction',
  'cancelaction',
]);

const carried = {
  value: v.exactOptional(v.unknown()),
  bytes: v.exactOptional(v.pipe(v.string(), v.base64())),
};
const requestParams = {
  produce: v.strictObject({ td: v.looseObject({ title: v.pipe(v.string(), v.maxLength(1024)) }) }),
  expose: v.strictObject({ thing: number }),
  destroy: v.strictObject({ thing: number }),
  emit: v.strictObject({ thing: number, what, name, ...carried }),
  describe: v.strictObject({ thing: text }),
  discover: v.strictObject({ filter: v.exactOptional(filter) }),
  consume: v.strictObject({ td: v.union([text, record]) }),
  use: v.strictObject({ consumed: number, use, name: v.exactOptional(name), options, ...carried }),
  open: v.strictObject({ consumed: number, stream: number, what, name, options }),
  close: v.strictObject({ stream: number }),
};

const handler = v.picklist([
  'readProperty',
  'writeProperty',
  'observeProperty',
  'unobserveProperty',
  'invokeAction',
  'subscribeEvent',
  'unsubscribeEvent',
]);

const empty = v.strictObject({});
const noticeParams = {
  started: empty,
  fatal: v.strictObject({ message: text }),
  flooded: empty,
  pong: v.strictObject({ rssBytes: number }),
  handler: v.strictObject({ thing: number, handler, name }),
  credit: v.strictObject({ stream: number, count: number }),
  release: v.strictObject({ consumed: number }),
};

const request = <Op extends keyof typeof requestParams>(op: Op) =>
  v.strictObject({ kind: v.literal('request'), id: number, op: v.literal(op), params: requestParams[op] });
const notice = <Topic extends keyof typeof noticeParams>(topic: Topic) =>
  v.strictObject({ kind: v.literal('notice'), topic: v.literal(topic), params: noticeParams[topic] });

const schema = v.variant('kind', [
  v.variant('op', [
    request('produce'),
    request('expose'),
    request('destroy'),
    request('emit'),
    request('describe'),
    request('discover'),
    request('consume'),
    request('use'),
    request('open'),
    request('close'),
  ]),
  v.variant('topic', [
    notice('started'),
    notice('fatal'),
    notice('flooded'),
    notice('pong'),
    notice('handler'),
    notice('credit'),
    notice('release'),
  ]),
  v.strictObject({ kind: v.literal('result'), id: number, ...carried }),
  v.strictObject({
    kind: v.literal('failure'),
    id: number,
    code: v.custom<string>(isErrorCode),
    message: text,
    details: v.exactOptional(record),
  }),
  v.strictObject({ kind: v.literal('cancel'), id: number }),
]);

/** A message of the child, checked. Throws `protocol-error`. */
export const checkChildMessage = (raw: unknown): Message<ChildRequest, ChildNotice> => {
  const result = v.safeParse(schema, raw, { abortEarly: true });
  if (result.success) return result.output as Message<ChildRequest, ChildNotice>;
  const issue = result.issues[0];
  const path = issue.path?.map((part) => String(part.key)).join('.') ?? 'message';
  throw new AlthingError('protocol-error', `A message of the script's process is malformed at ${path}.`);
};
