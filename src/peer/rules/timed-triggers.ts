/**
 * The time triggers of all rules: every member computes when each fires next, and sees it then.
 * Relies on `rules/schedule.ts`, loaded with the first rule that has one; on one timer, which looks at the clock again
 * each minute, since the fabric's time may be set.
 */
import { stampOf } from '../../core/clock.ts';
import { toAlthingError } from '../../core/errors.ts';
import { timedFiring } from '../../rules/placement.ts';
import type { Rule, TimeTrigger } from '../../rules/rule.ts';
import { triggerId } from './firing.ts';
import type { PendingFirings } from './pending-firings.ts';
import type { RuleWorld } from './rule-world.ts';

/** What was planned longer ago is not made up for. */
const lateMs = 10_000;
const lookMs = 60_000;

interface Planned {
  readonly rule: string;
  readonly id: string;
  readonly trigger: TimeTrigger;
  readonly signature: string;
  /** Undefined where there is no such time. */
  nextMs: number | undefined;
}

/** All planned times. */
export class TimedTriggers {
  readonly #world: RuleWorld;
  readonly #pending: PendingFirings;
  readonly #planned = new Map<string, Planned>();
  #nextTime: typeof import('../../rules/schedule.ts')['nextTime'] | undefined;
  #cancelTimer: (() => void) | undefined;
  #syncing = 0;
  #isClosed = false;

  constructor(world: RuleWorld, pending: PendingFirings) {
    this.#world = world;
    this.#pending = pending;
  }

  /** Plans what is to be planned now, and nothing else. */
  async sync(rules: Iterable<{ readonly key: string; readonly rule: Rule }>): Promise<void> {
    const wanted: Omit<Planned, 'nextMs'>[] = [];
    const place = JSON.stringify(this.#world.book.place());
    for (const { key: rule, rule: parsed } of rules)
      for (const [index, trigger] of parsed.triggers.entries())
        if ('time' in trigger) {
          const signature = JSON.stringify([trigger.time, place]);
          wanted.push({ rule, id: triggerId(trigger, index), trigger: trigger.time, signature });
        }
    this.#syncing += 1;
    const sync = this.#syncing;
    if (wanted.length > 0) this.#nextTime ??= (await import('../../rules/schedule.ts')).nextTime;
    // A later call knows more.
    if (this.#isClosed || sync !== this.#syncing) return;
    const keys = new Set<string>();
    for (const one of wanted) {
      const key = `${one.rule}/${one.id}`;
      keys.add(key);
      if (this.#planned.get(key)?.signature === one.signature) continue;
      this.#planned.set(key, { ...one, nextMs: this.#next(one.rule, one.trigger, this.#world.now()) });
    }
    for (const key of this.#planned.keys()) if (!keys.has(key)) this.#planned.delete(key);
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #next(rule: string, trigger: TimeTrigger, afterMs: number): number | undefined {
    try {
      return this.#nextTime!(trigger, afterMs, this.#world.book.place());
    } catch (error) {
      this.#world.logger.warn({ rule, err: toAlthingError(error) }, 'A time trigger cannot be planned.');
      return undefined;
    }
  }

  #wait(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { nextMs = earliestMs } of this.#planned.values()) earliestMs = Math.min(earliestMs, nextMs);
    if (earliestMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(lookMs, Math.max(0, earliestMs - this.#world.now()));
    this.#cancelTimer = this.#world.schedule(delayMs, () => this.#look());
  }

  #look(): void {
    const nowMs = this.#world.now();
    for (const planned of this.#planned.values()) {
      const { rule, id, trigger, nextMs } = planned;
      if (nextMs === undefined || nextMs > nowMs) continue;
      // Never the same time twice, also where the clock was set back.
      planned.nextMs = this.#next(rule, trigger, Math.max(nowMs, nextMs));
      const book = this.#world.book.rule(rule);
      if (!book?.rule.enabled || nowMs - nextMs > lateMs || !this.#world.isTimeKnown()) continue;
      this.#pending.offer(
        {
          rule,
          firing: timedFiring(rule, id, nextMs),
          clock: stampOf(nextMs),
          atMs: nextMs,
          trigger: { kind: 'time', id },
          chain: [],
          isPlaced: true,
        },
        { steps: book.rule.steps },
      );
    }
    this.#wait();
  }
}
