/**
 * Rules as people keep them: listing, showing, applying a text, removing, switching on and off.
 * Relies on the book for who wrote what, and on `rules/` for the language. Loaded when it is used.
 */
import { equalBytes } from '../../core/bytes.ts';
import { encode } from '../../core/codec.ts';
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import { type PeerId, parseThingId, publicKeyOf } from '../../core/ids.ts';
import { isOwnKey, markIn, memberRuleKey } from '../../core/rule-keys.ts';
import type { AppliedRule, ExecutionInfo, RuleDocument, RuleInfo } from '../../core/rule-shapes.ts';
import { ruleGrantsOf } from '../../fabric/access.ts';
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
import type { ListedRule } from './rule-book.ts';
import { ruleKeyOf } from './rule-key.ts';
import {
  fullMembers,
  type NamedFabric,
  nameToWrite,
  type RuledFabric,
  requireAdmin,
  ruleLookup,
} from './rule-lookup.ts';
import { maxMemberRuleBytes, maxMemberRules } from './rule-rights.ts';

/** What else there is to say of a rule: what this peer keeps of it, and who is there. */
export interface RuleSurroundings {
  /** What is kept here of a rule's executions, newest first. */
  readonly executions: (rule: string) => readonly ExecutionInfo[];
  readonly isOnline: (peer: PeerId) => boolean;
}

/**
 * A rule by its key or name, in force or not: one of admins before one of this peer's own, and that before another
 * member's; undefined where there is none. Throws `name-ambiguous` where several members have one of this name.
 */
export const findRule = ({ book, replica }: RuledFabric, name: string): ListedRule | undefined => {
  const rules = book.listed();
  const slug = ruleKeyOf(name);
  const own = memberRuleKey(slug, publicKeyOf(replica.self));
  for (const key of [name, slug, own]) {
    const known = rules.find((one) => one.key === key);
    if (known) return known;
  }
  const named = rules.filter(({ rule }) => ruleKeyOf(rule.name) === slug);
  if (named.length < 2) return named[0];
  const candidates = named.map(({ key }) => key);
  throw new AlthingError(
    'name-ambiguous',
    `${named.length} members have a rule "${name}": ${candidates.join(', ')}.`,
    { details: { candidates } },
  );
};

/** The same, for who needs one. Throws `rule-unknown` besides. */
export const ruleNamed = (fabric: RuledFabric, name: string): ListedRule => {
  const known = findRule(fabric, name);
  if (known) return known;
  throw new AlthingError('rule-unknown', `There is no rule "${name}".`);
};

/** What is said of a rule in lists. */
export const ruleInfo = (
  fabric: RuledFabric,
  { key, rule, author, changedMs, notInForce, mayUse }: ListedRule,
  { executions, isOnline }: RuleSurroundings,
): RuleInfo => {
  const watches = rule.enabled && notInForce === null;
  const kept = executions(key);
  return {
    rule: key,
    name: rule.name,
    description: rule.description ?? null,
    enabled: rule.enabled,
    mode: rule.mode,
    author,
    ofMember: mayUse !== undefined,
    notInForce,
    changed: new Date(changedMs).toISOString(),
    unresolved: unresolvedOf(rule),
    watchedBy: watches ? watchersOf(fabric, rule).filter(isOnline) : [],
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
  known: ListedRule,
  surroundings: RuleSurroundings,
): RuleDocument => ({
  ...ruleInfo(fabric, known, surroundings),
  yaml: writeRule(known.rule, (id) => nameToWrite(fabric, id)),
});

/**
 * Makes the rules of a text those of the fabric, all or none; a member's become its own. Throws `not-admin`,
 * `rule-invalid`, `too-many`, `value-too-large`, the store's codes.
 */
export const applyRules = async (fabric: RuledFabric, yaml: string): Promise<AppliedRule[]> => {
  const { replica, book } = fabric;
  const keyOf = writableKeys(fabric);
  const resolved = resolveAll(fabric, readRules(yaml), keyOf);
  let applied: AppliedRule[] = [];
  await replica.write((): Draft[] => {
    const known = new Map(book.listed().map(({ key, rule }) => [key, rule]));
    const drafts: Draft[] = [];
    applied = resolved.map(({ key, rule: given, saysEnabled, warnings }) => {
      const before = known.get(key);
      // What somebody switched off stays off, unless the text says otherwise.
      const rule = before && !saysEnabled ? { ...given, enabled: before.enabled } : given;
      const result = !before ? 'created' : equalBytes(encode(before), encode(rule)) ? 'same' : 'changed';
      if (result !== 'same') drafts.push({ collection: 'rule', key, value: rule });
      return { rule: key, name: rule.name, result, warnings: warnings.map((note) => ({ ...note })) };
    });
    checkRoom(fabric, drafts);
    return [...drafts, ...outgrown(fabric, drafts)];
  });
  return applied;
};

/** The key under which this peer writes a rule of this slug. Throws `not-admin` where it may write none. */
const writableKeys = ({ replica }: RuledFabric): ((slug: string) => string) => {
  const { authority, self } = replica;
  const role = authority.members.get(self)?.role;
  if (role === 'admin') return (slug) => slug;
  if (ruleGrantsOf(authority, { peer: self, role }).length > 0)
    return (slug) => memberRuleKey(slug, publicKeyOf(self));
  throw new AlthingError(
    'not-admin',
    `Only an admin makes rules, or a member whom a grant lets. An admin can: althing grant ${self} --all --ops rule`,
  );
};

/** Others look at the first few rules of a member only. */
const checkRoom = ({ book, replica }: RuledFabric, drafts: readonly Draft[]): void => {
  const mine = drafts.filter(({ key }) => markIn(key) !== undefined);
  const keys = new Set([
    ...book.listed().flatMap(({ key }) => (isOwnKey(key, publicKeyOf(replica.self)) ? key : [])),
    ...mine.map(({ key }) => key),
  ]);
  if (keys.size > maxMemberRules)
    throw new AlthingError('too-many', `A member that is no admin has at most ${maxMemberRules} rules.`);
  const large = mine.find(({ value }) => encode(value).length > maxMemberRuleBytes);
  if (large)
    throw new AlthingError(
      'value-too-large',
      `The rule ${large.key} is larger than ${maxMemberRuleBytes} bytes, which a member's may have.`,
    );
};

/** What an admin wrote under the same names when it was a member. */
const outgrown = ({ book, replica }: RuledFabric, drafts: readonly Draft[]): Draft[] => {
  const own = new Set(drafts.map(({ key }) => memberRuleKey(key, publicKeyOf(replica.self))));
  return book
    .listed()
    .filter(({ key }) => own.has(key) && !drafts.some((draft) => draft.key === key))
    .map(({ key }) => ({ collection: 'rule', key, value: null, deleted: true }));
};

const resolveAll = (fabric: RuledFabric, drafts: readonly RuleDraft[], keyOf: (slug: string) => string) => {
  const lookup = ruleLookup(fabric);
  const problems: RuleProblem[] = [];
  const keys = new Set<string>();
  const resolved = drafts.flatMap((draft) => {
    const key = keyOf(ruleKeyOf(draft.rule.name));
    if (keys.has(key))
      problems.push({
        ...draft.locate(['name']),
        message: `another rule above is called so too, or so nearly that both have the key "${key}"`,
      });
    keys.add(key);
    try {
      const { rule, warnings } = resolveRule(draft, lookup);
      return [{ key, rule: withSceneKeys(rule), saysEnabled: draft.saysEnabled, warnings }];
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

/** Throws `not-admin`, `rule-unknown`, `name-ambiguous`, the store's codes. */
export const removeRule = async (fabric: RuledFabric, name: string): Promise<void> => {
  const { key } = ruleNamed(fabric, name);
  if (!isOwnKey(key, publicKeyOf(fabric.replica.self))) requireAdmin(fabric.replica, 'removes rules');
  await fabric.replica.write(() => [{ collection: 'rule', key, value: null, deleted: true }]);
};

/** Throws `not-admin`, `forbidden`, `rule-unknown`, `name-ambiguous`, the store's codes. */
export const enableRule = async (
  fabric: RuledFabric,
  name: string,
  enabled: boolean,
): Promise<ListedRule> => {
  const { key, author } = ruleNamed(fabric, name);
  if (!isOwnKey(key, publicKeyOf(fabric.replica.self))) {
    requireAdmin(fabric.replica, 'switches rules on and off');
    // Signed by an admin it would be an admin's rule, and might do more.
    if (markIn(key) !== undefined)
      throw new AlthingError(
        'forbidden',
        `Only ${author} switches its rule on and off. An admin can remove it, or end the grant: althing grants`,
      );
  }
  await fabric.replica.write(() => {
    const { rule } = ruleNamed(fabric, key);
    return rule.enabled === enabled ? [] : [{ collection: 'rule', key, value: { ...rule, enabled } }];
  });
  return ruleNamed(fabric, key);
};
