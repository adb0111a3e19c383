import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseThingId } from '../core/ids.ts';
import { seedOf } from '../testing/seed.ts';
import { History, type HistoryOptions } from '../testing/simulated-history.ts';
import type { SimulatedPeer } from '../testing/simulated-peer.ts';
import { holds, readsOf, Simulator, vectorOf } from '../testing/simulator.ts';

const runs = process.env.ALTHING_TEST_LONG ? 350 : 8;

/** Histories of several seeds, all from one. */
const eachSeed = async (
  t: TestContext,
  options: Omit<HistoryOptions, 'seed'> & { runs?: number },
  check: (history: History) => void | Promise<void>,
): Promise<void> => {
  const first = seedOf(t);
  for (let seed = first; seed < first + (options.runs ?? runs); seed++) {
    const history = new History({ seed, ...options });
    try {
      await history.live();
      await check(history);
    } catch (error) {
      t.diagnostic(`failed with ALTHING_SEED=${seed}`);
      throw error;
    }
  }
};

const assertAlike = ({ honest, isPromised }: History): void => {
  const [first, ...others] = honest;
  for (const other of others) {
    const who = `peers ${first!.number} and ${other.number}`;
    assert.deepEqual(vectorOf(other, isPromised), vectorOf(first!, isPromised), `records of ${who}`);
    assert.deepEqual(readsOf(other), readsOf(first!), `reading of ${who}`);
  }
};

const assertNothingLost = ({ simulator, honest }: History): void => {
  const members = honest[0]!.replica.authority.members;
  for (const record of simulator.acknowledged) {
    const role = members.get(record.authorId)?.role;
    if (role === undefined || role === 'guest') continue;
    for (const peer of honest)
      if (members.has(peer.id) && members.get(peer.id)!.role !== 'guest')
        assert.ok(
          holds(peer, record),
          `peer ${peer.number} lacks ${record.collection} ${record.key} by ${record.authorId}`,
        );
  }
};

/** Whatever liars wrote, nobody reads what its author may not write. */
const assertEntitled = ({ honest }: History): void => {
  for (const { replica } of honest) {
    const { admins, speakerOf } = replica.authority;
    for (const { key, authorId } of replica.list('peer')) assert.equal(key, authorId);
    for (const collection of ['thing', 'shadow'])
      for (const { key, authorId } of replica.list(collection)) {
        const { peer } = parseThingId(key)!;
        // For a replaced device an admin may have signed anew what it had said.
        assert.ok(speakerOf(peer) === authorId || (speakerOf(peer) !== peer && admins.has(authorId)));
      }
    for (const collection of ['label', 'rule'])
      for (const { authorId } of replica.list(collection)) assert.ok(admins.has(authorId));
  }
};

const saidBy = (peer: SimulatedPeer): string[] => [...readsOf(peer), ...vectorOf(peer, () => true)];

const assertSameAfterRestart = async ({ honest }: History): Promise<void> => {
  for (const peer of honest) {
    const before = saidBy(peer);
    peer.crash();
    await peer.start();
    assert.deepEqual(saidBy(peer), before, `peer ${peer.number}`);
  }
};

test('through partitions, power cuts, backups and clones: all answer alike, nothing acknowledged is lost, nobody contradicts itself', async (t) => {
  await eachSeed(t, {}, async (history) => {
    assertAlike(history);
    assertNothingLost(history);
    assert.deepEqual(history.simulator.contradictions, []);
    assertEntitled(history);
    await assertSameAfterRestart(history);
  });
});

test('liars among them change none of that', async (t) => {
  await eachSeed(t, { liars: 2 }, async (history) => {
    assertAlike(history);
    assertNothingLost(history);
    assert.deepEqual(history.simulator.contradictions, []);
    assertEntitled(history);
    await assertSameAfterRestart(history);
  });
});

test('through revocations, new sets of admins, replacements and recoveries too', async (t) => {
  await eachSeed(t, { liars: 1, governed: true, members: 5, runs: Math.ceil(runs / 3) }, async (history) => {
    assertAlike(history);
    assertNothingLost(history);
    assert.deepEqual(history.simulator.contradictions, []);
    assertEntitled(history);
    await assertSameAfterRestart(history);
  });
});

test('what a right clock stamped waits where most clocks are behind, no longer than they are', async (t) => {
  const simulator = new Simulator({ seed: seedOf(t) });
  const [founder, ...others] = [0, 1, 2].map((number) => simulator.add(number));
  await founder!.start();
  const invited = simulator.invite(founder!, { uses: 2, forMs: 1e9 });
  await simulator.time.run(1000);
  for (const joiner of others) {
    const joined = simulator.join(joiner, founder!, founder!, await invited);
    await simulator.time.run(1000);
    await joined;
  }
  await simulator.time.run(10_000);

  simulator.network.divide((station) => (station === founder ? 0 : 1));
  const written = founder!.write({ collection: 'value', key: 'lamp', value: 'on' });
  await simulator.time.run(1000);
  const [record] = await written;
  for (const { clock } of others) clock.offsetMs = -600_000;
  simulator.network.heal();
  await simulator.time.run(300_000);
  for (const peer of others) {
    assert.equal(holds(peer, record!), false);
    assert.deepEqual(
      peer.replica.quarantined().map(({ peer: author }) => author),
      [founder!.id],
    );
  }

  await simulator.time.run(300_000);
  for (const peer of others) assert.equal(holds(peer, record!), true);
});

test('a seed makes the same history every time', async (t) => {
  const seed = seedOf(t);
  const told: string[][] = [];
  for (let run = 0; run < 2; run++) {
    const history = new History({ seed, liars: 1, governed: true });
    await history.live();
    told.push(history.simulator.peers.filter(({ running }) => running).flatMap(saidBy));
  }
  assert.ok(told[0]!.length > 20);
  assert.deepEqual(told[0], told[1]);
});
