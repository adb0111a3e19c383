/**
 * What one fabric's rules meet at this device: the gate of steps, the memory of commands, the desk, what rules allow.
 * Relies on the fabric's replica, sessions and time; only puts these parts together.
 */
import { isDiskFailure } from '../../core/errors.ts';
import { hashId, type PeerId, parseThingId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { ObeyedInfo } from '../../core/rule-shapes.ts';
import type { ScopedThing } from '../../fabric/scope.ts';
import type { Supervisor } from '../../net/supervisor.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicaChange } from '../../replica/replica-change.ts';
import { type RuleCall, ruleAllows } from '../../rules/rule-access.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import type { ThingCall } from '../../thing/operations.ts';
import type { CauseLink } from '../../thing/scripting-api.ts';
import type { Directory } from '../directory.ts';
import type { ExposedThings } from '../exposed-things.ts';
import type { Membership } from '../membership.ts';
import type { AccessGate, Caller } from '../sharing/access-gate.ts';
import { scopedThing } from './authors-connector.ts';
import { withHidden } from './hidden-values.ts';
import { obeyedActivity } from './kept-activity.ts';
import { ObeyedCommands } from './obeyed.ts';
import { RuleBook } from './rule-book.ts';
import { askDesk, type DeskCalls, type DeskWay, RuleDesk } from './rule-desk.ts';
import { KnownRules } from './rule-facts.ts';
import { RuleHost, type RuleHostOptions } from './rule-host.ts';
import { RuleStore } from './rule-store.ts';
import { StepGate } from './step-gate.ts';
import type { StepJournal } from './step-journal.ts';
import { StepLedger } from './step-ledger.ts';

export interface DeviceRulesOptions
  extends Pick<RuleHostOptions, 'crypto' | 'stamp' | 'connector' | 'activity'> {
  readonly replica: Replica;
  readonly directory: Directory;
  readonly notes: LocalNotes;
  readonly journal: StepJournal;
  /** The fabric's time in milliseconds since 1970, and whether this device knows it. */
  readonly time: () => { readonly ms: number; readonly known: boolean };
  readonly membership: Membership;
  readonly exposed: ExposedThings;
  readonly gate: () => AccessGate;
  readonly supervisor: () => Supervisor;
  readonly logger: Logger;
}

/** This device towards the rules of one fabric. */
export class DeviceRules {
  readonly store: RuleStore;
  /** Every command on a Thing exposed here goes through it. */
  readonly steps: StepGate;
  readonly desk: RuleDesk;
  /** Runs the rules. */
  readonly host: RuleHost;
  readonly #options: DeviceRulesOptions;
  readonly #obeyed: ObeyedCommands;
  readonly #known: KnownRules;
  readonly #ledger: StepLedger;

  constructor(options: DeviceRulesOptions) {
    const { replica, directory, notes, journal, time, membership, logger } = options;
    this.#options = options;
    const fabric = hashId(replica.fabric.id);
    this.store = new RuleStore(notes, fabric);
    this.#ledger = new StepLedger({
      ...{ notes, fabric, journal, time, schedule, logger },
      monotonic: () => performance.now(),
    });
    const book = new RuleBook(replica, undefined, { authority: () => replica.authority, time });
    this.#known = new KnownRules(replica, book, directory, logger);
    this.#obeyed = new ObeyedCommands({
      kept: () => this.store.obeyed(),
      keep: async (obeyed) => this.#keep(this.store.write({ obeyed }), 'What Things obeyed is not kept.'),
      ended: (obeyed) => options.activity(obeyedActivity(obeyed)),
      now: () => time().ms,
      monotonic: () => performance.now(),
      schedule,
      logger,
    });
    this.steps = new StepGate({
      ...{ self: replica.self, ledger: this.#ledger, obeyed: this.#obeyed, time, schedule },
      isRunner: (rule, peer) => this.#known.isRunner(rule, peer),
    });
    this.desk = new RuleDesk({
      roleOf: (peer) => membership.roleOf(peer),
      ask: (step, waitMs, from) => this.steps.ask(step, waitMs, from),
      executions: (filter, caller) =>
        this.host
          .executions(filter)
          .map((execution) => withHidden(execution, (thing) => this.#sees(caller, thing))),
      obeyed: (caller, thing, limit) => (this.#sees(caller, thing) ? this.#obeyed.of(thing, limit) : []),
      now: () => performance.now(),
    });
    this.host = new RuleHost({
      ...options,
      ...{ book, store: this.store },
      rightsChanged: () => options.gate().recheckSoon(),
      ask: (peer, { name, input, timeoutMs }) => this.ask(peer, name, input, { timeoutMs }),
      causeOf: (thing, affordance) => this.causeOf(thing, affordance),
    });
    this.desk.serve(this.host);
  }

  /** Makes ready for the rules that there are, and forgets what those of other fabrics left. */
  async start(): Promise<void> {
    await this.#keep(this.store.forgetOthers(), 'What rules of a former fabric left is not deleted.');
    await Promise.all([this.#ledger.start(), this.#known.start()]);
    this.host.start();
  }

  recordsChanged(change: ReplicaChange): void {
    this.#known.recordsChanged(change);
    this.host.recordsChanged(change);
  }

  /** Whether a rule allows a member this call. */
  allows(asked: RuleCall): boolean {
    return ruleAllows(this.#known, asked);
  }

  /** Whether the author of a rule may not have it make this call, whoever makes it. */
  forbids(rule: string, thing: ScopedThing, call: ThingCall): boolean {
    return this.#known.forbids(rule, thing, call);
  }

  /** While what rules use cannot be told yet. */
  get loading(): Promise<void> | undefined {
    return this.#known.loading;
  }

  /**
   * The firings to which what a Thing says now is put down: those of the last command on this affordance, or else on the
   * Thing, that runs or ended less than 2 s ago.
   */
  causeOf(thing: string, affordance?: string): readonly CauseLink[] {
    return this.#obeyed.causeOf(thing, affordance);
  }

  /** The last commands that Things here obeyed, newest first. */
  obeyedLately(limit: number): ObeyedInfo[] {
    return this.#obeyed.lately(limit);
  }

  /** Asks a peer's rule desk, this one's included. Throws `peer-offline`, the session's codes and the desk's. */
  ask<Name extends keyof DeskCalls>(
    peer: PeerId,
    name: Name,
    input: DeskCalls[Name]['input'],
    options: { timeoutMs: number },
  ): Promise<DeskCalls[Name]['answer']> {
    const supervisor = this.#options.supervisor();
    const way: DeskWay = {
      self: this.#options.replica.self,
      own: this.desk,
      session: (to) => supervisor.session(to),
      reach: (to, how) => supervisor.reach(to, how),
    };
    return askDesk(way, peer, { name, input, timeoutMs: options.timeoutMs });
  }

  /** Keeps what is not kept yet. Call before the store is closed. */
  async close(): Promise<void> {
    await this.host.close();
    await Promise.all([this.#obeyed.close(), this.#ledger.close()]);
  }

  /** Whether a caller may know what a Thing, here or elsewhere, is and does: of its own it does anyway. */
  #sees(caller: Caller, thing: string): boolean {
    const { directory, exposed, gate, replica } = this.#options;
    const owner = parseThingId(thing)?.peer;
    if (owner === undefined) return false;
    if (replica.authority.speakerOf(owner) === caller.peer) return true;
    const td = (id: string) => directory.byId(id);
    if (!exposed.has(thing) && !td(thing)) return false;
    return gate().sees(caller, exposed.served(thing)?.scoped ?? scopedThing({ td }, thing));
  }

  async #keep(written: Promise<void>, otherwise: string): Promise<void> {
    try {
      await written;
    } catch (error) {
      // A disk that fails is told by the store's health; nothing depends on this.
      if (!isDiskFailure(error)) this.#options.logger.warn({ err: error }, otherwise);
    }
  }
}

const schedule = (delayMs: number, callback: () => void): (() => void) => {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
};
