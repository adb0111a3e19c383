/**
 * `althing rules test`: a dry run of a rule by the values as they are now.
 * Relies on the running peer's gateway; nothing is commanded.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { conditionText, stepOf, triggerText } from './execution-text.ts';
import { namesOf } from './fabric-names.ts';
import { parseValue } from './value.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, options, out }) => {
  const client = clientOf(home);
  const dry = await client.rules.test(rule, {
    ...(options.trigger !== undefined && { trigger: options.trigger }),
    ...(options.with !== undefined && { event: parseValue(options.with, undefined) }),
  });
  const nameOf = await namesOf(client);
  const { trigger, conditions, runs, steps, outcome, message } = dry;
  const width = Math.max(0, ...steps.map(({ path }) => stepOf(path).length));
  out.answer(dry, () =>
    [
      `If it fired now: ${triggerText(trigger, nameOf)}`,
      ...conditions.map((condition) => `  if ${conditionText(condition, nameOf)}`),
      ...(runs ? [] : ['It would not run.']),
      ...steps.map(({ path, text }) => `  ${stepOf(path).padEnd(width)}  ${text}`),
      ...(runs ? [`It would end: ${outcome}${message === null ? '' : `, ${message}`}`] : []),
      'Nothing was commanded.',
    ].join('\n'),
  );
};
