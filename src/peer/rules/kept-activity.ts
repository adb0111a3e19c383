/**
 * What this peer keeps of rules that ran and commands that were obeyed, as lines in the order of time.
 * Relies on what is kept; the feed of what happens now has lines of the same shape.
 */
import type { Activity } from '../../core/api-shapes.ts';
import type { ExecutionInfo, ObeyedInfo } from '../../core/rule-shapes.ts';

/** The newest lines, newest last, at most `limit`; of what is given newest first. */
export const keptActivity = (
  executions: readonly ExecutionInfo[],
  commands: readonly ObeyedInfo[],
  limit: number,
): Activity[] =>
  // The sort keeps the order of lines of one millisecond.
  [...executions.map(executionLine).reverse(), ...commands.map(obeyedLine).reverse()]
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
    .slice(-limit);

const executionLine = ({ started, ended, rule, firing, outcome, message }: ExecutionInfo): Activity => ({
  time: ended ?? started,
  kind: outcome === 'running' ? 'rule-fired' : outcome === 'refused' ? 'rule-refused' : 'rule-ended',
  rule,
  firing,
  ...(outcome !== 'running' && { outcome }),
  ...(message !== null && { message }),
});

const obeyedLine = (obeyed: ObeyedInfo): Activity => ({ time: obeyed.time, ...obeyedActivity(obeyed) });

/** A command that a Thing here obeyed. */
export const obeyedActivity = (obeyed: ObeyedInfo): Omit<Activity, 'time'> => {
  const { thing, op, name, peer, chain, outcome } = obeyed;
  const link = chain.at(-1);
  return {
    kind: 'obeyed',
    ...(link && { rule: link.rule, firing: link.firing }),
    peer,
    thing,
    op,
    ...(name !== null && { name }),
    outcome,
  };
};
