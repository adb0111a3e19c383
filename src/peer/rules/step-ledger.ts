/**
 * The device's ledger of steps on its disk: what is noted before a step is done, and what is known after a restart.
 * Relies on the local notes for what lasts, and on a journal for what has to be quick: see docs/adr/0014.
 *
 * A step of a firing that others may begin too waits for the disk. One of a firing that is begun once waits for the
 * operating system alone, and is in the notes some 50 ms later: a dying process loses neither, a loss of power may lose
 * the last moments of the second. So after a loss of power this device says of such steps that it no longer knows.
 */
import { createHash, randomUUID } from 'node:crypto';
import { utf8 } from '../../core/bytes.ts';
import { stampOf } from '../../core/clock.ts';
import { isDiskFailure } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import {
  type LedgerChange,
  type LedgerEntry,
  type LedgerRule,
  OnceLedger,
  type StepDecision,
  type StepRequest,
} from '../../rules/once.ts';
import { isBegunOnce } from '../../rules/placement.ts';
import { type LocalNotes, type NoteChange, noteChange } from '../../store/local-notes.ts';
import { rulePrefix } from './rule-store.ts';
import type { StepJournal } from './step-journal.ts';

export interface StepLedgerOptions {
  readonly notes: LocalNotes;
  /** What names the fabric, hexadecimal. */
  readonly fabric: string;
  readonly journal: StepJournal;
  /** The fabric's time, and whether this device knows it. */
  readonly time: () => { readonly ms: number; readonly known: boolean };
  /** Milliseconds on a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly logger: Logger;
}

/** How far the firing's clock may be ahead: one that is wrong for years must not make all that follows look old. */
export const maxAheadMs = 120_000;

const flushAfterMs = 50;
/** A disk that failed is tried again as often. */
const flushAgainMs = 5000;
/** With more in the journal, which its disk does not take, steps wait for the disk. */
const maxJournalBytes = 256 * 1024;

/** The journal that is being written, in the notes for as long as it may hold what they do not. */
interface OpenJournal {
  readonly token: string;
  /** The start of the machine in which it is written; empty where that is not known. */
  readonly boot: string;
}

/** One device's ledger. */
export class StepLedger {
  readonly #options: StepLedgerOptions;
  readonly #prefix: string;
  readonly #startedMs: number;
  #once: OnceLedger | undefined;
  /** What has changed since the last flush, in its order: a step that waits for no disk makes no notes either. */
  #changes: LedgerChange[] = [];
  /** What the notes do not have yet: how each note is made, by what tells it from the others. */
  #pending = new Map<string, () => NoteChange>();
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #cancelFlush: (() => void) | undefined;
  /** Whether steps go into the journal. */
  #isQuick = false;
  #preparing: Promise<void> | undefined;
  /**
   * Of firings up to this stamp steps may have been done that are not in the ledger; `start`: up to this start, and
   * undefined where no power was ever lost.
   */
  #unsure: number | 'start' | undefined;

  constructor(options: StepLedgerOptions) {
    this.#options = options;
    this.#prefix = rulePrefix(options.fabric);
    this.#startedMs = options.monotonic();
  }

  /** Makes ready to note steps quickly, where an earlier run of this peer did; else the first step does. */
  async start(): Promise<void> {
    if (this.#noted(openKey) !== undefined) await this.#prepare();
  }

  /** What is to be done with a step; changes nothing. */
  decide(step: StepRequest): StepDecision {
    return this.#ledger.decide(step);
  }

  /** Whether a newer run of the rule came while this step was being noted. */
  isOvertaken(entry: LedgerEntry): boolean {
    return this.#ledger.isOvertaken(entry);
  }

  /**
   * Notes that a step is about to be done; it may be done once this resolves. Rejects with the store's codes, and then
   * it must not be done, and is as if it had not come.
   */
  async begin(entry: LedgerEntry): Promise<void> {
    const once = this.#ledger;
    this.#take(once.take(entry));
    if (isBegunOnce(entry.firing)) {
      if (this.#append(entry)) return;
      void this.#prepare();
    }
    try {
      await this.#flush();
    } catch (error) {
      once.takeBack(entry);
      this.#pending.delete(nameOf(entry));
      throw error;
    }
  }

  /** Notes what became of a step that was begun. Nobody waits for it: lost with the power, the outcome is unknown. */
  settle(entry: LedgerEntry, failure?: string): void {
    const change = this.#ledger.settle(entry, failure === undefined ? 'done' : 'failed', failure);
    this.#take(change);
    if (change.put.every((settled) => this.#append(settled))) return;
    this.#flush().catch((error: unknown) => this.#failed(error));
  }

  /** What is known of a step. `isOwn`: this peer asks itself, after a restart. */
  answer(
    step: Pick<StepRequest, 'rule' | 'firing' | 'step' | 'clock'>,
    { isOwn = false }: { isOwn?: boolean } = {},
  ): LedgerEntry | 'not-seen' | 'forgotten' {
    const found = this.#ledger.answer(step);
    if (found !== 'not-seen' || !isBegunOnce(step.firing)) return found;
    // What this peer asks itself it began before this start: its own commands reach the ledger, or fail for certain.
    const isOlder = this.#unsure === 'start' && (isOwn || !this.#options.time().known);
    return isOlder || step.clock <= this.#unsureStamp() ? 'forgotten' : found;
  }

  /** How much is kept. */
  get size(): OnceLedger['size'] {
    return this.#ledger.size;
  }

  /** Puts everything into the notes. Call before the store is closed. */
  async close(): Promise<void> {
    this.#cancelFlush?.();
    try {
      await this.#preparing;
      if (this.#isQuick) {
        this.#isQuick = false;
        this.#note(openKey, () => [openKey, null]);
        const stamp = this.#unsureStamp();
        if (this.#unsure === 'start' && this.#options.time().known)
          this.#note(unsureKey, () => [unsureKey, stamp]);
      }
      await this.#flush();
    } catch (error) {
      this.#failed(error);
    }
    this.#options.journal.close();
  }

  get #ledger(): OnceLedger {
    this.#once ??= this.#load();
    return this.#once;
  }

  /** The notes, and what the journal has beyond them. */
  #load(): OnceLedger {
    const list = (kind: string): unknown[] => [...this.#options.notes.list(this.#prefix + kind).values()];
    const once = new OnceLedger({
      entries: list('once/').map(entryIn),
      rules: list('once-rule/') as LedgerRule[],
    });
    const unsure = this.#noted(unsureKey);
    this.#unsure = typeof unsure === 'number' ? unsure : unsure === undefined ? undefined : 'start';
    const open = this.#noted(openKey) as OpenJournal | undefined;
    if (!open) return once;
    const { journal } = this.#options;
    const entries = journal.read(open.token);
    for (const entry of entries ?? []) this.#take(once.restore(entryIn(JSON.parse(textOf(entry)))));
    if (!entries || open.boot === '' || open.boot !== journal.boot) this.#unsure = 'start';
    return once;
  }

  #noted(key: string): unknown {
    return this.#options.notes.get(this.#prefix + key);
  }

  #unsureStamp(): number {
    if (this.#unsure !== 'start') return this.#unsure ?? -1;
    const { time, monotonic } = this.#options;
    return stampOf(time().ms - (monotonic() - this.#startedMs) + maxAheadMs);
  }

  /** Whether an entry is in the journal now. */
  #append(entry: LedgerEntry): boolean {
    const { journal, logger } = this.#options;
    if (!this.#isQuick || journal.sizeBytes > maxJournalBytes) return false;
    try {
      journal.append(utf8(JSON.stringify(noteOf(entry))));
      return true;
    } catch (error) {
      // Its disk is asked instead, and says what is wrong.
      logger.debug({ err: error }, 'The journal of steps takes nothing at the moment.');
      this.#isQuick = false;
      return false;
    }
  }

  /** Begins a journal, once the notes have all that an earlier one holds and say that there is one. */
  #prepare(): Promise<void> {
    this.#preparing ??= this.#begun().finally(() => {
      this.#preparing = undefined;
    });
    return this.#preparing;
  }

  async #begun(): Promise<void> {
    if (this.#isQuick) return;
    const { journal } = this.#options;
    try {
      this.#once ??= this.#load();
      const open: OpenJournal = { token: randomUUID(), boot: journal.boot ?? '' };
      this.#note(openKey, () => [openKey, open]);
      if (this.#unsure === 'start') this.#note(unsureKey, () => [unsureKey, true]);
      await this.#flush();
      journal.begin(open.token);
      this.#isQuick = true;
    } catch (error) {
      this.#failed(error);
    }
  }

  #take(change: LedgerChange): void {
    this.#changes.push(change);
    this.#flushIn(flushAfterMs);
  }

  #noteAll({ put, drop, rules, dropRules }: LedgerChange): void {
    for (const entry of put) this.#note(nameOf(entry), () => [keyOf(entry), noteOf(entry)]);
    for (const entry of drop) this.#note(nameOf(entry), () => [keyOf(entry), null]);
    for (const rule of dropRules) this.#note(rule, () => [`once-rule/${rule}`, null]);
    for (const row of rules) this.#note(row.rule, () => [`once-rule/${row.rule}`, row]);
  }

  #note(name: string, note: () => readonly [key: string, value: unknown]): void {
    this.#pending.set(name, () => {
      const [key, value] = note();
      return noteChange(this.#prefix + key, value);
    });
  }

  #flushIn(delayMs: number): void {
    this.#cancelFlush ??= this.#options.schedule(delayMs, () => {
      this.#cancelFlush = undefined;
      this.#flush().catch((error: unknown) => {
        this.#failed(error);
        this.#flushIn(flushAgainMs);
      });
    });
  }

  /** Resolves once all that is pending now is in the notes. */
  #flush(): Promise<void> {
    this.#next ??= (async () => {
      // How that ended is told to those who waited for it.
      await this.#current?.catch(() => {});
      this.#current = this.#next;
      this.#next = undefined;
      await this.#write();
    })();
    return this.#next;
  }

  async #write(): Promise<void> {
    for (const change of this.#changes.splice(0)) this.#noteAll(change);
    const batch = this.#pending;
    if (batch.size === 0) return;
    this.#pending = new Map();
    try {
      await this.#options.notes.commit([...batch.values()].map((note) => note()));
    } catch (error) {
      this.#pending = new Map([...batch, ...this.#pending]);
      throw error;
    }
    if (this.#changes.length > 0 || this.#pending.size > 0 || !this.#isQuick) return;
    try {
      this.#options.journal.clear();
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'The journal of steps cannot be cut.');
      this.#isQuick = false;
    }
  }

  #failed(error: unknown): void {
    // A disk that fails is told by the store's health.
    if (!isDiskFailure(error)) this.#options.logger.warn({ err: error }, 'Steps of rules are not kept.');
  }
}

const openKey = 'once-open';
const unsureKey = 'once-unsure';

/** Tells an entry from all others, and from the rules, whose names have no zero in them. */
const nameOf = ({ rule, firing, step }: LedgerEntry): string => `${rule}\0${firing}\0${step}`;

/** An entry's key: its names may be 1200 characters, which only its value says in full. */
const keyOf = (entry: LedgerEntry): string =>
  `once/${createHash('sha256').update(nameOf(entry)).digest('base64url')}`;

const noteOf = ({ rule, firing, step, clock, outcome, code }: LedgerEntry): unknown[] => [
  ...[rule, firing, step, clock, outcome],
  ...(code === undefined ? [] : [code]),
];

const entryIn = (note: unknown): LedgerEntry => {
  const [rule, firing, step, clock, outcome, code] = note as [
    ...[string, string, string, number],
    LedgerEntry['outcome'],
    string?,
  ];
  return { rule, firing, step, clock, outcome, ...(code !== undefined && { code }) };
};

const decoder = new TextDecoder();
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);
