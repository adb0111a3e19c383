/**
 * The law of the shape: few links a member, the same at both ends, short ways, and one piece with many members off.
 * Relies on seeded random keys (ALTHING_SEED repeats them).
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import { maxNeighbours, meshMembers, Neighbourhood } from './neighbours.ts';

const membersOf = (random: () => number, count: number): PeerId[] =>
  Array.from({ length: count }, () => peerIdOf(Uint8Array.from({ length: 32 }, () => random() * 256)));

const randomOf = (t: TestContext): (() => number) => randomFrom(seedOf(t));

/** How many steps the farthest member is away from the first, and how many are reached at all. */
const spread = (
  from: PeerId,
  linksOf: (peer: PeerId) => Iterable<PeerId>,
): { steps: number; reached: number } => {
  const seen = new Set([from]);
  let edge = [from];
  let steps = 0;
  for (;;) {
    edge = edge.flatMap((peer) => [...linksOf(peer)].filter((one) => !seen.has(one) && seen.add(one)));
    if (edge.length === 0) return { steps, reached: seen.size };
    steps += 1;
  }
};

test('up to 32 members everybody is everybody’s neighbour', (t) => {
  const members = membersOf(randomOf(t), meshMembers);
  const shape = new Neighbourhood(members);
  assert.ok(shape.isMesh);
  for (const self of members) assert.equal(shape.of(self).size, meshMembers - 1);
});

test('above 32 a member has few neighbours, each of whom has it, and everybody is a few steps away', (t) => {
  const random = randomOf(t);
  for (const count of [33, 100, 500, 2000]) {
    const members = membersOf(random, count);
    const shape = new Neighbourhood(members);
    const links = new Map(members.map((self) => [self, shape.of(self)]));
    for (const [self, ours] of links) {
      assert.ok(!ours.has(self) && ours.size >= 2 && ours.size <= maxNeighbours, `${ours.size} neighbours`);
      for (const other of ours) assert.ok(links.get(other)!.has(self), 'a link has two ends');
    }
    const { steps, reached } = spread(members[0]!, (peer) => links.get(peer)!);
    assert.equal(reached, count);
    assert.ok(steps <= Math.ceil(Math.log2(count)), `${count} members, ${steps} steps`);
  }
});

test('on the rings nobody relies on a leaf', (t) => {
  const members = membersOf(randomOf(t), 60);
  const leaves = new Set(members.slice(0, 20));
  const shape = new Neighbourhood(members, { leaves });
  const linksOf = (self: PeerId): Set<PeerId> => shape.of(self);
  for (const self of members.slice(20)) for (const other of linksOf(self)) assert.ok(!leaves.has(other));
  assert.equal(spread(members[20]!, linksOf).reached, 40);
  assert.equal(shape.of(members[0]!).size, 0);
});

test('the order in which the members are listed does not matter', (t) => {
  const members = membersOf(randomOf(t), 60);
  const [one, other] = [new Neighbourhood(members), new Neighbourhood([...members].reverse())];
  for (const self of members) assert.deepEqual([...one.of(self)].sort(), [...other.of(self)].sort());
});

test('with any part of the members off the others stay one piece, with links no more than before', (t) => {
  const random = randomOf(t);
  const members = membersOf(random, 400);
  const shape = new Neighbourhood(members);
  for (const part of [0.1, 0.5, 0.9]) {
    const off = new Set(members.filter(() => random() < part));
    const alive = members.filter((peer) => !off.has(peer));
    const linksOf = (self: PeerId): PeerId[] =>
      [...shape.of(self, { away: (peer) => off.has(peer) })].filter((peer) => !off.has(peer));
    for (const self of alive) assert.ok(linksOf(self).length <= maxNeighbours);
    assert.equal(spread(alive[0]!, linksOf).reached, alive.length, `${part} of them off`);
  }
});

test('two halves that believe each other away still try each other, so that they can meet again', (t) => {
  const members = membersOf(randomOf(t), 200);
  const shape = new Neighbourhood(members);
  const here = new Set(members.slice(0, 100));
  const across = [...here].flatMap((self) =>
    [...shape.of(self, { away: (peer) => !here.has(peer) })].filter((peer) => !here.has(peer)),
  );
  assert.ok(across.length >= 100, `${across.length} tries`);
});

test('a member that comes changes nobody’s links but those of its neighbours', (t) => {
  const random = randomOf(t);
  const members = membersOf(random, 300);
  const [newcomer] = membersOf(random, 1);
  const before = new Neighbourhood(members);
  const after = new Neighbourhood([...members, newcomer!]);
  const changed = members.filter((self) => {
    const [was, is] = [before.of(self), after.of(self)];
    return was.size !== is.size || [...was].some((peer) => !is.has(peer));
  });
  for (const self of changed) assert.ok(after.of(newcomer!).has(self));
});
