/**
 * How firings of one rule get along at the peer that executes them: single, restart, queued, parallel.
 * Relies on nothing; across peers only `restart` holds, by the device's side (`once.ts`).
 */
import type { FiringId } from './placement.ts';
import type { Rule } from './rule.ts';

/** What runs and what waits of one rule at this peer. Plain data. */
export interface ModeState {
  readonly running: readonly FiringId[];
  readonly queue: readonly FiringId[];
}

export type ModeAction =
  | { readonly type: 'start'; readonly firing: FiringId }
  | { readonly type: 'cancel'; readonly firing: FiringId }
  | { readonly type: 'wait'; readonly firing: FiringId }
  /** `busy`: another one runs (single); `full`: as many run or wait as may; `known`: this firing is here already. */
  | { readonly type: 'refuse'; readonly firing: FiringId; readonly reason: 'busy' | 'full' | 'known' };

export interface ModeStep {
  readonly state: ModeState;
  readonly actions: readonly ModeAction[];
}

/** Nothing runs. */
export const newModeState = (): ModeState => ({ running: [], queue: [] });

/** What runs or waits where a rule does not say how much. */
const defaultMax = 10;

/** A rule fires. Cancels come before the start that they make room for. */
export const ruleFires = (
  { mode, max = defaultMax }: Pick<Rule, 'mode' | 'max'>,
  state: ModeState,
  firing: FiringId,
): ModeStep => {
  const { running, queue } = state;
  const refuse = (reason: 'busy' | 'full' | 'known'): ModeStep => ({
    state,
    actions: [{ type: 'refuse', firing, reason }],
  });
  const start = (...cancelled: readonly FiringId[]): ModeStep => ({
    state: { running: [...running.filter((other) => !cancelled.includes(other)), firing], queue },
    actions: [
      ...cancelled.map((other) => ({ type: 'cancel', firing: other }) as const),
      { type: 'start', firing },
    ],
  });
  if (running.includes(firing) || queue.includes(firing)) return refuse('known');
  if (mode === 'restart') return start(...running);
  if (running.length === 0) return start();
  if (mode === 'single') return refuse('busy');
  if (mode === 'parallel') return running.length < max ? start() : refuse('full');
  if (queue.length >= max) return refuse('full');
  return { state: { running, queue: [...queue, firing] }, actions: [{ type: 'wait', firing }] };
};

/** A run ended, however it did: the next in line starts. */
export const runEnds = (state: ModeState, firing: FiringId): ModeStep => {
  const running = state.running.filter((other) => other !== firing);
  const [next, ...queue] = state.queue.filter((other) => other !== firing);
  if (next === undefined || running.length > 0)
    return { state: { running, queue: state.queue.filter((other) => other !== firing) }, actions: [] };
  return { state: { running: [next], queue }, actions: [{ type: 'start', firing: next }] };
};
