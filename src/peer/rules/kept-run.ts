/**
 * A run as it is kept on disk and handed to the peer that stands by: all that is needed to go on with it.
 * Relies on valibot for what came from elsewhere; the state of the machine inside, too.
 */
import * as v from 'valibot';
import type { PeerId } from '../../core/ids.ts';
import type { ConditionInfo } from '../../core/rule-shapes.ts';
import { type CauseChain, parseChain } from '../../rules/causes.ts';
import { ruleOfFiring } from '../../rules/placement.ts';
import { isRunState } from '../../rules/run-schema.ts';
import type { RunStart, RunState } from '../../rules/run-state.ts';
import { isFiringName, isMoment } from '../../thing/cause-link.ts';
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

const moment = v.custom<number>(isMoment);
const clock = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Everything but the steps, which are compared with those of the rule, and what fired, which is shown as it is. */
const keptSchema = v.object({
  version: v.literal(1),
  name: v.pipe(v.string(), v.maxLength(100)),
  conditions: v.pipe(
    v.array(
      v.object({
        text: v.pipe(v.string(), v.maxLength(3000)),
        result: v.picklist(['true', 'false', 'unknown', 'error']),
        values: v.pipe(v.array(v.unknown()), v.maxLength(300)),
        message: v.nullable(v.string()),
      }),
    ),
    v.maxLength(16),
  ),
  atMs: moment,
  isPlaced: v.boolean(),
  start: v.object({
    rule: v.string(),
    firing: v.custom<string>(isFiringName),
    mode: v.picklist(['single', 'restart', 'queued', 'parallel']),
    clock,
    trigger: v.object({
      kind: v.picklist(['property', 'event', 'time', 'peer', 'thing', 'manual']),
      id: v.string(),
    }),
    steps: v.array(v.any()),
  }),
  state: v.exactOptional(v.custom<RunState>(isRunState)),
  standby: v.exactOptional(v.string()),
  from: v.exactOptional(v.string()),
  staleMs: v.exactOptional(clock),
});

/** A run that another peer handed over, or an older version kept; undefined where it is none. */
export const parseKeptRun = (value: unknown): KeptRun | undefined => {
  if (!v.is(keptSchema, value)) return undefined;
  const { chain, start, state } = value as unknown as KeptRun;
  if (parseChain(chain) === undefined || ruleOfFiring(start.firing) !== start.rule) return undefined;
  if (state !== undefined && state.start?.firing !== start.firing) return undefined;
  return value as unknown as KeptRun;
};
