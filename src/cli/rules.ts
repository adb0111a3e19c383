/**
 * `althing rules`: the rules, whether they may fire, and when each last did here.
 * Relies on the running peer's gateway.
 */
import type { RuleInfo } from '../core/rule-shapes.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const rules = await clientOf(home).rules.list();
  out.answer(rules, () =>
    rules.length === 0
      ? 'No rules. Make some: althing rules apply FILE'
      : table(
          ['RULE', 'NAME', 'STATE', 'MODE', 'RUNNING', 'LAST FIRED HERE', 'NOT KNOWN YET'],
          rules.map((rule) => [
            rule.rule,
            rule.name,
            stateOf(rule),
            rule.mode,
            rule.running === 0 ? null : String(rule.running),
            rule.lastFired,
            rule.unresolved.join(', '),
          ]),
        ),
  );
};

const stateOf = ({ enabled }: RuleInfo): string => (enabled ? 'enabled' : 'disabled');
