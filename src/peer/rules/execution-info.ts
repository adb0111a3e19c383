/**
 * Executions as people see them: what fired, what was checked, what was done, how it ended.
 * Relies on the state of the run, whose log says what was done.
 */
import type { PeerId } from '../../core/ids.ts';
import type { ConditionInfo, ExecutionInfo, ExecutionOutcome, TriggerInfo } from '../../core/rule-shapes.ts';
import type { CauseChain } from '../../rules/causes.ts';
import type { TriggerData } from '../../rules/expression.ts';
import type { RunEnd, RunState } from '../../rules/run-state.ts';
import type { Evaluated } from './facts.ts';
import { nameOfUse } from './facts.ts';
import type { RuleWorld } from './rule-world.ts';

/** What is known of an execution beside its run. */
export interface ExecutionFacts {
  readonly firing: string;
  readonly rule: string;
  /** The rule's name. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly trigger: TriggerData;
  readonly chain: CauseChain;
  readonly conditions: readonly ConditionInfo[];
}

const timeText = (ms: number): string => new Date(ms).toISOString();

/** A trigger as JSON. */
export const triggerInfo = (trigger: TriggerData): TriggerInfo => ({
  kind: trigger.kind,
  id: trigger.id,
  thing: trigger.thing ?? null,
  peer: trigger.peer ?? null,
  name: trigger.name ?? null,
  ...('value' in trigger && { value: trigger.value }),
  ...('previous' in trigger && { previous: trigger.previous }),
  ...('event' in trigger && { event: trigger.event }),
  goes: trigger.goes ?? null,
});

/** A condition with what it saw. */
export const conditionInfo = (
  world: Pick<RuleWorld, 'things'>,
  { text, evaluation, values }: Evaluated,
): ConditionInfo => {
  const base = { text, values: [...values] };
  if (evaluation.kind === 'error') return { ...base, result: 'error', message: evaluation.message };
  if (evaluation.kind === 'unknown') {
    const missing = evaluation.missing.map((use) => nameOfUse(world, use)).join(', ');
    return { ...base, result: 'unknown', message: `Not known now: ${missing}.` };
  }
  if (typeof evaluation.value === 'boolean') return { ...base, result: `${evaluation.value}`, message: null };
  return { ...base, result: 'error', message: 'The condition is neither true nor false.' };
};

/** An execution; `run` where there is one, `ended` where it is over or never began. */
export const executionInfo = (
  self: PeerId,
  facts: ExecutionFacts,
  {
    run,
    ended,
  }: {
    readonly run?: RunState;
    readonly ended?: { atMs: number; outcome: ExecutionOutcome; message: string | null };
  },
): ExecutionInfo => ({
  firing: facts.firing,
  rule: facts.rule,
  name: facts.name,
  peer: self,
  started: timeText(run?.startedMs ?? facts.atMs),
  ended: ended ? timeText(ended.atMs) : null,
  trigger: triggerInfo(facts.trigger),
  chain: facts.chain.map(({ rule, firing, peer, atMs }) => ({ rule, firing, peer, time: timeText(atMs) })),
  conditions: [...facts.conditions],
  steps: (run?.log ?? []).map(({ path, atMs, what, command, code }) => ({
    path,
    time: timeText(atMs),
    what,
    thing: command?.thing ?? null,
    op: command?.op ?? null,
    name: command?.name ?? null,
    ...(command && 'input' in command && { input: command.input }),
    code: code ?? null,
  })),
  outcome: ended?.outcome ?? 'running',
  message: ended?.message ?? null,
});

/** How a run ended, in words. */
export const endInfo = (end: RunEnd): { outcome: ExecutionOutcome; message: string | null } => {
  switch (end.outcome) {
    case 'done':
      return { outcome: 'done', message: null };
    case 'stopped':
    case 'cancelled':
      return { outcome: end.outcome, message: end.reason };
    case 'superseded':
      return { outcome: 'superseded', message: 'A device has seen a newer run of the rule.' };
    case 'lost':
      return {
        outcome: 'lost',
        message: `Step ${end.path} was due at ${timeText(end.dueMs)}, when this peer was away.`,
      };
    case 'failed': {
      const { path, code, message } = end.failure;
      return { outcome: 'failed', message: `Step ${path} failed (${code})${message ? `: ${message}` : '.'}` };
    }
  }
};
