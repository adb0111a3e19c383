/**
 * A firing on its way from a trigger to an execution: what fired, which names it has, what led to it.
 * Relies on types and ids alone.
 */
import { toHex, utf8 } from '../../core/bytes.ts';
import type { Crypto } from '../../core/crypto.ts';
import type { PeerId } from '../../core/ids.ts';
import { type CauseChain, extendChain } from '../../rules/causes.ts';
import type { TriggerData } from '../../rules/expression.ts';
import type { FiringId } from '../../rules/placement.ts';
import type { Trigger } from '../../rules/rule.ts';
import type { Cause, RuleStep } from '../../thing/scripting-api.ts';

/** One time that a rule's trigger fires. */
export interface Firing {
  /** The rule's key. */
  readonly rule: string;
  readonly firing: FiringId;
  /** The hybrid clock, the same for all its steps. */
  readonly clock: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly trigger: TriggerData;
  /** What led to the trigger. */
  readonly chain: CauseChain;
  /** Whether any of several peers could run it, so that another one stands by. */
  readonly isPlaced: boolean;
}

/** What expressions call a trigger: its `id`, or its number. */
export const triggerId = (trigger: Trigger, index: number): string => trigger.id ?? `${index}`;

/** Why a firing asks something: a step of its run, or, without one, only to know. */
export const causeOfFiring = (
  { rule, firing, chain, atMs }: Pick<Firing, 'rule' | 'firing' | 'chain' | 'atMs'>,
  { self, crypto }: { readonly self: PeerId; readonly crypto: Pick<Crypto, 'sha256'> },
  step?: RuleStep,
): Cause => ({
  id: toHex(crypto.sha256(utf8(firing))).slice(0, 32),
  origin: 'rule',
  peer: self,
  chain: extendChain(chain, { rule, firing, peer: self, atMs }),
  ...(step && { step }),
});
