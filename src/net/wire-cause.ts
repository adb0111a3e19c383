/**
 * The cause of a request as it is on the wire: who began it, the firings of rules behind it, the step that it is.
 * Relies on nothing; what does not fit is refused here, before anything is done with the request.
 */
import { AlthingError } from '../core/errors.ts';
import { isPeerId } from '../core/ids.ts';
import { isCauseLink, isFiringName, isRuleKey, maxChainLength } from '../thing/cause-link.ts';
import type { Cause, CauseLink, RuleStep } from '../thing/scripting-api.ts';

const origins: ReadonlySet<unknown> = new Set(['cli', 'http', 'script', 'program', 'rule']);
const modes: ReadonlySet<unknown> = new Set(['single', 'restart', 'queued', 'parallel']);
const maxId = 64;

/** [id, origin, peer], with the chain and the step behind them where there are any; null for none. */
export const wireCauseOf = (cause: Cause | undefined): unknown[] | null => {
  if (!cause) return null;
  const { id, origin, peer, chain, step } = cause;
  if (!chain && !step) return [id, origin, peer];
  const links = (chain ?? []).map((link) => [link.rule, link.firing, link.peer, link.atMs]);
  if (!step) return [id, origin, peer, links];
  return [id, origin, peer, links, [step.rule, step.firing, step.step, step.mode, step.clock]];
};

/**
 * The cause that came; undefined where it does not say who began it. Throws `bad-input` for a chain or a step that does
 * not fit, or that nobody began: a step that is not understood must not be done as something else.
 */
export const causeIn = (wire: unknown): Cause | undefined => {
  if (!Array.isArray(wire)) return undefined;
  const [id, origin, peer, chain, step] = wire;
  const isBegun = typeof id === 'string' && id.length <= maxId && origins.has(origin) && isPeerId(peer);
  if (wire.length <= 3) return isBegun ? { id, origin, peer } : undefined;
  if (!isBegun) throw misfit('beginning');
  return {
    ...{ id, origin, peer },
    ...(Array.isArray(chain) && chain.length === 0 ? {} : { chain: chainIn(chain) }),
    ...(step !== undefined && step !== null && { step: stepIn(step) }),
  };
};

const chainIn = (chain: unknown): CauseLink[] => {
  if (!Array.isArray(chain) || chain.length > maxChainLength) throw misfit('chain');
  return chain.map((wire) => {
    const [rule, firing, peer, atMs] = Array.isArray(wire) ? wire : [];
    const link = { rule, firing, peer, atMs };
    if (!isCauseLink(link)) throw misfit('chain');
    return link;
  });
};

const stepIn = (wire: unknown): RuleStep => {
  const [rule, firing, step, mode, clock] = Array.isArray(wire) ? wire : [];
  if (!isRuleKey(rule) || !isFiringName(firing) || !isFiringName(step) || !modes.has(mode) || !isCount(clock))
    throw misfit('step');
  return { rule, firing, step, mode: mode as RuleStep['mode'], clock };
};

const misfit = (what: string): AlthingError =>
  new AlthingError('bad-input', `The ${what} in the cause of this request does not fit the protocol.`);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
