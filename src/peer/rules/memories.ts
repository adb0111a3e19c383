/**
 * What devices remember of rules, gathered from their desks: what a rule did, what a Thing obeyed and what led there.
 * Relies on a way to ask; whoever cannot be asked is named. What others answer is checked before it is used.
 */
import * as v from 'valibot';
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import { isPeerId, type PeerId, parseThingId } from '../../core/ids.ts';
import type { ExecutionInfo, LinkInfo, ObeyedInfo, TraceInfo, UnaskedInfo } from '../../core/rule-shapes.ts';
import type { DeviceRules } from './device-rules.ts';
import { findRule, watchersOf } from './rule-editing.ts';
import { ruleKeyOf } from './rule-key.ts';
import { fullMembers, type RuledFabric, shownName } from './rule-lookup.ts';

/** How devices are asked. */
export interface Memories {
  readonly fabric: RuledFabric;
  readonly ask: DeviceRules['ask'];
}

/** What a Thing obeyed, and the executions behind that. */
export interface Reasons {
  readonly commands: readonly ObeyedInfo[];
  readonly executions: readonly ExecutionInfo[];
  readonly unasked: readonly UnaskedInfo[];
}

const askTimeoutMs = 3000;
/** Peers asked at once: in a larger fabric, those that could have run the rule come first. */
const maxAsked = 64;
const defaultLimit = 20;

const time = v.pipe(v.string(), v.maxLength(40), v.isoTimestamp());
const short = v.pipe(v.string(), v.maxLength(1000));
const shortOrNull = v.nullable(short);
const peerId = v.pipe(
  v.string(),
  v.check((id) => isPeerId(id)),
);
const chain = v.pipe(v.array(v.object({ rule: short, firing: short, peer: peerId, time })), v.maxLength(16));
const hidden = v.exactOptional(v.literal(true));
const plain = { value: v.exactOptional(v.unknown()), hidden };
const execution = v.object({
  firing: short,
  rule: short,
  name: short,
  peer: peerId,
  started: time,
  ended: v.nullable(time),
  trigger: v.object({
    kind: v.picklist(['property', 'event', 'time', 'peer', 'thing', 'manual']),
    id: short,
    thing: shortOrNull,
    peer: shortOrNull,
    name: shortOrNull,
    ...plain,
    previous: v.exactOptional(v.unknown()),
    event: v.exactOptional(v.unknown()),
    goes: v.nullable(v.picklist(['online', 'offline'])),
  }),
  chain,
  conditions: v.array(
    v.object({
      text: v.pipe(v.string(), v.maxLength(3000)),
      result: v.picklist(['true', 'false', 'unknown', 'error']),
      values: v.array(
        v.object({
          ...{ what: short, thing: v.exactOptional(shortOrNull), ...plain },
          ageMs: v.nullable(v.number()),
        }),
      ),
      message: v.nullable(v.string()),
    }),
  ),
  steps: v.array(
    v.object({
      path: short,
      time,
      what: v.picklist(['done', 'failed', 'unknown', 'continued', 'timeout', 'chosen', 'round']),
      thing: shortOrNull,
      op: shortOrNull,
      name: shortOrNull,
      input: v.exactOptional(v.unknown()),
      hidden,
      code: shortOrNull,
    }),
  ),
  outcome: v.picklist([
    ...(['running', 'done', 'stopped', 'failed', 'cancelled'] as const),
    ...(['superseded', 'lost', 'not-run', 'refused'] as const),
  ]),
  message: v.nullable(v.string()),
});
const obeyed = v.object({
  thing: short,
  op: short,
  name: shortOrNull,
  input: v.exactOptional(v.unknown()),
  time,
  peer: peerId,
  origin: v.picklist(['cli', 'http', 'script', 'program', 'rule']),
  began: peerId,
  chain,
  outcome: short,
});

/** What a rule did, newest first, at every peer that could be asked. Throws `rule-unknown`. */
export const traceOf = async (
  memories: Memories,
  name: string,
  { limit = defaultLimit }: { limit?: number } = {},
): Promise<TraceInfo> => {
  const { fabric } = memories;
  const { replica } = fabric;
  const known = findRule(fabric, name);
  const rule = known?.key ?? ruleKeyOf(name);
  const members = fullMembers(replica);
  // Whoever watches for its triggers, first this peer; by hand, and with triggers that it once had, anybody may have.
  const likely = new Set([replica.self, ...(known ? watchersOf(fabric, known.rule) : [])]);
  const all = [...likely, ...members.filter((peer) => !likely.has(peer))];
  const asked = all.slice(0, maxAsked);
  const unasked: UnaskedInfo[] = [];
  const answers = await Promise.all(
    asked.map(async (peer) => {
      const input = { rule, limit: Math.min(limit, 50) };
      return (await answerOf(memories, peer, 'executions', input, unasked)) as ExecutionInfo[];
    }),
  );
  const executions = answers
    .flat()
    .filter((one) => one.rule === rule)
    .sort((a, b) => (a.started < b.started ? 1 : -1))
    .slice(0, limit);
  if (!known && executions.length === 0)
    throw new AlthingError(
      'rule-unknown',
      `There is no rule "${name}", and nobody who can be asked knows of one.`,
    );
  return { executions, unasked, notAsked: all.length - asked.length };
};

/** What a Thing obeyed last, one command for each affordance, newest first, and what led to it. */
export const reasonsOf = async (memories: Memories, thing: string): Promise<Reasons> => {
  const { replica } = memories.fabric;
  const owner = parseThingId(thing)?.peer;
  if (!owner) throw new AlthingError('thing-unknown', `"${thing}" is no Thing of this fabric.`);
  const unasked: UnaskedInfo[] = [];
  const host = replica.authority.speakerOf(owner);
  const all = (await answerOf(memories, host, 'obeyed', { thing }, unasked)) as ObeyedInfo[];
  const seen = new Set<string>();
  const commands = all.filter(({ op, name }) => {
    const affordance = `${op} ${name}`;
    return !seen.has(affordance) && seen.add(affordance);
  });
  const executions = await executionsBehind(memories, commands, unasked);
  return { commands, executions, unasked };
};

/** The executions of all links of the commands' chains, each asked for where it ran. */
const executionsBehind = async (
  memories: Memories,
  commands: readonly ObeyedInfo[],
  unasked: UnaskedInfo[],
): Promise<ExecutionInfo[]> => {
  const links = new Map<string, LinkInfo>();
  for (const command of commands) for (const link of command.chain) links.set(link.firing, link);
  const found = await Promise.all(
    [...links.values()].map(async ({ rule, firing, peer }) => {
      const input = { rule, firing, limit: 1 };
      return (await answerOf(memories, peer, 'executions', input, unasked)) as ExecutionInfo[];
    }),
  );
  return found.flat().filter(({ firing }) => links.has(firing));
};

/** A desk's answer, as far as it is one; a peer that cannot be asked is noted once. */
const answerOf = async (
  { fabric, ask }: Memories,
  peer: PeerId,
  name: 'executions' | 'obeyed',
  input: object,
  unasked: UnaskedInfo[],
): Promise<unknown[]> => {
  try {
    const answer = await ask(peer, name, input as never, { timeoutMs: askTimeoutMs });
    const schema = name === 'executions' ? execution : obeyed;
    return (Array.isArray(answer) ? answer : []).flatMap((one) => {
      const parsed = v.safeParse(schema, one);
      // What a peer makes up of others it may: it is shown as what that peer said, and nothing follows from it.
      return parsed.success ? [parsed.output] : [];
    });
  } catch (thrown) {
    if (!unasked.some((one) => one.peer === peer))
      unasked.push({ peer, name: shownName(fabric, peer), code: toAlthingError(thrown).code });
    return [];
  }
};
