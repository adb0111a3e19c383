/**
 * `althing rules`: the rules, whether they may fire, and when each last did here.
 * Relies on the running peer's gateway.
 */
import type { RuleInfo } from '../core/rule-shapes.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { namesOf } from './fabric-names.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const client = clientOf(home);
  const rules = await client.rules.list();
  const nameOf = rules.some(({ ofMember }) => ofMember) ? await namesOf(client) : undefined;
  out.answer(rules, () =>
    rules.length === 0
      ? 'No rules. Make some: althing rules apply FILE'
      : table(
          [
            ...['RULE', 'NAME', 'STATE', 'MODE', 'RUNNING', 'LAST FIRED HERE', 'NOT KNOWN YET'],
            ...(nameOf ? ['OF'] : []),
          ],
          rules.map((rule) => [
            rule.rule,
            rule.name,
            stateOf(rule),
            rule.mode,
            rule.running === 0 ? null : String(rule.running),
            rule.lastFired,
            rule.unresolved.join(', '),
            // A member's rule may do no more than that member; an admin's is everybody's.
            ...(nameOf ? [rule.ofMember ? nameOf(rule.author) : null] : []),
          ]),
        ),
  );
};

const stateOf = ({ enabled, notInForce }: RuleInfo): string => {
  if (!enabled) return 'disabled';
  return notInForce === null ? 'enabled' : `not in force: ${notInForce}`;
};
