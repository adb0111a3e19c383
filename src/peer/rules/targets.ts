/**
 * Where a rule's steps act, and who runs a firing that any of several peers could run.
 * Relies on the directory as it is now and on `rules/placement.ts` for the order.
 */
import type { PeerId } from '../../core/ids.ts';
import { type FiringId, placeFiring, rankHosts } from '../../rules/placement.ts';
import { allSteps, type Rule, type Step } from '../../rules/rule.ts';
import type { PlacedThing, RuleWorld } from './rule-world.ts';

/** What the steps may command now, and where it is. */
const targetsOf = ({ things, book }: RuleWorld, steps: readonly Step[]): PlacedThing[] => {
  const targets: PlacedThing[] = [];
  const addThing = (thing: string): void => {
    const peer = things.td(thing) && things.speakerOf(thing);
    if (peer !== undefined) targets.push({ thing, peer });
  };
  for (const step of allSteps(steps)) {
    const target = 'write' in step ? step.write : 'invoke' in step ? step.invoke : undefined;
    const selection = target?.every ?? target?.any;
    if (selection) targets.push(...things.find(selection));
    else if (target?.thing !== undefined) addThing(target.thing);
    else if ('scene' in step)
      for (const { thing } of book.scene(step.scene)?.scene.values ?? []) addThing(thing);
  }
  return targets;
};

/** The peers that expose what the steps may command now. */
export const targetHosts = (world: RuleWorld, steps: readonly Step[]): Set<PeerId> =>
  new Set(targetsOf(world, steps).map(({ peer }) => peer));

/** Whether all that the steps may command can be reached now. */
export const areTargetsThere = (world: RuleWorld, steps: readonly Step[]): boolean => {
  const live = world.presence.live();
  return targetsOf(world, steps).every(({ thing, peer }) =>
    peer === world.self ? world.things.isHere(thing) : live.has(peer),
  );
};

/** The peers with which one that may come to run these rules has to keep in touch. */
export const neededPeers = (world: RuleWorld, rules: Iterable<{ readonly rule: Rule }>): Set<PeerId> => {
  const needed = new Set<PeerId>();
  for (const { rule } of rules) {
    let isMine = false;
    for (const trigger of rule.triggers) {
      const from = 'property' in trigger ? trigger.property : 'event' in trigger ? trigger.event : undefined;
      isMine ||= from ? world.things.isHere(from.thing) : true;
      if ('peer' in trigger) needed.add(trigger.peer.name);
      const speaker = 'thing' in trigger ? world.things.speakerOf(trigger.thing.name) : undefined;
      if (speaker !== undefined) needed.add(speaker);
    }
    if (isMine) for (const peer of targetHosts(world, rule.steps)) needed.add(peer);
  }
  return needed;
};

/** By what a firing is placed: its id, less the nonce of a presence, which only the peer that runs it knows. */
export const placementKey = (firing: FiringId): string => {
  const parts = firing.split('/');
  return parts[0] === 'presence' ? [...parts.slice(0, 4), ...parts.slice(5)].join('/') : firing;
};

/** Whether this peer is the one to run what the key names; `not` is one that cannot, since the firing is about it. */
export const isFirst = (
  world: RuleWorld,
  key: string,
  steps: readonly Step[],
  not: PeerId | undefined,
): boolean => {
  const live = new Set([...world.presence.live()].filter((peer) => peer !== not));
  return placeFiring(key, targetHosts(world, steps), live, world.crypto) === world.self;
};

/** The peer that goes on where this one is lost; undefined where there is none. */
export const nextInLine = (
  world: RuleWorld,
  firing: FiringId,
  steps: readonly Step[],
): PeerId | undefined => {
  const others = [...world.presence.live()].filter((peer) => peer !== world.self);
  const hosts = targetHosts(world, steps);
  const liveHosts = others.filter((peer) => hosts.has(peer));
  return rankHosts(placementKey(firing), liveHosts.length > 0 ? liveHosts : others, world.crypto)[0];
};
