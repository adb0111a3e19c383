/**
 * What a rule saw and did, as lines for people.
 * Relies on the shapes alone; names of Things are looked up by whoever asks.
 */
import type {
  ConditionInfo,
  ExecutionInfo,
  LinkInfo,
  StepInfo,
  TriggerInfo,
  UnaskedInfo,
} from '../core/rule-shapes.ts';
import { showValue } from './value.ts';

/** What a Thing or a peer is called; its id where nobody knows. */
export type NameOf = (id: string) => string;

const shown = (value: unknown): string => JSON.stringify(value ?? null);

/** What fired: `motion of hall-motion became true (was false)`. */
export const triggerText = (trigger: TriggerInfo, nameOf: NameOf): string => {
  const { kind, thing, peer, name, goes, value, previous, event, hidden } = trigger;
  switch (kind) {
    case 'property':
      if (hidden) return `${name} of ${nameOf(thing ?? '')} changed (hidden)`;
      return `${name} of ${nameOf(thing ?? '')} became ${shown(value)}${previous === undefined ? '' : ` (was ${shown(previous)})`}`;
    case 'event':
      return `${nameOf(thing ?? '')} said "${name}"${event === undefined || event === null ? '' : `: ${shown(event)}`}`;
    case 'time':
      return 'it was time';
    case 'peer':
    case 'thing':
      return `${nameOf(thing ?? peer ?? '')} went ${goes}`;
    case 'manual':
      return `by hand${event === undefined || event === null ? '' : `, with ${shown(event)}`}`;
  }
};

/** A text in which ids are written as people call what they name. */
const withNames = (text: string, nameOf: NameOf): string =>
  text.replace(/urn:althing:\w+:[a-z0-9-]+|z6Mk\w{40,50}/g, nameOf);

/** A condition and what it saw: one line. */
export const conditionText = (condition: ConditionInfo, nameOf: NameOf): string => {
  const { text, result, values, message } = condition;
  const seen = values.map(({ what, value, ageMs, hidden }) => {
    if (hidden) return `${what} is hidden`;
    const is = value === undefined ? 'is not known' : `is ${shown(value)}`;
    return `${what} ${is}${ageMs === null ? '' : ` (${Math.round(ageMs / 1000)} s old)`}`;
  });
  const why = [...seen, ...(message ? [message] : [])].join(', ');
  return withNames(`${text}  is ${result}${why === '' ? '' : `: ${why}`}`, nameOf);
};

/** What stands in a path for which list of steps it leads into. */
const listWords: Readonly<Record<string, string>> = {
  c: 'choice ',
  e: 'else',
  p: 'list ',
  r: 'round ',
  f: 'failure',
};

/** The step that a command belongs to: `0/choice 1/2`. The rest of its path names the Thing again. */
export const stepOf = (path: string): string =>
  path
    .replace(/\/t\d+[:~].*$/, '')
    .replace(/\/c?([a-z])(\d*)/g, (_, list: string, number: string) => `/${listWords[list]}${number}`);

/** A step: one line. */
export const stepText = (
  { path, what, thing, name, op, input, code, hidden }: StepInfo,
  nameOf: NameOf,
): string => {
  const given =
    op === 'invokeaction' ? (input === undefined ? '' : ` ${showValue(input)}`) : ` = ${shown(input)}`;
  const command = thing === null ? '' : ` ${name}${hidden ? ' (hidden)' : given} on ${nameOf(thing)}`;
  return `${stepOf(path)}${command}: ${what}${code === null ? '' : ` (${code})`}`;
};

/** The rules that led to it. */
export const chainText = (chain: readonly LinkInfo[]): string => chain.map(({ rule }) => rule).join(' > ');

/** One execution as lines. */
export const executionLines = (execution: ExecutionInfo, nameOf: NameOf): string[] => {
  const { started, peer, trigger, chain, conditions, steps, outcome, message } = execution;
  return [
    `${started}  ${outcome}${message === null ? '' : `: ${message}`}`,
    `  fired at ${nameOf(peer)}: ${triggerText(trigger, nameOf)}`,
    ...(chain.length === 0 ? [] : [`  because of ${chainText(chain)}`]),
    ...conditions.map((condition) => `  if ${conditionText(condition, nameOf)}`),
    ...steps.map((step) => `  ${step.time.slice(11, 23)}  ${stepText(step, nameOf)}`),
  ];
};

/** Who could not be asked, a line each. */
export const unaskedLines = (unasked: readonly UnaskedInfo[]): string[] =>
  unasked.map(({ name, code }) => `${name} could not be asked (${code}): what it knows is missing here.`);
