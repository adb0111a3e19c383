/**
 * `althing rules`: the rules, whether they may fire, who watches for that, and when each last did here.
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
  const nameOf = await namesOf(client);
  const hasMembers = rules.some(({ ofMember }) => ofMember);
  out.answer(rules, () =>
    rules.length === 0
      ? 'No rules. Make some: althing rules apply FILE'
      : table(
          [
            ...['RULE', 'NAME', 'STATE', 'MODE', 'WATCHED BY', 'RUNNING', 'LAST FIRED HERE', 'NOT KNOWN YET'],
            ...(hasMembers ? ['OF'] : []),
          ],
          rules.map((rule) => [
            rule.rule,
            rule.name,
            stateOf(rule),
            rule.mode,
            rule.watchedBy.map(nameOf).join(', '),
            rule.running === 0 ? null : String(rule.running),
            rule.lastFired,
            rule.unresolved.join(', '),
            // A member's rule may do no more than that member; an admin's is everybody's.
            ...(hasMembers ? [rule.ofMember ? nameOf(rule.author) : null] : []),
          ]),
        ),
  );
};

const stateOf = ({ enabled, notInForce }: RuleInfo): string => {
  if (!enabled) return 'disabled';
  return notInForce === null ? 'enabled' : `not in force: ${notInForce}`;
};
