/**
 * What the names and times in a cause may look like, wherever one comes from: the wire, a disk, another peer's copy.
 * Relies on ids alone; each check is of one value, so that lists of them are bounded by who holds the list.
 */
import { isPeerId } from '../core/ids.ts';
import type { CauseLink } from './scripting-api.ts';

/** The longest chain of firings. */
export const maxChainLength = 16;
const maxNameLength = 600;
/** The end of the year 9999: later than that is no moment that every reader of times understands. */
const lastMs = 253_402_300_799_999;
const rulePattern = /^[a-z0-9][a-z0-9-]{0,59}$/;

/** Whether this is a rule's key. */
export const isRuleKey = (value: unknown): value is string =>
  typeof value === 'string' && rulePattern.test(value);

/** Whether this can name a firing, or a step within one: 1 to 600 characters. */
export const isFiringName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= maxNameLength;

/** Whether this is a whole number of milliseconds between 1970 and the year 9999. */
export const isMoment = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= lastMs;

/** Whether this is one firing of a chain, and nothing besides. */
export const isCauseLink = (value: unknown): value is CauseLink => {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 4) return false;
  const { rule, firing, peer, atMs } = value as Partial<Record<keyof CauseLink, unknown>>;
  return isRuleKey(rule) && isFiringName(firing) && isPeerId(peer) && isMoment(atMs);
};
