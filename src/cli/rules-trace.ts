/**
 * `althing rules trace`: what a rule did at every peer that could be asked.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { executionLines, unaskedLines } from './execution-text.ts';
import { namesOf } from './fabric-names.ts';
import { limitOf } from './limit.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, options, out }) => {
  const client = clientOf(home);
  const trace = await client.rules.trace(rule, limitOf(options.limit));
  const nameOf = await namesOf(client);
  out.answer(trace, () =>
    [
      ...(trace.executions.length === 0 ? ['It has not fired, or that is no longer kept.'] : []),
      ...trace.executions.flatMap((execution) => executionLines(execution, nameOf)),
      ...unaskedLines(trace.unasked),
      ...(trace.notAsked === 0 ? [] : [`${trace.notAsked} more members were not asked: too many.`]),
    ].join('\n'),
  );
};
