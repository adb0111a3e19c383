/**
 * The cause of a request as it is on the wire: who began it, the firings of rules behind it, the step that it is.
 * Relies on nothing; what does not fit is refused here, before anything is done with the request.
 */
import { AlthingError } from '../core/errors.ts';
import type { Cause, CauseLink, RuleStep } from '../thing/scripting-api.ts';

const origins: ReadonlySet<unknown> = new Set(['cli', 'http', 'script', 'program', 'rule']);
const modes: ReadonlySet<unknown> = new Set(['single', 'restart', 'queued', 'parallel']);
const maxChain = 16;
const maxName = 600;
const maxId = 64;
const rulePattern = /^[a-z0-9][a-z0-9-]{0,59}$/;

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
 * The cause that came; undefined where there is none, or it does not say who began it. Throws `bad-input` for a chain or
 * a step that does not fit: a step that is not understood must not be done as something else.
 */
export const causeIn = (wire: unknown): Cause | undefined => {
  if (!Array.isArray(wire)) return undefined;
  const [id, origin, peer, chain, step] = wire;
  if (!isText(id, maxId) || !origins.has(origin) || !isText(peer, maxId)) return undefined;
  if (wire.length === 3) return { id, origin, peer };
  return {
    ...{ id, origin, peer },
    ...(Array.isArray(chain) && chain.length === 0 ? {} : { chain: chainIn(chain) }),
    ...(step !== undefined && step !== null && { step: stepIn(step) }),
  };
};

const chainIn = (chain: unknown): CauseLink[] => {
  if (!Array.isArray(chain) || chain.length > maxChain) throw misfit('chain');
  return chain.map((link) => {
    const [rule, firing, peer, atMs] = Array.isArray(link) ? link : [];
    if (!isRule(rule) || !isName(firing) || !isText(peer, maxId) || !isCount(atMs)) throw misfit('chain');
    return { rule, firing, peer, atMs };
  });
};

const stepIn = (wire: unknown): RuleStep => {
  const [rule, firing, step, mode, clock] = Array.isArray(wire) ? wire : [];
  if (!isRule(rule) || !isName(firing) || !isName(step) || !modes.has(mode) || !isCount(clock))
    throw misfit('step');
  return { rule, firing, step, mode: mode as RuleStep['mode'], clock };
};

const misfit = (what: string): AlthingError =>
  new AlthingError('bad-input', `The ${what} in the cause of this request does not fit the protocol.`);

const isText = (value: unknown, maxLength: number): value is string =>
  typeof value === 'string' && value.length <= maxLength;

const isName = (value: unknown): value is string => isText(value, maxName) && value !== '';

const isRule = (value: unknown): value is string => typeof value === 'string' && rulePattern.test(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
