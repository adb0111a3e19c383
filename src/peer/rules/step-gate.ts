/**
 * Every command on a Thing of this device goes through here: it is remembered, and a rule's step is done at most once.
 * Relies on the ledger, which notes each step before the Thing acts; whoever may not command has been refused before.
 */
import { stampMs } from '../../core/clock.ts';
import { AlthingError, isErrorCode, toAlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { LedgerEntry } from '../../rules/once.ts';
import { isFiringOf } from '../../rules/placement.ts';
import { namesCommand } from '../../rules/run-progress.ts';
import type { RequestOperation, ThingCall, ThingServer } from '../../thing/operations.ts';
import type { Cause, InteractionContext, RuleStep } from '../../thing/scripting-api.ts';
import type { ObeyedCommands } from './obeyed.ts';
import type { AskedStep, StepAnswer } from './rule-desk.ts';
import { maxAheadMs, type StepLedger } from './step-ledger.ts';

/** A Thing that can also tell whether it would act. */
export interface CheckingThing extends Pick<ThingServer, 'request'> {
  /** Throws what `request` would throw before it calls its handler. */
  check(call: ThingCall<RequestOperation>, context: InteractionContext): Promise<void>;
}

export interface StepGateOptions {
  /** This device's peer. */
  readonly self: PeerId;
  readonly ledger: StepLedger;
  readonly obeyed: ObeyedCommands;
  /** The fabric's time, and whether this device knows it. */
  readonly time: () => { readonly ms: number; readonly known: boolean };
  /** Whether a peer is one that may come to run a rule; all are where it is not said. */
  readonly isRunner?: (rule: string, peer: PeerId) => boolean;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  /** The clock of deadlines, milliseconds since 1970; the machine's own where it is not said. */
  readonly now?: () => number;
}

const commands: ReadonlySet<string> = new Set(['writeproperty', 'writemultipleproperties', 'invokeaction']);
/** Steps that are done at once. */
const maxRunning = 1000;

/**
 * A step's own context: it ends with its deadline and not with the session, since a device that has begun had better
 * know how it ended. What the Thing does because of it is no step.
 */
class StepContext implements InteractionContext {
  readonly peer;
  readonly deadline;
  readonly cause: Cause;
  readonly uriVariables;
  readonly signal: AbortSignal;

  constructor({ peer, deadline, cause, uriVariables }: InteractionContext, signal: AbortSignal) {
    const { step: _step, ...why } = cause;
    this.peer = peer;
    this.deadline = deadline;
    this.cause = why;
    this.uriVariables = uriVariables;
    this.signal = signal;
  }
}

/** The commands of one device. */
export class StepGate {
  readonly #options: StepGateOptions;
  /** Steps that are being done here. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(options: StepGateOptions) {
    this.#options = options;
  }

  /**
   * A request on a Thing exposed here. Throws what the Thing throws, and for a step `step-superseded`, `step-forgotten`,
   * `outcome-unknown`, `bad-input`, `too-many`, and the store's codes where it could not be made durable, and so was not
   * done.
   */
  request(
    thing: CheckingThing,
    call: ThingCall<RequestOperation>,
    context: InteractionContext,
  ): Promise<unknown> {
    if (!commands.has(call.op)) return thing.request(call, context);
    const { step } = context.cause;
    return step ? this.#once(step, thing, call, context) : this.#act(thing, call, context);
  }

  /** What became of a step of a peer's; one that is being done is waited for, at most `waitMs`. */
  async ask(step: AskedStep, waitMs: number, from = ''): Promise<StepAnswer> {
    const asStranger = { ...step, rule: strangerOf(from) };
    const running = this.#running.get(keyOf(step)) ?? this.#running.get(keyOf(asStranger));
    if (running) await this.#settledWithin(running, waitMs);
    const { ledger, self } = this.#options;
    const known = ledger.answer(asStranger);
    const found = typeof known === 'string' ? ledger.answer(step, { isOwn: from === self }) : known;
    if (typeof found === 'string') return { outcome: found };
    return { outcome: found.outcome, ...(found.code !== undefined && { code: found.code }) };
  }

  #act(
    thing: CheckingThing,
    call: ThingCall<RequestOperation>,
    context: InteractionContext,
  ): Promise<unknown> {
    const { obeyed } = this.#options;
    const entry = obeyed.begin(call, context);
    const done = thing.request(call, context);
    done.then(
      () => obeyed.end(entry),
      (error: unknown) => obeyed.end(entry, error),
    );
    return done;
  }

  async #once(
    step: RuleStep,
    thing: CheckingThing,
    call: ThingCall<RequestOperation>,
    context: InteractionContext,
  ): Promise<unknown> {
    this.#checkStep(step, call);
    const memory = this.#memoryOf(step.rule, context.peer);
    const key = keyOf({ ...step, rule: memory });
    const running = this.#running.get(key);
    if (running) return running;
    const entry = this.#decide(step, memory, strangerOf(context.peer));
    // Rules use no outputs, so none is kept.
    if (!entry) return null;
    if (this.#running.size >= maxRunning)
      throw new AlthingError('too-many', `This device does ${maxRunning} steps of rules already.`);
    const doing = this.#within(context, (own) => this.#do(entry, step.mode, thing, call, own));
    this.#running.set(key, doing);
    try {
      return await doing;
    } finally {
      this.#running.delete(key);
    }
  }

  async #within(
    given: InteractionContext,
    work: (context: InteractionContext) => Promise<unknown>,
  ): Promise<unknown> {
    const late = new AbortController();
    const leftMs = Math.max(0, Math.ceil(given.deadline - (this.#options.now ?? Date.now)()));
    const cancel = this.#options.schedule(leftMs, () =>
      late.abort(new AlthingError('timeout', 'The step was not done in time.')),
    );
    try {
      return await work(new StepContext(given, late.signal));
    } finally {
      cancel();
    }
  }

  #checkStep({ rule, firing, step, clock }: RuleStep, call: ThingCall): void {
    if (call.op === 'writemultipleproperties')
      throw new AlthingError('bad-input', 'A step of a rule writes one property or invokes an action.');
    // Or a step of what the caller may command would pass for one of what it may not, which is then never done.
    if (!namesCommand(step, call) || !isFiringOf(rule, firing, clock))
      throw new AlthingError(
        'bad-input',
        `The step ${step} of ${firing} is none of the rule ${rule} that commands ${call.thing}/${call.name}.`,
      );
    const { ms, known } = this.#options.time();
    if (known && stampMs(clock) > ms + maxAheadMs)
      throw new AlthingError(
        'bad-input',
        `The step is stamped ${Math.round((stampMs(clock) - ms) / 1000)} s ahead of the fabric's time.`,
      );
  }

  /**
   * In which rule's memory a step is kept. Who does not run the rule has one of its own: what it sends is done once, and
   * makes no step of those who run the rule look old, repeated or forgotten.
   */
  #memoryOf(rule: string, peer: PeerId): string {
    return this.#options.isRunner?.(rule, peer) === false ? strangerOf(peer) : rule;
  }

  /** The entry to be noted before the step is done; undefined where it is done already. */
  #decide(step: RuleStep, memory: string, stranger: string): LedgerEntry | undefined {
    const { ledger } = this.#options;
    let decision = ledger.decide(step);
    if (decision.kind === 'do') {
      // Also of one that runs it now: what it sent before that was known here is in its own memory.
      const own = ledger.decide({ ...step, rule: stranger, mode: 'parallel' });
      if (own.kind === 'repeated' || memory === stranger) decision = own;
    }
    switch (decision.kind) {
      case 'do':
        return decision.entry;
      case 'older-run':
        throw superseded(step.rule);
      case 'forgotten':
        throw new AlthingError(
          'step-forgotten',
          `This device no longer knows whether it did this step of ${step.rule}.`,
        );
      case 'repeated':
        return this.#repeated(step.rule, decision.entry);
    }
  }

  #repeated(rule: string, { outcome, code = '' }: LedgerEntry): undefined {
    if (outcome === 'done') return undefined;
    if (outcome === 'failed')
      throw new AlthingError(
        isErrorCode(code) ? code : 'handler-failed',
        `The step of ${rule} was tried here before, and failed.`,
      );
    throw new AlthingError(
      'outcome-unknown',
      `This device began the step of ${rule} before and does not know how it ended.`,
    );
  }

  async #do(
    entry: LedgerEntry,
    mode: RuleStep['mode'],
    thing: CheckingThing,
    call: ThingCall<RequestOperation>,
    context: InteractionContext,
  ): Promise<unknown> {
    // What would be refused leaves no trace, and may be asked again when it no longer is.
    await thing.check(call, context);
    await this.#begin(entry);
    // A step that waits for the disk may be overtaken by one that need not.
    if (mode === 'restart' && this.#options.ledger.isOvertaken(entry)) {
      this.#options.ledger.settle(entry, 'step-superseded');
      throw superseded(entry.rule);
    }
    // From here on the step is done, or it is known that it was not: nothing else is ever said of it.
    if (context.signal.aborted) {
      this.#options.ledger.settle(entry, 'timeout');
      throw new AlthingError('timeout', 'The deadline passed before the step was begun: it was not done.');
    }
    try {
      const result = await this.#act(thing, call, context);
      this.#options.ledger.settle(entry);
      return result;
    } catch (error) {
      // The handler may still be at it: then nobody knows, and the entry says so.
      if (!context.signal.aborted)
        this.#options.ledger.settle(entry, toAlthingError(error, 'handler-failed').code);
      throw error;
    }
  }

  async #begin(entry: LedgerEntry): Promise<void> {
    try {
      await this.#options.ledger.begin(entry);
    } catch (error) {
      const { code, message } = toAlthingError(error);
      throw new AlthingError(code, `The step was not done, since it could not be noted first: ${message}`, {
        cause: error,
      });
    }
  }

  #settledWithin(running: Promise<unknown>, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.schedule(waitMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      running.then(done, done);
    });
  }
}

/** The name of the memory of what a peer sends for rules that it does not run; no rule's key has a dot. */
const strangerOf = (peer: PeerId): string => `peer.${peer}`;

const superseded = (rule: string): AlthingError =>
  new AlthingError('step-superseded', `A newer run of ${rule} has been at this device.`);

const keyOf = ({ rule, firing, step }: AskedStep): string => `${rule}\0${firing}\0${step}`;
