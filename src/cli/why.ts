/**
 * `althing why`: why a Thing is as it is, in sentences.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [thing = ''], home, out }) => {
  const why = await clientOf(home).rules.why(thing);
  out.answer(why, () => why.sentences.join('\n'));
};
