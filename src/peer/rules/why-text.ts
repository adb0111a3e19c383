/**
 * Why a Thing is as it is, as sentences: what it obeyed, who began that, which rules led there and what they saw.
 * Relies on what was gathered; names and the wall clock of the fabric's place are passed in.
 */
import type {
  ExecutionInfo,
  LinkInfo,
  ObeyedInfo,
  TriggerInfo,
  UnaskedInfo,
} from '../../core/rule-shapes.ts';

/** How things are called and times are said. */
export interface WhyWords {
  /** What people call a Thing or a peer. */
  readonly nameOf: (id: string) => string;
  /** A text with the ids in it replaced by names. */
  readonly named: (text: string) => string;
  /** `18:02:11`, or with its day where that is another one. */
  readonly timeText: (rfc3339: string) => string;
}

const switches = new Set(['on', 'power', 'switch', 'switched']);
const longestValue = 80;

/** The sentences, in the order in which to read them. */
export const whySentences = (
  {
    thing,
    commands,
    executions,
    unasked,
  }: {
    readonly thing: string;
    readonly commands: readonly ObeyedInfo[];
    readonly executions: readonly ExecutionInfo[];
    readonly unasked: readonly UnaskedInfo[];
  },
  words: WhyWords,
): string[] => {
  const found = new Map(executions.map((execution) => [execution.firing, execution]));
  /** A rule that several commands came from is told of once. */
  const told = new Set<string>();
  const title = words.nameOf(thing);
  const sentences = commands.flatMap((command) => [
    commandSentence(title, command, found, words),
    ...chainSentences(command.chain, found, told, words),
  ]);
  if (commands.length === 0 && unasked.length === 0)
    sentences.push(
      `Nothing that ${title} was told to do is remembered: it is as it is by itself, or by hand.`,
    );
  return [...sentences, ...unasked.map((one) => unaskedSentence(one))];
};

const commandSentence = (
  title: string,
  command: ObeyedInfo,
  found: ReadonlyMap<string, ExecutionInfo>,
  words: WhyWords,
): string => {
  const { outcome, time } = command;
  const end =
    outcome === 'ok' ? '' : outcome === 'running' ? ', and it is at it' : `, but that failed (${outcome})`;
  return `${title} ${deedText(command)} at ${words.timeText(time)} ${byWhom(command, found, words)}${end}.`;
};

const deedText = ({ op, name, input }: ObeyedInfo): string => {
  if (op === 'writeproperty') {
    if (typeof input === 'boolean' && switches.has(name ?? ''))
      return `was switched ${input ? 'on' : 'off'} (${name} = ${input})`;
    return `had its ${name} set to ${valueText(input)}`;
  }
  if (op === 'invokeaction')
    return `was told to ${name}${input === undefined || input === null ? '' : ` with ${valueText(input)}`}`;
  return `was given ${valueText(input)}`;
};

const byWhom = (
  { chain, origin, began, peer }: ObeyedInfo,
  found: ReadonlyMap<string, ExecutionInfo>,
  words: WhyWords,
): string => {
  const last = chain.at(-1);
  if (last && origin === 'rule') return `by ${ruleText(last, found, words)}`;
  const at = words.nameOf(began);
  const from = began === peer ? '' : `, through ${words.nameOf(peer)}`;
  const who = {
    cli: `by somebody at the command line of ${at}`,
    http: `by somebody over the gateway of ${at}`,
    script: `by a script on ${at}`,
    program: `by the program on ${at}`,
    rule: `by a rule on ${at}`,
  }[origin];
  return `${who}${from}`;
};

/** `the rule "Hall light on motion", which ran on hall-sensor because ...`. */
const ruleText = (link: LinkInfo, found: ReadonlyMap<string, ExecutionInfo>, words: WhyWords): string => {
  const execution = found.get(link.firing);
  const where = words.nameOf(link.peer);
  if (!execution) return `the rule "${link.rule}", which ran on ${where} (why, is not known any more)`;
  return `the rule "${execution.name}", which ran on ${where} ${becauseText(execution.trigger, words)}`;
};

const becauseText = (trigger: TriggerInfo, { nameOf }: WhyWords): string => {
  const { kind, thing, peer, name, goes, value, event, hidden } = trigger;
  switch (kind) {
    case 'property':
      if (hidden)
        return `because the ${name} of ${nameOf(thing ?? '')} changed, which this device may not see`;
      if (typeof value === 'boolean' && switches.has(name ?? ''))
        return `because ${nameOf(thing ?? '')} went ${value ? 'on' : 'off'}`;
      return `because the ${name} of ${nameOf(thing ?? '')} became ${valueText(value)}`;
    case 'event':
      return `because ${nameOf(thing ?? '')} said "${name}"${event === undefined || event === null ? '' : ` (${valueText(event)})`}`;
    case 'time':
      return 'because it was time';
    case 'peer':
    case 'thing':
      return `because ${nameOf(thing ?? peer ?? '')} ${goes === 'online' ? 'came' : 'went'}`;
    case 'manual':
      return 'because somebody ran it by hand';
  }
};

/** What the rules of a chain saw, and what led to them, the nearest first. */
const chainSentences = (
  chain: readonly LinkInfo[],
  found: ReadonlyMap<string, ExecutionInfo>,
  told: Set<string>,
  words: WhyWords,
): string[] => {
  const sentences: string[] = [];
  for (let at = chain.length - 1; at >= 0; at--) {
    const link = chain[at]!;
    if (told.has(link.firing)) break;
    told.add(link.firing);
    const execution = found.get(link.firing);
    const seen = execution ? seenText(execution, words) : '';
    if (seen !== '') sentences.push(`${at === chain.length - 1 ? 'At that time' : 'Then'} ${seen}.`);
    const before = chain[at - 1];
    if (before)
      sentences.push(`That came from ${ruleText(before, found, words)} at ${words.timeText(before.time)}.`);
  }
  return sentences;
};

/** `hall-lux.illuminance was 12 (condition: ...)`. */
const seenText = ({ conditions }: ExecutionInfo, { named }: WhyWords): string => {
  const parts = conditions.map(({ text, result, values, message }) => {
    const seen = values.map(({ what, value, ageMs, hidden }) => {
      if (hidden) return `${what} was something that this device may not see`;
      if (value === undefined) return `${what} was not known`;
      const age = ageMs === null ? '' : `, as it was last known ${Math.round(ageMs / 1000)} s before`;
      return `${what} was ${valueText(value)}${age}`;
    });
    const more = result === 'true' ? '' : `, which was ${result}${message === null ? '' : `: ${message}`}`;
    const condition = `(condition: ${text}${more})`;
    return seen.length === 0 ? `this held: ${text}` : `${listText(seen)} ${condition}`;
  });
  return named(listText(parts));
};

const unaskedSentence = ({ name, code }: UnaskedInfo): string =>
  `${name} could not be asked (${code}), so what only that device remembers is missing here.`;

const listText = (parts: readonly string[]): string =>
  parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

const valueText = (value: unknown): string => {
  const text = JSON.stringify(value ?? null);
  return text.length > longestValue ? `${text.slice(0, longestValue)}...` : text;
};
