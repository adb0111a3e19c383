/**
 * The property and event triggers of Things that this peer exposes: followed while the rule is enabled and the Thing
 * here. Relies on `rules/trigger-state.ts` for what counts as a firing; states that count time survive a restart.
 */
import { type FiringId, lastingRun, streamFiring } from '../../rules/placement.ts';
import type { PropertyTrigger, Trigger } from '../../rules/rule.ts';
import {
  newTriggerState,
  restoredTriggerState,
  type TriggerState,
  type TriggerStep,
  triggerDue,
  triggerSees,
} from '../../rules/trigger-state.ts';
import type { StreamPosition } from '../../thing/operations.ts';
import { scopedThing } from './authors-connector.ts';
import { type Firing, triggerId } from './firing.ts';
import { follow } from './follow.ts';
import { inBackground } from './in-background.ts';
import type { BookRule } from './rule-book.ts';
import type { RuleWorld } from './rule-world.ts';

/** Passes a firing on; resolves once it will survive a restart, or was refused. */
export type Fire = (firing: Firing) => Promise<void>;

interface Wanted {
  readonly rule: string;
  readonly id: string;
  readonly trigger: Trigger;
}

interface Watcher {
  readonly signature: string;
  stop(): void;
}

/** Watches whatever of the fabric's rules is triggered by Things here. */
export class TriggerWatch {
  readonly #world: RuleWorld;
  readonly #fire: Fire;
  readonly #watchers = new Map<string, Watcher>();

  constructor(world: RuleWorld, fire: Fire) {
    this.#world = world;
    this.#fire = fire;
  }

  /** Watches what is to be watched now, and nothing else. */
  sync(rules: Iterable<BookRule>): void {
    const wanted = new Map<string, Wanted>();
    const counting = new Set<string>();
    for (const { key: rule, rule: parsed, mayUse } of rules) {
      for (const [index, trigger] of parsed.triggers.entries()) {
        if (!('property' in trigger || 'event' in trigger)) continue;
        const id = triggerId(trigger, index);
        const key = `${rule}/${id}`;
        counting.add(key);
        const { thing, name } = 'property' in trigger ? trigger.property : trigger.event;
        const op = 'property' in trigger ? 'observeproperty' : 'subscribeevent';
        const { things } = this.#world;
        // A member learns nothing by a trigger that it may not read itself.
        const mayKnow = !mayUse || mayUse(scopedThing(things, thing), { thing, op, name });
        if (things.isHere(thing) && mayKnow) wanted.set(key, { rule, id, trigger });
      }
    }
    for (const [key, watcher] of this.#watchers) {
      const still = wanted.get(key);
      if (still && watcher.signature === JSON.stringify(still.trigger)) continue;
      watcher.stop();
      this.#watchers.delete(key);
    }
    for (const [key, { rule, id, trigger }] of wanted)
      if (!this.#watchers.has(key)) this.#watchers.set(key, this.#watch(rule, id, trigger));
    this.#forget(counting);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.stop();
    this.#watchers.clear();
  }

  #watch(rule: string, id: string, trigger: Trigger): Watcher {
    const signature = JSON.stringify(trigger);
    if ('property' in trigger) {
      const watcher = new PropertyWatcher(this.#world, this.#fire, {
        ...{ rule, id, signature },
        trigger: trigger.property,
      });
      watcher.begin();
      return watcher;
    }
    const { thing, name } = (trigger as Extract<Trigger, { event: unknown }>).event;
    const stop = follow(this.#world, { thing, kind: 'event', name }, (event, position) => {
      const fired = this.#fire({
        rule,
        firing: streamFiring(rule, id, { thing, ...position }),
        clock: this.#world.stamp(),
        atMs: this.#world.now(),
        trigger: { kind: 'event', id, thing, name, event },
        chain: this.#world.causeOf(thing, name),
        isPlaced: false,
      });
      inBackground(fired, this.#world, 'A firing could not be executed.');
    });
    return { signature, stop };
  }

  /** States of triggers that no rule has any more. */
  #forget(counting: ReadonlySet<string>): void {
    const gone = [...this.#world.store.triggers().keys()].filter((key) => !counting.has(key));
    if (gone.length === 0) return;
    this.#world.store.write({ triggers: gone.map((key) => [key, null] as const) }).catch((error: unknown) => {
      this.#world.logger.warn({ err: error }, 'What old triggers counted could not be forgotten.');
    });
  }
}

interface WatchedProperty {
  readonly rule: string;
  readonly id: string;
  /** Tells one trigger from what stood in its place before. */
  readonly signature: string;
  readonly trigger: PropertyTrigger;
}

/** One property trigger. */
class PropertyWatcher implements Watcher {
  readonly signature: string;
  readonly #world: RuleWorld;
  readonly #fire: Fire;
  readonly #watched: WatchedProperty;
  #state: TriggerState;
  #stopFollowing: (() => void) | undefined;
  #cancelCheck: (() => void) | undefined;
  /** States become durable one after the other, and after what they fired. */
  #saving: Promise<void> = Promise.resolve();
  #saved: string;
  #stopped = false;

  constructor(world: RuleWorld, fire: Fire, watched: WatchedProperty) {
    this.#world = world;
    this.#fire = fire;
    this.#watched = watched;
    this.signature = watched.signature;
    const kept = this.#countsTime
      ? keptState(world.store.triggers().get(this.#key), this.signature)
      : undefined;
    this.#state = kept ? restoredTriggerState(kept) : newTriggerState();
    this.#saved = JSON.stringify(kept);
  }

  begin(): void {
    const { thing, name } = this.#watched.trigger;
    this.#stopFollowing = follow(this.#world, { thing, kind: 'property', name }, (value, position) => {
      this.#take(triggerSees(this.#watched.trigger, this.#state, value, this.#world.now()), position);
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#stopFollowing?.();
    this.#cancelCheck?.();
  }

  get #key(): string {
    return `${this.#watched.rule}/${this.#watched.id}`;
  }

  get #countsTime(): boolean {
    return (this.#watched.trigger.forMs ?? 0) > 0;
  }

  #take({ state, actions }: TriggerStep, position?: StreamPosition): void {
    this.#state = state;
    const fired: Promise<void>[] = [];
    for (const action of actions) {
      this.#cancelCheck?.();
      this.#cancelCheck = undefined;
      if (action.type === 'check') this.#check(action.atMs);
      else if (action.type === 'fire') fired.push(this.#fired(action, position));
    }
    const all = Promise.all(fired);
    inBackground(all, this.#world, 'A firing could not be executed.');
    if (this.#countsTime) this.#save(all);
  }

  #check(atMs: number): void {
    this.#cancelCheck = this.#world.schedule(Math.max(0, atMs - this.#world.now()), () => {
      if (!this.#stopped) this.#take(triggerDue(this.#state, this.#world.now()));
    });
  }

  #fired(
    { value, previous, atMs }: { value: unknown; previous: unknown; atMs: number },
    position: StreamPosition | undefined,
  ): Promise<void> {
    const { rule, id, trigger } = this.#watched;
    const { thing, name } = trigger;
    // What counts time fires once for the moment when it is due, also where that is noticed again after a restart.
    const from = this.#countsTime || !position ? { run: lastingRun, seq: atMs } : position;
    const firing: FiringId = streamFiring(rule, id, { thing, ...from });
    return this.#fire({
      ...{ rule, firing },
      clock: this.#world.stamp(),
      atMs: this.#world.now(),
      trigger: {
        ...{ kind: 'property', id, thing, name, value },
        ...(previous !== undefined && { previous }),
      },
      chain: this.#world.causeOf(thing, name),
      isPlaced: false,
    });
  }

  #save(fired: Promise<unknown>): void {
    this.#saving = this.#saving.then(async () => {
      // One that could not be executed is told where it fired; the state goes on from here all the same.
      await Promise.allSettled([fired]);
      const text = JSON.stringify(this.#state);
      if (this.#stopped || text === this.#saved) return;
      this.#saved = text;
      try {
        const kept = { signature: this.signature, state: this.#state };
        await this.#world.store.write({ triggers: [[this.#key, kept]] });
      } catch (error) {
        // It goes on in memory: what is lost with the power is only how long something has lasted.
        this.#world.logger.warn({ err: error, rule: this.#watched.rule }, 'A trigger could not be kept.');
      }
    });
  }
}

const keptState = (kept: unknown, signature: string): TriggerState | undefined => {
  const { signature: of, state } = (kept ?? {}) as { signature?: unknown; state?: unknown };
  return of === signature && typeof state === 'object' && state !== null
    ? (state as TriggerState)
    : undefined;
};
