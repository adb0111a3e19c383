/**
 * Property triggers as state machines: what was seen, what holds, since when; one firing for one crossing.
 * Relies on the caller for values, the clock and the timer; the state is plain data and survives a restart.
 *
 * Without `forMs` the first value ever seen only sets the state: a rule that is applied in daylight does not fire for
 * the dawn. With `forMs` a value that holds when it is first seen counts from then on, since it may hold for ever.
 */
import type { PropertyTrigger } from './rule.ts';

/** The state of one property trigger; start with `newTriggerState`. Plain data. */
export interface TriggerState {
  /** Whether the value last seen satisfies the trigger; null before the first. */
  readonly inside: boolean | null;
  /** The value last seen; absent before the first. */
  readonly value?: unknown;
  /** The value before the crossing that is waited on, or before the last one. */
  readonly previous?: unknown;
  /** When the firing that is being waited for is due (milliseconds since 1970). */
  readonly dueMs?: number;
  /** After a restart: nothing fires before the property was read again. */
  readonly stale?: true;
}

/** What the caller does next. */
export type TriggerAction =
  | { readonly type: 'fire'; readonly value: unknown; readonly previous: unknown; readonly atMs: number }
  /** Call `triggerDue` at that time. */
  | { readonly type: 'check'; readonly atMs: number }
  /** What was to be checked no longer is. */
  | { readonly type: 'cancel' };

export interface TriggerStep {
  readonly state: TriggerState;
  readonly actions: readonly TriggerAction[];
}

/** Nothing seen yet. */
export const newTriggerState = (): TriggerState => ({ inside: null });

/** The kept state of a trigger whose peer has been away: see the property again with `triggerSees` before all else. */
export const restoredTriggerState = (kept: TriggerState): TriggerState => ({ ...kept, stale: true });

/** A value of the property was seen, at `nowMs`. */
export const triggerSees = (
  trigger: PropertyTrigger,
  state: TriggerState,
  value: unknown,
  nowMs: number,
): TriggerStep => {
  const { forMs = 0 } = trigger;
  const first = state.inside === null;
  const same = !first && sameValue(state.value, value);
  const inside = isInside(trigger, state, value, same);
  const crossed = trigger.changes ? !same && !first : inside && state.inside !== true;
  if (crossed || (first && inside)) {
    const seen: TriggerState = { inside, value, previous: state.value };
    if (forMs === 0) {
      if (first) return { state: seen, actions: [] };
      return { state: seen, actions: [{ type: 'fire', value, previous: state.value, atMs: nowMs }] };
    }
    const dueMs = nowMs + forMs;
    return { state: { ...seen, dueMs }, actions: [{ type: 'check', atMs: dueMs }] };
  }
  const held: TriggerState = { inside, value, ...('previous' in state && { previous: state.previous }) };
  if (state.dueMs === undefined) return { state: held, actions: [] };
  if (!inside) return { state: held, actions: [{ type: 'cancel' }] };
  const waiting: TriggerState = { ...held, dueMs: state.dueMs };
  // After a restart the time may have passed while nobody looked, or the timer is gone.
  if (state.dueMs <= nowMs) return triggerDue(waiting, nowMs);
  return { state: waiting, actions: state.stale ? [{ type: 'check', atMs: state.dueMs }] : [] };
};

/** A check that was asked for is due; one that came too early, or was cancelled, does nothing. */
export const triggerDue = (state: TriggerState, nowMs: number): TriggerStep => {
  if (state.dueMs === undefined || state.stale) return { state, actions: [] };
  if (nowMs < state.dueMs) return { state, actions: [{ type: 'check', atMs: state.dueMs }] };
  const { dueMs, ...rest } = state;
  return {
    state: rest,
    actions: [{ type: 'fire', value: state.value, previous: state.previous, atMs: dueMs }],
  };
};

const isInside = (trigger: PropertyTrigger, state: TriggerState, value: unknown, same: boolean): boolean => {
  const { above, below, hysteresis = 0 } = trigger;
  // Every value is one that the property may hold; only its first sight is no change.
  if (trigger.changes) return state.inside !== null && (!same || state.dueMs !== undefined);
  if (Object.hasOwn(trigger, 'becomes')) return sameValue(trigger.becomes, value);
  if (typeof value !== 'number') return false;
  const out = state.inside === true ? hysteresis : 0;
  return above !== undefined ? value > above - out : value < below! + out;
};

/** Whether two plain values are equal, whatever the order of their members. */
export const sameValue = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        sameValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
};
