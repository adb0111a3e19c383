/**
 * Rules as people keep them: listing, showing, applying a text, removing, switching on and off.
 * Relies on the replica, which gives the rules of admins only, and on `rules/` for the language. Loaded when it is used.
 */
import { equalBytes } from '../../core/bytes.ts';
import { encode } from '../../core/codec.ts';
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import { parseThingId } from '../../core/ids.ts';
import type { AppliedRule, ExecutionInfo, RuleDocument, RuleInfo } from '../../core/rule-shapes.ts';
import type { Draft } from '../../replica/draft.ts';
import { resolveRule, unresolvedOf } from '../../rules/resolve.ts';
import { allSteps, type Rule } from '../../rules/rule.ts';
import {
  type RuleDraft,
  type RuleProblem,
  readRules,
  rulesInvalid,
  writeRule,
} from '../../rules/rule-yaml.ts';
import type { BookRule } from './rule-book.ts';
import { ruleKeyOf } from './rule-key.ts';
import {
  fullMembers,
  type NamedFabric,
  nameToWrite,
  type RuledFabric,
  requireAdmin,
  ruleLookup,
} from './rule-lookup.ts';

/** What else there is to say of a rule: what this peer keeps of it, and who is there. */
export interface RuleSurroundings {
  /** What is kept here of a rule's executions, newest first. */
  readonly executions: (rule: string) => readonly ExecutionInfo[];
  readonly isOnline: (peer: PeerId) => boolean;
}

/** A rule by its key or name. Throws `rule-unknown`. */
export const ruleNamed = ({ book }: RuledFabric, name: string): BookRule => {
  const known = book.rule(name) ?? book.rule(ruleKeyOf(name));
  if (known) return known;
  throw new AlthingError('rule-unknown', `There is no rule "${name}".`);
};

/** What is said of a rule in lists. */
export const ruleInfo = (
  fabric: RuledFabric,
  { key, rule, author, changedMs }: BookRule,
  { executions, isOnline }: RuleSurroundings,
): RuleInfo => {
  const kept = executions(key);
  return {
    rule: key,
    name: rule.name,
    description: rule.description ?? null,
    enabled: rule.enabled,
    mode: rule.mode,
    author,
    changed: new Date(changedMs).toISOString(),
    unresolved: unresolvedOf(rule),
    watchedBy: rule.enabled ? watchersOf(fabric, rule).filter(isOnline) : [],
    running: kept.filter(({ outcome }) => outcome === 'running').length,
    lastFired: kept[0]?.started ?? null,
  };
};

/** The peers that see a rule's triggers: the hosts of its Things, and everybody where time or presence fires it. */
export const watchersOf = ({ replica }: NamedFabric, { triggers }: Rule): PeerId[] => {
  const watchers = new Set<PeerId>();
  for (const trigger of triggers) {
    const thing =
      'property' in trigger ? trigger.property.thing : 'event' in trigger ? trigger.event.thing : '';
    const owner = parseThingId(thing)?.peer;
    if (owner) watchers.add(replica.authority.speakerOf(owner));
    else if ('time' in trigger || 'peer' in trigger || 'thing' in trigger)
      for (const peer of fullMembers(replica)) watchers.add(peer);
  }
  return [...watchers];
};

/** A rule with its text. */
export const ruleDocument = (
  fabric: RuledFabric,
  known: BookRule,
  surroundings: RuleSurroundings,
): RuleDocument => ({
  ...ruleInfo(fabric, known, surroundings),
  yaml: writeRule(known.rule, (id) => nameToWrite(fabric, id)),
});

/** Makes the rules of a text those of the fabric, all or none. Throws `not-admin`, `rule-invalid`, the store's codes. */
export const applyRules = async (fabric: RuledFabric, yaml: string): Promise<AppliedRule[]> => {
  const { replica, book } = fabric;
  requireAdmin(replica, 'makes rules');
  const resolved = resolveAll(fabric, readRules(yaml));
  let applied: AppliedRule[] = [];
  await replica.write((): Draft[] => {
    applied = resolved.map(({ key, rule, warnings }) => {
      const known = book.rule(key)?.rule;
      const result = !known ? 'created' : equalBytes(encode(known), encode(rule)) ? 'same' : 'changed';
      return { rule: key, name: rule.name, result, warnings: warnings.map((note) => ({ ...note })) };
    });
    return resolved
      .filter((_, index) => applied[index]!.result !== 'same')
      .map(({ key, rule }) => ({ collection: 'rule', key, value: rule }));
  });
  return applied;
};

const resolveAll = (fabric: RuledFabric, drafts: readonly RuleDraft[]) => {
  const lookup = ruleLookup(fabric);
  const problems: RuleProblem[] = [];
  const keys = new Set<string>();
  const resolved = drafts.flatMap((draft) => {
    const key = ruleKeyOf(draft.rule.name);
    if (keys.has(key))
      problems.push({
        ...draft.locate(['name']),
        message: `another rule above is called so too, or so nearly that both have the key "${key}"`,
      });
    keys.add(key);
    try {
      const { rule, warnings } = resolveRule(draft, lookup);
      return [{ key, rule: withSceneKeys(rule), warnings }];
    } catch (thrown) {
      const found = toAlthingError(thrown).details?.problems;
      if (!Array.isArray(found)) throw thrown;
      problems.push(...(found as RuleProblem[]));
      return [];
    }
  });
  if (problems.length > 0) throw rulesInvalid(problems);
  return resolved;
};

/** Steps name scenes by their keys, whatever was written: a run looks them up by that. */
const withSceneKeys = (rule: Rule): Rule => {
  const copy = structuredClone(rule);
  for (const step of allSteps(copy.steps))
    if ('scene' in step) Object.assign(step, { scene: ruleKeyOf(step.scene) });
  return copy;
};

/** Throws `not-admin`, `rule-unknown`, the store's codes. */
export const removeRule = async (fabric: RuledFabric, name: string): Promise<void> => {
  requireAdmin(fabric.replica, 'removes rules');
  const { key } = ruleNamed(fabric, name);
  await fabric.replica.write(() => [{ collection: 'rule', key, value: null, deleted: true }]);
};

/** Throws `not-admin`, `rule-unknown`, the store's codes. */
export const enableRule = async (fabric: RuledFabric, name: string, enabled: boolean): Promise<BookRule> => {
  requireAdmin(fabric.replica, 'switches rules on and off');
  await fabric.replica.write(() => {
    const { key, rule } = ruleNamed(fabric, name);
    return rule.enabled === enabled ? [] : [{ collection: 'rule', key, value: { ...rule, enabled } }];
  });
  return ruleNamed(fabric, name);
};
