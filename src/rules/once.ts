/**
 * The device's side of "once": whether a step of a rule is done, refused as repeated, or refused as of an older run.
 * Relies on the caller to make an entry durable before it acts; entries are plain data, and so is their order.
 *
 * Memory is bounded for each rule. What is dropped leaves a horizon, the clock of the newest run that was dropped: a
 * step of a run at or before it that is not remembered is refused as `forgotten`, since it may have been done. So
 * nothing is ever done twice; a step that comes later than so many others of its rule is reported, not guessed.
 */

import type { FiringId } from './placement.ts';
import { type RuleMode, ruleLimits } from './rule.ts';

/** A step as a device is asked for it. `clock`: the hybrid clock of the firing, the same for all its steps. */
export interface StepRequest {
  readonly rule: string;
  readonly firing: FiringId;
  /** The step's path in the run, as `run.ts` makes it. */
  readonly step: string;
  readonly mode: RuleMode;
  readonly clock: number;
}

/** What became of a step; `begun` is written before the device acts, and stays where it lost its power meanwhile. */
export type StepOutcome = 'begun' | 'done' | 'failed';

/** One step in the ledger. */
export interface LedgerEntry {
  readonly rule: string;
  readonly firing: FiringId;
  readonly step: string;
  readonly clock: number;
  readonly outcome: StepOutcome;
  /** The error code of a failure. */
  readonly code?: string;
}

/** What was dropped of a rule, and the newest run of it that was seen. */
export interface LedgerRule {
  readonly rule: string;
  /** Clock of the newest run seen, whatever its mode. */
  readonly newest: number;
  /** Clock of the newest run that was dropped; -1 where none was. */
  readonly horizon: number;
}

/** The answer. `do`: make `entry` durable first, then act, then tell the ledger with `settle`. */
export type StepDecision =
  | { readonly kind: 'do'; readonly entry: LedgerEntry }
  /** It was here before: its outcome is the answer; `begun` without a process that works on it means unknown. */
  | { readonly kind: 'repeated'; readonly entry: LedgerEntry }
  /** Mode `restart`: a newer run of the rule has been seen. */
  | { readonly kind: 'older-run'; readonly newest: number }
  | { readonly kind: 'forgotten'; readonly horizon: number };

/** What must be written and deleted to make a change of the ledger durable. */
export interface LedgerChange {
  readonly put: readonly LedgerEntry[];
  readonly drop: readonly LedgerEntry[];
  readonly rules: readonly LedgerRule[];
  /** Rules of which nothing is kept any more. */
  readonly dropRules: readonly string[];
}

/** What is kept: entries a rule, rules in all, entries in all. */
export interface LedgerLimits {
  readonly entriesPerRule: number;
  readonly rules: number;
  readonly entries: number;
}

/** A run commands at most 1000 steps (`run.ts`), so the longest one fits. */
const defaultLimits: LedgerLimits = { entriesPerRule: 1200, rules: 256, entries: 20_000 };

interface RuleMemory {
  newest: number;
  horizon: number;
  readonly entries: Map<string, LedgerEntry>;
}

/** The ledger in memory, made from what was kept. One device has one, for all its Things. */
export class OnceLedger {
  readonly #rules = new Map<string, RuleMemory>();
  readonly #limits: LedgerLimits;
  #entries = 0;
  /** For rules that were dropped whole. */
  #horizon = -1;

  /** @param kept entries and rules as they were made durable; @param limits default 1200 entries for each of 256 rules, 20 000 in all */
  constructor(
    kept: { readonly entries: Iterable<LedgerEntry>; readonly rules: Iterable<LedgerRule> } = {
      entries: [],
      rules: [],
    },
    limits: Partial<LedgerLimits> = {},
  ) {
    this.#limits = { ...defaultLimits, ...limits };
    for (const { rule, newest, horizon } of kept.rules) {
      if (rule === forgottenRules) this.#horizon = Math.max(this.#horizon, horizon);
      else this.#rules.set(rule, { newest, horizon, entries: new Map() });
    }
    for (const entry of kept.entries) {
      this.#put(this.#memoryOf(entry.rule), entry);
    }
  }

  /** Decides, without changing anything: `take` the entry of a `do` before acting. */
  decide(request: StepRequest): StepDecision {
    const memory = this.#rules.get(request.rule);
    const known = memory?.entries.get(keyOf(request));
    if (known) return { kind: 'repeated', entry: known };
    const other = memory && otherTry(memory, request);
    if (other) return { kind: 'repeated', entry: other };
    const newest = memory?.newest ?? -1;
    if (request.mode === 'restart' && request.clock < newest) return { kind: 'older-run', newest };
    const horizon = memory?.horizon ?? this.#horizon;
    if (request.clock <= horizon) return { kind: 'forgotten', horizon };
    const { rule, firing, step, clock } = request;
    return { kind: 'do', entry: { rule, firing, step, clock, outcome: 'begun' } };
  }

  /** Whether a newer run of the entry's rule has been seen: what waited for the disk may have been overtaken. */
  isOvertaken({ rule, clock }: LedgerEntry): boolean {
    return clock < (this.#rules.get(rule)?.newest ?? -1);
  }

  /** Takes an entry in; make the change durable before the device acts. */
  take(entry: LedgerEntry): LedgerChange {
    const drop: LedgerEntry[] = [];
    const rules: LedgerRule[] = [];
    const dropRules: string[] = [];
    const memory = this.#memoryOf(entry.rule);
    this.#put(memory, entry);
    while (memory.entries.size > this.#limits.entriesPerRule) drop.push(this.#dropOldest(memory));
    while (this.#rules.size > this.#limits.rules) {
      const gone = this.#dropRule(entry.rule);
      drop.push(...gone.entries);
      dropRules.push(gone.rule);
      rules.push({ rule: forgottenRules, newest: -1, horizon: this.#horizon });
    }
    while (this.#entries > this.#limits.entries) {
      const [rule, largest] = this.#largest();
      drop.push(this.#dropOldest(largest));
      if (largest !== memory) rules.push({ rule, newest: largest.newest, horizon: largest.horizon });
    }
    rules.push({ rule: entry.rule, newest: memory.newest, horizon: memory.horizon });
    return { put: drop.includes(entry) ? [] : [entry], drop, rules, dropRules };
  }

  /** Takes in what was noted elsewhere before a restart; what is known already stays as it is. */
  restore(entry: LedgerEntry): LedgerChange {
    const known = this.#rules.get(entry.rule)?.entries.get(keyOf(entry));
    if (known?.outcome === 'begun' && entry.outcome !== 'begun')
      return this.settle(known, entry.outcome, entry.code);
    return known ? nothing : this.take(entry);
  }

  /** An entry could not be made durable, so nothing was done: the step is as if it had not come. */
  takeBack(entry: LedgerEntry): void {
    if (this.#rules.get(entry.rule)?.entries.delete(keyOf(entry))) this.#entries -= 1;
  }

  /** What became of a step that was begun. */
  settle(entry: LedgerEntry, outcome: 'done' | 'failed', code?: string): LedgerChange {
    const settled: LedgerEntry = { ...entry, outcome, ...(code !== undefined && { code }) };
    const memory = this.#rules.get(entry.rule);
    // Dropped meanwhile: the horizon answers for it.
    if (!memory?.entries.has(keyOf(entry))) return nothing;
    memory.entries.set(keyOf(entry), settled);
    return { put: [settled], drop: [], rules: [], dropRules: [] };
  }

  /** What is known of a step, for a peer that lost the answer; `not-seen` where it was never begun here. */
  answer(
    request: Pick<StepRequest, 'rule' | 'firing' | 'step' | 'clock'>,
  ): LedgerEntry | 'not-seen' | 'forgotten' {
    const decision = this.decide({ ...request, mode: 'parallel' });
    if (decision.kind === 'repeated') return decision.entry;
    return decision.kind === 'forgotten' ? 'forgotten' : 'not-seen';
  }

  /** How much is kept. */
  get size(): { readonly rules: number; readonly entries: number } {
    return { rules: this.#rules.size, entries: this.#entries };
  }

  #put(memory: RuleMemory, entry: LedgerEntry): void {
    const before = memory.entries.size;
    memory.entries.set(keyOf(entry), entry);
    this.#entries += memory.entries.size - before;
    memory.newest = Math.max(memory.newest, entry.clock);
  }

  /** A rule that floods its devices loses its own memory, not that of the others. */
  #largest(): [string, RuleMemory] {
    let largest: [string, RuleMemory] | undefined;
    for (const one of this.#rules)
      if (!largest || one[1].entries.size > largest[1].entries.size) largest = one;
    return largest!;
  }

  #memoryOf(rule: string): RuleMemory {
    let memory = this.#rules.get(rule);
    if (!memory) {
      // A rule that was dropped whole comes back with the horizon of those: its steps may have been among them.
      memory = { newest: -1, horizon: this.#horizon, entries: new Map() };
      this.#rules.set(rule, memory);
    }
    return memory;
  }

  /** The oldest run goes whole or in part: its clock becomes the horizon, so that none of its steps counts as new. */
  #dropOldest(memory: RuleMemory): LedgerEntry {
    let oldest: LedgerEntry | undefined;
    for (const entry of memory.entries.values()) if (!oldest || entry.clock < oldest.clock) oldest = entry;
    memory.entries.delete(keyOf(oldest!));
    this.#entries -= 1;
    memory.horizon = Math.max(memory.horizon, oldest!.clock);
    return oldest!;
  }

  #dropRule(except: string): { rule: string; entries: LedgerEntry[] } {
    let oldest: { rule: string; memory: RuleMemory } | undefined;
    for (const [rule, memory] of this.#rules)
      if (rule !== except && (!oldest || memory.newest < oldest.memory.newest)) oldest = { rule, memory };
    const { rule, memory } = oldest!;
    this.#rules.delete(rule);
    this.#entries -= memory.entries.size;
    this.#horizon = Math.max(this.#horizon, memory.newest, memory.horizon);
    return { rule, entries: [...memory.entries.values()] };
  }
}

const nothing: LedgerChange = { put: [], drop: [], rules: [], dropRules: [] };

/** The row that holds the horizon of rules that were dropped whole; no rule has an empty slug. */
const forgottenRules = '';

/**
 * Another try of the same command that was done, or may have been: on both sides of a partition one firing may run, and
 * what one side could not reach and tries again the other has done under another number.
 */
const otherTry = ({ entries }: RuleMemory, { firing, step }: StepRequest): LedgerEntry | undefined => {
  const tried = tryPattern.exec(step);
  if (!tried) return undefined;
  const [, path, own, command] = tried;
  for (let number = 0; number <= ruleLimits.retries; number++) {
    if (number === Number(own)) continue;
    const entry = entries.get(keyOf({ firing, step: `${path}/t${number}:${command}` }));
    if (entry && entry.outcome !== 'failed') return entry;
  }
  return undefined;
};

/** A path of a command, as `run.ts` makes it. */
const tryPattern = /^([^:]*)\/t(\d+):(.*)$/s;

/** Names an entry; `firing` cannot contain the separator. */
const keyOf = ({ firing, step }: { readonly firing: string; readonly step: string }): string =>
  `${firing}\0${step}`;
