/**
 * Why something happens: the chain of firings behind a command or an event, loops in it, and how often a rule may fire.
 * Relies on the devices passing the chain on with what they do; the clock is passed in.
 */
import { isCauseLink, maxChainLength } from '../thing/cause-link.ts';
import type { CauseLink } from '../thing/scripting-api.ts';

/** What led to something, oldest first; empty where a person or a device began it. */
export type CauseChain = readonly CauseLink[];

/** A chain that came with a command or an event from elsewhere; undefined where it is none. */
export const parseChain = (value: unknown): CauseChain | undefined =>
  Array.isArray(value) && value.length <= maxChainLength && value.every(isCauseLink) ? value : undefined;

/** Why a rule may not fire now: it is in its own chain, or the chain is too long. Both are loops. */
export interface LoopFound {
  readonly kind: 'own-chain' | 'too-long';
  /** The rules of the loop in order, the one that was stopped last. */
  readonly rules: readonly string[];
}

/** Whether a rule that fires for this reason goes round in a circle; undefined where it does not. */
export const findLoop = (chain: CauseChain, rule: string): LoopFound | undefined => {
  const first = chain.findIndex((link) => link.rule === rule);
  if (first !== -1)
    return { kind: 'own-chain', rules: [...chain.slice(first).map((link) => link.rule), rule] };
  if (chain.length >= maxChainLength)
    return { kind: 'too-long', rules: [...chain.map((link) => link.rule), rule] };
  return undefined;
};

/** The chain of what a firing does. Call `findLoop` first: a chain is never longer than `maxChainLength`. */
export const extendChain = (chain: CauseChain, link: CauseLink): CauseChain =>
  [...chain, link].slice(-maxChainLength);

/** How often a rule fired lately: a bucket that fills with time. Plain data. */
export interface FiringRate {
  readonly left: number;
  readonly atMs: number;
}

/** Firings a minute where a rule does not say. */
export const defaultMaxPerMinute = 600;

/**
 * Whether a rule may fire once more, and its new rate. At most `maxPerMinute` at once and in the long run; a clock
 * that went back gives nothing and takes nothing.
 */
export const takeFiring = (
  rate: FiringRate | undefined,
  nowMs: number,
  maxPerMinute: number = defaultMaxPerMinute,
): { readonly allowed: boolean; readonly rate: FiringRate } => {
  const before = rate ?? { left: maxPerMinute, atMs: nowMs };
  const gained = (Math.max(0, nowMs - before.atMs) * maxPerMinute) / 60_000;
  const left = Math.min(maxPerMinute, before.left + gained);
  const allowed = left >= 1;
  return { allowed, rate: { left: allowed ? left - 1 : left, atMs: nowMs } };
};
