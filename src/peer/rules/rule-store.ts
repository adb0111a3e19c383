/**
 * What rules leave on this peer's disk: runs, triggers that count time, executions, what Things obeyed.
 * Relies on the local notes for durability; every kind is bounded, and what another fabric left is forgotten.
 */
import { encode } from '../../core/codec.ts';
import { AlthingError } from '../../core/errors.ts';
import type { ExecutionInfo, ObeyedInfo } from '../../core/rule-shapes.ts';
import { cutValue } from '../../rules/cut-value.ts';
import { type LocalNotes, type NoteChange, noteChange } from '../../store/local-notes.ts';

/** Changes that become durable together or not at all. */
export interface RuleChanges {
  /** Runs by firing; null forgets one. Plain data. */
  readonly runs?: readonly (readonly [firing: string, kept: unknown])[];
  /** States of triggers by a key of the caller's; null forgets one. Plain data. */
  readonly triggers?: readonly (readonly [key: string, kept: unknown])[];
  /** New ones, and ones that replace what was kept of the same firing. */
  readonly executions?: readonly ExecutionInfo[];
  /** What Things obeyed, by Thing; null forgets one. */
  readonly obeyed?: readonly (readonly [thing: string, kept: readonly ObeyedInfo[] | null])[];
}

/** Which executions are wanted; at most `limit`, 50 where it says nothing. */
export interface ExecutionFilter {
  readonly rule?: string;
  readonly firing?: string;
  readonly limit?: number;
}

const root = 'rules/';

/** What the keys of one fabric's rules begin with; `fabric` is hexadecimal. */
export const rulePrefix = (fabric: string): string => `${root}${fabric.slice(0, 16)}/`;

const executionsPerRule = 50;
/** Of these, firings that came to nothing: a condition that is false all day hides nothing that was done. */
const idlePerRule = 10;
const executionsInAll = 500;
const executionBytes = 32 * 1024;
/** Steps that are kept of an execution that is too large otherwise. */
const keptSteps = 50;
const maxRuns = 1000;
const maxTriggers = 2000;

/** The notes of rules of one fabric. */
export class RuleStore {
  readonly #notes: LocalNotes;
  readonly #prefix: string;
  /** Which runs and triggers there are, by kind. */
  readonly #keys = new Map<string, Set<string>>();
  /** Rules by the firings of which an execution is kept, oldest first. */
  #executions: Map<string, string> | undefined;

  /** @param fabric what names the fabric, hexadecimal */
  constructor(notes: LocalNotes, fabric: string) {
    this.#notes = notes;
    this.#prefix = rulePrefix(fabric);
  }

  /** Deletes what other fabrics left, in which this peer was. Throws the store's codes. */
  async forgetOthers(): Promise<void> {
    const others = this.#notes.keys(root).filter((key) => !key.startsWith(this.#prefix));
    if (others.length > 0) await this.#notes.commit(others.map((key) => noteChange(key, null)));
  }

  /** Makes changes durable. Throws the store's codes, and `too-many` for more than 1000 runs or 2000 triggers. */
  async write(changes: RuleChanges): Promise<void> {
    const { runs = [], triggers = [], executions = [], obeyed = [] } = changes;
    this.#checkRoom('run/', runs, maxRuns);
    this.#checkRoom('trigger/', triggers, maxTriggers);
    const notes = [
      ...runs.map(([firing, kept]) => noteChange(`run/${firing}`, kept)),
      ...triggers.map(([key, kept]) => noteChange(`trigger/${key}`, kept)),
      ...executions.flatMap((execution) => this.#executionNotes(execution)),
      ...obeyed.map(([thing, kept]) => noteChange(`obeyed/${thing}`, kept)),
    ];
    if (notes.length > 0)
      await this.#notes.commit(notes.map(([key, value]): NoteChange => [this.#prefix + key, value]));
  }

  /** Makes a run durable: whatever the caller needs to go on with it. */
  saveRun(firing: string, kept: unknown): Promise<void> {
    return this.write({ runs: [[firing, kept]] });
  }

  dropRun(firing: string): Promise<void> {
    return this.write({ runs: [[firing, null]] });
  }

  /** Runs that were not dropped, by firing. */
  runs(): Map<string, unknown> {
    return new Map(this.#list('run/'));
  }

  saveTrigger(key: string, kept: unknown): Promise<void> {
    return this.write({ triggers: [[key, kept]] });
  }

  dropTrigger(key: string): Promise<void> {
    return this.write({ triggers: [[key, null]] });
  }

  /** States of triggers that were not dropped, by key. */
  triggers(): Map<string, unknown> {
    return new Map(this.#list('trigger/'));
  }

  /** Keeps an execution, or what is known of it now; the oldest go beyond 50 of a rule and 500 in all. */
  saveExecution(execution: ExecutionInfo): Promise<void> {
    return this.write({ executions: [execution] });
  }

  /** Whether an execution of this firing is kept, or was to be. */
  hasExecution(firing: string): boolean {
    return this.#kept().has(firing);
  }

  /** What was kept of executions, newest first. */
  executions({ rule, firing, limit = executionsPerRule }: ExecutionFilter = {}): ExecutionInfo[] {
    const found: ExecutionInfo[] = [];
    for (const [one, of] of [...this.#kept()].reverse()) {
      if (found.length >= limit) break;
      if ((rule !== undefined && of !== rule) || (firing !== undefined && one !== firing)) continue;
      const note = this.#notes.get(`${this.#prefix}execution/${one}`);
      // One that could not be written, on a disk that is full, is not there.
      if (note) found.push(note as ExecutionInfo);
    }
    return found;
  }

  /** What Things obeyed before this start, by Thing. */
  obeyed(): Map<string, ObeyedInfo[]> {
    return new Map(this.#list('obeyed/') as [string, ObeyedInfo[]][]);
  }

  #list(kind: string): [string, unknown][] {
    const prefix = this.#prefix + kind;
    return [...this.#notes.list(prefix)].map(([key, note]) => [key.slice(prefix.length), note]);
  }

  #keysOf(kind: string): string[] {
    const prefix = this.#prefix + kind;
    return this.#notes.keys(prefix).map((key) => key.slice(prefix.length));
  }

  #checkRoom(kind: string, changes: readonly (readonly [string, unknown])[], limit: number): void {
    if (changes.length === 0) return;
    const keys = this.#keys.get(kind) ?? new Set(this.#keysOf(kind));
    this.#keys.set(kind, keys);
    const added = changes.filter(([key, kept]) => kept !== null && !keys.has(key)).length;
    if (added > 0 && keys.size + added > limit)
      throw new AlthingError('too-many', `Rules have ${limit} entries of ${kind} on this peer already.`);
    for (const [key, kept] of changes) {
      if (kept === null) keys.delete(key);
      else keys.add(key);
    }
  }

  #kept(): Map<string, string> {
    if (!this.#executions) {
      const notes = this.#list('execution/').map(([, note]) => note as ExecutionInfo);
      notes.sort((a, b) => (a.started < b.started ? -1 : 1));
      this.#executions = new Map(notes.map(({ firing, rule }) => [firing, rule]));
    }
    return this.#executions;
  }

  #cameToNothing(firing: string): boolean {
    const note = this.#notes.get(`${this.#prefix}execution/${firing}`);
    return note !== undefined && cameToNothing(note as ExecutionInfo);
  }

  #executionNotes(execution: ExecutionInfo): NoteChange[] {
    const kept = this.#kept();
    const { firing, rule } = execution;
    const notes = [noteChange(`execution/${firing}`, cutExecution(execution))];
    if (kept.has(firing)) return notes;
    kept.set(firing, rule);
    const ofRule = [...kept].filter(([, of]) => of === rule).map(([one]) => one);
    const idle = ofRule.filter((one) =>
      one === firing ? cameToNothing(execution) : this.#cameToNothing(one),
    );
    const gone = new Set(idle.slice(0, Math.max(0, idle.length - idlePerRule)));
    const left = ofRule.filter((one) => !gone.has(one));
    for (const one of left.slice(0, Math.max(0, left.length - executionsPerRule))) gone.add(one);
    for (const one of kept.keys()) {
      if (kept.size - gone.size <= executionsInAll) break;
      gone.add(one);
    }
    for (const one of gone) {
      kept.delete(one);
      notes.push(noteChange(`execution/${one}`, null));
    }
    return notes;
  }
}

const cameToNothing = ({ outcome }: ExecutionInfo): boolean => outcome === 'not-run' || outcome === 'refused';

const cutExecution = (execution: ExecutionInfo): ExecutionInfo => {
  const { trigger } = execution;
  const cut: ExecutionInfo = {
    ...execution,
    trigger: {
      ...trigger,
      ...('value' in trigger && { value: cutValue(trigger.value) }),
      ...('previous' in trigger && { previous: cutValue(trigger.previous) }),
      ...('event' in trigger && { event: cutValue(trigger.event) }),
    },
    conditions: execution.conditions.map((condition) => ({
      ...condition,
      values: condition.values.map((seen) =>
        'value' in seen ? { ...seen, value: cutValue(seen.value) } : seen,
      ),
    })),
    steps: execution.steps.map((step) => ('input' in step ? { ...step, input: cutValue(step.input) } : step)),
  };
  if (encode(cut).length <= executionBytes) return cut;
  const { value: _value, previous: _previous, event: _event, ...bare } = cut.trigger;
  return {
    ...cut,
    trigger: bare,
    conditions: cut.conditions.map((condition) => ({ ...condition, values: [] })),
    steps: cut.steps.slice(-keptSteps).map(({ input: _input, ...step }) => step),
  };
};
