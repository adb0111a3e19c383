/**
 * A run as it is kept on disk and handed to the peer that stands by: all that is needed to go on with it.
 * Relies on valibot for what came from elsewhere; the state inside is the machine's own.
 */
import * as v from 'valibot';
import type { PeerId } from '../../core/ids.ts';
import type { ConditionInfo } from '../../core/rule-shapes.ts';
import { type CauseChain, parseChain } from '../../rules/causes.ts';
import { ruleOfFiring } from '../../rules/placement.ts';
import type { RunStart, RunState } from '../../rules/run-state.ts';
import type { ExecutionFacts } from './execution-info.ts';

/** One run. Plain data. */
export interface KeptRun {
  readonly version: 1;
  /** The rule's name. */
  readonly name: string;
  readonly chain: CauseChain;
  readonly conditions: readonly ConditionInfo[];
  /** When it fired, milliseconds since 1970. */
  readonly atMs: number;
  readonly isPlaced: boolean;
  readonly start: RunStart;
  /** Absent while it waits for its turn (mode `queued`). */
  readonly state?: RunState;
  /** Last known values that may stand in for live ones, by age in milliseconds. */
  readonly staleMs?: number;
  /** The peer that stands by for it. */
  readonly standby?: PeerId;
  /** The peer that it was taken over from. */
  readonly from?: PeerId;
}

/** What its execution is called. */
export const factsOf = ({ name, chain, conditions, atMs, start }: KeptRun): ExecutionFacts => ({
  firing: start.firing,
  rule: start.rule,
  name,
  atMs,
  trigger: start.trigger,
  chain,
  conditions,
});

const ms = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** What the engine itself looks at; the machine's state was made by the same machine, or by a member that lies to itself. */
const keptSchema = v.object({
  version: v.literal(1),
  name: v.pipe(v.string(), v.maxLength(100)),
  conditions: v.pipe(v.array(v.any()), v.maxLength(16)),
  atMs: ms,
  isPlaced: v.boolean(),
  start: v.object({
    rule: v.string(),
    firing: v.pipe(v.string(), v.maxLength(600)),
    mode: v.picklist(['single', 'restart', 'queued', 'parallel']),
    clock: ms,
    trigger: v.object({ kind: v.string(), id: v.string() }),
    steps: v.array(v.any()),
  }),
  staleMs: v.exactOptional(ms),
});

/** A run that another peer handed over, or an older version kept; undefined where it is none. */
export const parseKeptRun = (value: unknown): KeptRun | undefined => {
  if (!v.is(keptSchema, value)) return undefined;
  const { chain, start, state } = value as unknown as KeptRun;
  if (parseChain(chain) === undefined || ruleOfFiring(start.firing) !== start.rule) return undefined;
  if (state !== undefined && (state.version !== 1 || state.start?.firing !== start.firing)) return undefined;
  return value as unknown as KeptRun;
};
