/**
 * Names in rules and what they lead to, both ways: the directory as rules see it.
 * Relies on the directory and on the membership as they are now.
 */
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import { isPeerId, type PeerId, parseThingId } from '../../core/ids.ts';
import type { Replica } from '../../replica/replica.ts';
import type { Found, RuleLookup } from '../../rules/resolve.ts';
import type { Directory } from '../directory.ts';
import { resolvePeer } from '../peer-names.ts';
import type { RuleBook } from './rule-book.ts';
import { ruleKeyOf } from './rule-key.ts';

/** Where names are looked up. */
export interface NamedFabric {
  readonly replica: Replica;
  readonly directory: Directory;
}

/** The same with its rules. */
export interface RuledFabric extends NamedFabric {
  readonly book: RuleBook;
}

/** What `resolveRule` asks. */
export const ruleLookup = ({ replica, directory }: NamedFabric): RuleLookup => ({
  thing: (name) => found(() => directory.resolve(name).id),
  peer: (name) => found(() => resolvePeer(name, replica.authority, directory.peerNames)),
  td: (id) => directory.byId(id),
  hasScene: (name) => replica.get('scene', ruleKeyOf(name)) !== undefined,
});

const found = (find: () => string): Found => {
  try {
    return { kind: 'found', id: find() };
  } catch (thrown) {
    const error = toAlthingError(thrown);
    if (error.code === 'name-ambiguous')
      return { kind: 'ambiguous', candidates: error.details?.candidates as string[] };
    if (error.code === 'thing-unknown' || error.code === 'peer-unknown') return { kind: 'unknown' };
    throw error;
  }
};

/** How a rule's text names a Thing or peer so that it leads back; undefined where only the id does. */
export const nameToWrite = (fabric: NamedFabric, id: string): string | undefined => {
  const { directory } = fabric;
  const { thing, peer } = ruleLookup(fabric);
  const leadsBack = (name: string | undefined, find: (name: string) => Found): boolean => {
    const hit = name === undefined ? undefined : find(name);
    return hit?.kind === 'found' && hit.id === id;
  };
  const td = directory.byId(id);
  if (td) {
    const names = [directory.labels.of(id).name, parseThingId(id)?.name, td.title, directory.fullName(td)];
    return names.find((name) => leadsBack(name, thing));
  }
  if (!isPeerId(id)) return undefined;
  const { label, claimed } = directory.peerNames;
  return [label(id), claimed(id)].find((name) => leadsBack(name, peer));
};

/** What people call a Thing or peer; the id where nobody calls it anything. */
export const shownName = ({ directory }: NamedFabric, id: string): string => {
  if (isPeerId(id)) return directory.peerNames.label(id) ?? directory.peerNames.claimed(id) ?? id;
  return directory.labels.of(id).name ?? directory.byId(id)?.title ?? parseThingId(id)?.name ?? id;
};

/** A text with every id of a Thing or peer in it replaced by what people call it. */
export const withNames = (fabric: NamedFabric, text: string): string =>
  text.replace(/urn:althing:[0-9A-Za-z]+:[a-z0-9-]+|z6Mk[0-9A-Za-z]{40,50}/g, (id) => shownName(fabric, id));

/** Throws `not-admin` where this peer is none. */
export const requireAdmin = ({ authority, self }: Replica, what: string): void => {
  if (authority.members.get(self)?.role !== 'admin')
    throw new AlthingError('not-admin', `Only an admin ${what}. Run this on the device of an admin.`);
};

/** Members that hold records and run rules. */
export const fullMembers = ({ authority }: Replica): PeerId[] =>
  [...authority.members].filter(([, { role }]) => role !== 'guest').map(([peer]) => peer);
