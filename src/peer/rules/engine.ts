/**
 * The engine of rules at one peer: triggers in, executions out.
 * Relies on the world alone, so that the same engine runs in a peer and in a simulator; it opens no file and no socket.
 */
import { toHex } from '../../core/bytes.ts';
import { AlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { ExecutionInfo } from '../../core/rule-shapes.ts';
import { type FiringId, manualFiring } from '../../rules/placement.ts';
import { PendingFirings } from './pending-firings.ts';
import { PresenceTriggers } from './presence-triggers.ts';
import type { BookRule } from './rule-book.ts';
import { RuleRuns } from './rule-runs.ts';
import type { ExecutionFilter } from './rule-store.ts';
import type { RuleWorld } from './rule-world.ts';
import { Standby } from './standby.ts';
import { areTargetsThere, neededPeers } from './targets.ts';
import { TimedTriggers } from './timed-triggers.ts';
import { TriggerWatch } from './trigger-watch.ts';

/** Several changes that come at once are looked at once. */
const syncAfterMs = 20;
/** After a start runs wait this long at most for the devices that they command. */
const resumeAfterMs = 10_000;

/** Runs the rules of a fabric as far as they are this peer's to run. */
export class RuleEngine {
  readonly #world: RuleWorld;
  readonly #runs: RuleRuns;
  readonly #standby: Standby;
  readonly #triggers: TriggerWatch;
  readonly #pending: PendingFirings;
  readonly #timed: TimedTriggers;
  readonly #presence: PresenceTriggers;
  #needed: ReadonlySet<PeerId> = new Set();
  #cancelSync: (() => void) | undefined;
  /** Present until what ran before this start has gone on. */
  #cancelResume: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(world: RuleWorld) {
    this.#world = world;
    this.#standby = new Standby(world, {
      driver: (firing) => this.#runs.drivers.get(firing),
      has: (firing) => this.#runs.has(firing),
      isDone: (firing) => this.#runs.isDone(firing),
      adopt: (run) => this.#runs.adopt(run),
      yieldTo: (run, reason) => this.#runs.yieldTo(run, reason),
    });
    this.#runs = new RuleRuns(world, this.#standby);
    const fire = (firing: Parameters<RuleRuns['fire']>[0]) => this.#runs.fire(firing);
    this.#triggers = new TriggerWatch(world, fire);
    this.#pending = new PendingFirings(world, fire, (key) => this.#standby.isKnown(key));
    this.#timed = new TimedTriggers(world, this.#pending);
    this.#presence = new PresenceTriggers(world, this.#pending);
  }

  /** Goes on with what was running when this peer stopped, and watches for triggers from now on. */
  start(): void {
    this.#stopListening = this.#world.book.listen((changes) => {
      if (changes.has('rules') || changes.has('place')) this.changed();
    });
    this.#runs.restore((run) => this.#standby.hold(run));
    this.#cancelResume = this.#world.schedule(resumeAfterMs, () => this.#resume());
    this.#sync();
  }

  /** Rules, Things or the membership have changed. */
  changed(): void {
    this.#cancelSync ??= this.#world.schedule(syncAfterMs, () => {
      this.#cancelSync = undefined;
      this.#sync();
    });
  }

  /** What has changed is looked at now: from then on all triggers are watched for. */
  settle(): void {
    if (!this.#cancelSync) return;
    this.#cancelSync();
    this.#cancelSync = undefined;
    this.#sync();
  }

  /** A session with a member has begun or ended. */
  presenceChanged(peer: PeerId, isOnline: boolean): void {
    this.#standby.presenceChanged(peer, isOnline);
    if (!isOnline) this.#standby.reappoint(this.#runs.drivers.values());
    this.#pending.presenceChanged();
    this.#presence.look();
    this.#resumeIfReady();
  }

  /**
   * Fires a rule by hand, here; resolves once it runs, waits or was refused. `input` is its `trigger.event`. Throws
   * `rule-unknown`, and `rule-failed` for one that is disabled.
   */
  async fire(rule: string, input?: unknown): Promise<{ firing: FiringId }> {
    const book = this.#world.book.rule(rule);
    if (!book) throw new AlthingError('rule-unknown', `There is no rule "${rule}".`);
    if (!book.rule.enabled)
      throw new AlthingError('rule-failed', `The rule "${rule}" is disabled: enable it first.`);
    const firing = manualFiring(rule, toHex(this.#world.crypto.randomBytes(8)));
    await this.#runs.fire({
      rule,
      firing,
      clock: this.#world.stamp(),
      atMs: this.#world.now(),
      trigger: { kind: 'manual', id: 'manual', ...(input !== undefined && { event: input }) },
      chain: [],
      isPlaced: false,
    });
    return { firing };
  }

  /** The peers that the rules which this peer may come to run command, and those whose coming and going fires them. */
  get needed(): ReadonlySet<PeerId> {
    return this.#needed;
  }

  /** What rules did and do at this peer, newest first. */
  executions(filter?: ExecutionFilter): ExecutionInfo[] {
    return this.#runs.executions(filter);
  }

  /** How many executions of a rule run here now. */
  runningOf(rule: string): number {
    return [...this.#runs.drivers.values()].filter(({ run }) => run.start.rule === rule).length;
  }

  /** The desk's `standby` and `over`. */
  get handlers(): {
    standby(from: PeerId, input: unknown): unknown;
    over(from: PeerId, input: unknown): unknown;
  } {
    return this.#standby;
  }

  /** Stops everything; what runs goes on after the next start. */
  async close(): Promise<void> {
    this.#cancelSync?.();
    this.#cancelSync = undefined;
    this.#cancelResume?.();
    this.#stopListening?.();
    this.#triggers.close();
    this.#timed.close();
    this.#presence.close();
    this.#standby.close();
    await this.#runs.close();
  }

  #resumeIfReady(): void {
    if (this.#cancelResume && areTargetsThere(this.#world, this.#runs.restoredSteps)) this.#resume();
  }

  #resume(): void {
    this.#cancelResume?.();
    this.#cancelResume = undefined;
    this.#runs.resume();
  }

  #sync(): void {
    const isMember = this.#world.presence.isMember();
    const rules: BookRule[] = isMember ? this.#world.book.rules().filter(({ rule }) => rule.enabled) : [];
    this.#needed = neededPeers(this.#world, rules);
    this.#runs.rulesChanged(isMember);
    this.#triggers.sync(rules);
    this.#presence.sync(rules);
    this.#timed.sync(rules).catch((error: unknown) => {
      this.#world.logger.error({ err: error }, 'Time triggers cannot be planned.');
    });
    this.#resumeIfReady();
  }
}
