/**
 * The rules' part of one device, on a disk in memory: the gate of steps, what was obeyed, the desk.
 * Relies on the real parts; what the Things do is the test's.
 */
import { stampOf } from '../core/clock.ts';
import { silentLogger } from '../core/logger.ts';
import { ObeyedCommands } from '../peer/rules/obeyed.ts';
import { RuleDesk } from '../peer/rules/rule-desk.ts';
import { RuleStore } from '../peer/rules/rule-store.ts';
import { type CheckingThing, StepGate } from '../peer/rules/step-gate.ts';
import { StepLedger } from '../peer/rules/step-ledger.ts';
import { LocalNotes } from '../store/local-notes.ts';
import type { RequestOperation, ThingCall } from '../thing/operations.ts';
import type { InteractionContext, RuleStep } from '../thing/scripting-api.ts';
import { MemoryJournal, MemoryJournalFile } from './memory-journal.ts';
import { MemoryDisk, MemoryStateStore } from './memory-store.ts';

/** Where the lab's clocks stand when it begins, and their stamp. */
export const labStartMs = 1_700_000_000_000;
export const labClock = stampOf(labStartMs);

/** One start of a device. `crash` and `new StepLab(disk)` are a loss of power. */
export class StepLab {
  readonly disk: MemoryDisk;
  readonly state: MemoryStateStore;
  readonly store: RuleStore;
  readonly journalFile: MemoryJournalFile;
  readonly journal: MemoryJournal;
  readonly ledger: StepLedger;
  readonly obeyed: ObeyedCommands;
  readonly steps: StepGate;
  readonly desk: RuleDesk;
  /** How each command ended that was obeyed, as it was told. */
  readonly ended: string[] = [];
  time = { ms: labStartMs, known: true };
  monotonicMs = 0;
  /** What the clock was asked to call, by when; `advance` calls it. */
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  /** @param options `byHand`: commits wait until `state.sync()` */
  constructor(
    disk: MemoryDisk = new MemoryDisk(),
    options: {
      byHand?: boolean;
      fabric?: string;
      journal?: MemoryJournalFile;
      isRunner?: (rule: string, peer: string) => boolean;
    } = {},
  ) {
    this.disk = disk;
    this.state = new MemoryStateStore(disk, options);
    const notes = new LocalNotes(this.state, disk.local);
    const { fabric = 'ab'.repeat(32) } = options;
    this.store = new RuleStore(notes, fabric);
    this.journalFile = options.journal ?? new MemoryJournalFile();
    this.journal = new MemoryJournal(this.journalFile);
    const schedule = (delayMs: number, callback: () => void) => this.#schedule(delayMs, callback);
    this.obeyed = new ObeyedCommands({
      kept: () => this.store.obeyed(),
      keep: (obeyed) => this.store.write({ obeyed }),
      ended: ({ outcome }) => this.ended.push(outcome),
      now: () => this.time.ms,
      monotonic: () => this.monotonicMs,
      schedule,
      logger: silentLogger,
    });
    this.ledger = new StepLedger({
      ...{ notes, fabric, journal: this.journal, schedule, logger: silentLogger },
      time: () => this.time,
      monotonic: () => this.monotonicMs,
    });
    this.steps = new StepGate({
      ...{ self: 'self', ledger: this.ledger, obeyed: this.obeyed, schedule },
      time: () => this.time,
      ...(options.isRunner && { isRunner: options.isRunner }),
    });
    this.desk = new RuleDesk({
      roleOf: () => 'member',
      ask: (step, waitMs, from) => this.steps.ask(step, waitMs, from),
      executions: (filter) => this.store.executions(filter),
      obeyed: (_caller, thing, limit) => this.obeyed.of(thing, limit),
      now: () => this.monotonicMs,
    });
  }

  advance(byMs: number): void {
    this.time = { ...this.time, ms: this.time.ms + byMs };
    this.monotonicMs += byMs;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.monotonicMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.monotonicMs);
    for (const { callback } of due) callback();
  }

  #schedule(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.monotonicMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }
}

/** A step of a run that begins when the lab does, and that others could begin too: its entry waits for the disk. */
/** @param parts what differs; of `step` the part before the command that it names */
export const labStep = ({ step = '0/t0', rule = 'hall', ...parts }: Partial<RuleStep> = {}): RuleStep => ({
  ...{ rule, firing: `time/${rule}/0/${labStartMs}`, mode: 'single', clock: labClock },
  ...{ ...parts, step: `${step}:${labWrite.thing}/${labWrite.name}` },
});

export const labWrite: ThingCall<RequestOperation> = {
  thing: 'urn:althing:lamp',
  op: 'writeproperty',
  name: 'on',
  input: true,
};

/** A request as it comes to the device. */
export const labContext = (
  step?: RuleStep,
  { timeoutMs = 60_000, ...parts }: Partial<InteractionContext> & { timeoutMs?: number } = {},
): InteractionContext => ({
  peer: 'asker',
  signal: new AbortController().signal,
  deadline: Date.now() + timeoutMs,
  cause: { id: 'cause', origin: 'rule', peer: 'asker', ...(step && { step }) },
  uriVariables: {},
  ...parts,
});

/** A Thing that counts what it does. */
export class CountingThing implements CheckingThing {
  readonly contexts: InteractionContext[] = [];
  /** What happens when it acts. */
  act: (context: InteractionContext) => Promise<unknown> = async () => null;
  /** What happens when it is asked whether it would. */
  wouldAct: () => Promise<void> = async () => {};

  get count(): number {
    return this.contexts.length;
  }

  check(): Promise<void> {
    return this.wouldAct();
  }

  async request(_call: ThingCall<RequestOperation>, context: InteractionContext): Promise<unknown> {
    this.contexts.push(context);
    return this.act(context);
  }
}
