/**
 * `althing rules show`: a rule as YAML.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [rule = ''], home, out }) => {
  const document = await clientOf(home).rules.show(rule);
  out.answer(document, () => document.yaml.trimEnd());
};
