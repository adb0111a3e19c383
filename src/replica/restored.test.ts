import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { thingIdOf } from '../core/ids.ts';
import { MemoryDisk } from '../testing/memory-store.ts';
import { inviteDraft, type LabPeer, ReplicaLab } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import type { Draft } from './draft.ts';
import { signRecord } from './record.ts';

const runs = process.env.ALTHING_TEST_LONG ? 300 : 8;

const card = (peer: LabPeer, name: string): Draft => ({ collection: 'peer', key: peer.id, value: { name } });
const thing = (peer: LabPeer, name: string): Draft => ({
  collection: 'thing',
  key: thingIdOf(peer.id, name),
  value: { td: name },
});
const assertEqual = (lab: ReplicaLab): void => {
  const [first, ...others] = lab.peers;
  for (const other of others) {
    assert.deepEqual(other.vector(), first!.vector(), `vectors of peers 0 and ${other.number}`);
    assert.deepEqual(other.reads(), first!.reads(), `reading at peers 0 and ${other.number}`);
  }
  assert.deepEqual(lab.contradictions, []);
  assert.deepEqual(
    lab.failures.map(({ error }) => error.message),
    [],
  );
};

const connectedLab = async (peers: number, seed: number): Promise<ReplicaLab> => {
  const lab = await ReplicaLab.of(peers, seed);
  lab.connectAll();
  await lab.settle();
  return lab;
};

test('every start opens a new epoch, whether the clock moved on, stood still or went back', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const peer = lab.peers[0]!;
  let before = 0;
  for (const moveMs of [0, 5000, 0, -86_400_000, 0]) {
    lab.clock.set(lab.clock.now() + moveMs);
    await peer.restart();
    await peer.write(card(peer, 'a'));
    const { epoch, seq } = peer.replica.position('data', peer.id);
    assert.ok(epoch > before);
    assert.equal(seq, 1);
    before = epoch;
  }
});

test('after a crash the peer goes on from what was synced, and the others hold nothing else', async (t) => {
  const lab = await connectedLab(3, seedOf(t));
  const peer = lab.peers[1]!;
  await peer.write(card(peer, 'synced'));
  peer.crash();
  await peer.start({ byHand: true });
  lab.connectAll();
  for (const name of ['lost', 'lost too']) void peer.replica.write(() => [card(peer, name)]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(peer.store.waiting, 1);
  while (await lab.deliverOne());
  await peer.restart();
  await peer.write(thing(peer, 'lamp'));
  lab.connectAll();
  await lab.settle();
  assertEqual(lab);
  const { hash } = lab.peers[0]!.replica.get('peer', peer.id)!;
  assert.equal(hash, peer.replica.get('peer', peer.id)!.hash);
});

test('a write that the disk refused is not seen, and the next one succeeds', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const peer = lab.peers[0]!;
  await peer.restart();
  peer.crash();
  await peer.start({ byHand: true });
  const failed = assert.rejects(peer.write(card(peer, 'refused')), { code: 'disk-full' });
  await new Promise((resolve) => setImmediate(resolve));
  peer.store.failWaiting(new AlthingError('disk-full', 'The disk is full.'));
  await failed;
  assert.equal(peer.replica.get('peer', peer.id), undefined);
  const written = peer.write(card(peer, 'kept'));
  await new Promise((resolve) => setImmediate(resolve));
  peer.store.sync();
  await written;
  assert.ok(peer.replica.get('peer', peer.id));
});

/** Peer 0 or 1 writes, is backed up, writes more, loses its disk and comes back from the backup. */
const restoreRun = async (
  seed: number,
  how: { founder: boolean; clockStands: boolean; writesFirst: boolean },
) => {
  const lab = await connectedLab(3, seed);
  const peer = lab.peers[how.founder ? 0 : 1]!;
  const begun = lab.clock.now();
  if (how.clockStands) peer.wall = () => begun;
  const write = async (name: string) => {
    const drafts = [card(peer, name), thing(peer, `lamp-${lab.pick(3)}`), thing(peer, name)];
    if (how.founder) drafts.push(inviteDraft(2 + lab.pick(50), { uses: 1, expires: lab.clock.now() + 1000 }));
    for (const draft of drafts) if (lab.random() < 0.7) await peer.write(draft);
  };
  await peer.restart();
  lab.connectAll();
  await write('before');
  const image = peer.disk.image();
  lab.clock.advance(5000);
  if (lab.random() < 0.5) {
    await peer.restart();
    lab.connectAll();
  }
  for (const name of ['lost-a', 'lost-b', 'lost-c']) await write(name);
  await lab.settle();
  await peer.restart(image);
  if (how.writesFirst) for (const name of ['new-a', 'new-b']) await write(name);
  lab.connectAll();
  if (lab.random() < 0.5) await write('early');
  await lab.settle();
  await write('after');
  await lab.settle();
  return lab;
};

const eachSeed = async (t: TestContext, run: (seed: number) => Promise<void>): Promise<void> => {
  const first = seedOf(t);
  for (let seed = first; seed < first + runs; seed++) {
    try {
      await run(seed);
    } catch (error) {
      t.diagnostic(`failed with ALTHING_SEED=${seed}`);
      throw error;
    }
  }
};

for (const founder of [false, true])
  for (const writesFirst of [false, true])
    for (const clockStands of [false, true]) {
      const who = founder ? 'founder' : 'member';
      const when = writesFirst ? 'writes before it hears of the others' : 'hears of the others first';
      const clock = clockStands ? 'on a clock that stands still' : 'with a clock that runs';
      test(`a ${who} restored from a backup that ${when}, ${clock}, contradicts nothing and all become equal`, async (t) => {
        await eachSeed(t, async (seed) =>
          assertEqual(await restoreRun(seed, { founder, clockStands, writesFirst })),
        );
      });
    }

test('whoever hears of a later position of its own writes above it, a mere claim or a record', async (t) => {
  const lab = await connectedLab(2, seedOf(t));
  const peer = lab.peers[1]!;
  const wrote = async (): Promise<number> => {
    await peer.write(card(peer, `${lab.pick(1e9)}`));
    return peer.replica.position('data', peer.id).epoch;
  };
  const claimed = (await wrote()) + 5_000_000;
  peer.replica.hearOwn({ epoch: claimed, seq: 3 });
  const first = await wrote();
  assert.ok(first > claimed);
  peer.replica.hearOwn({ epoch: claimed, seq: 9 });
  assert.equal(await wrote(), first);
  const held = first + 5_000_000;
  const fabric = lab.fabric.id;
  const body = { collection: 'value', key: 'k', author: peer.signer.publicKey, deleted: false, value: 1 };
  const own = signRecord({ ...body, epoch: held, seq: 7, hlc: 1 }, fabric, peer.signer);
  await peer.replica.receive({
    stream: 'data',
    author: peer.signer.publicKey,
    from: peer.replica.position('data', peer.id),
    to: { epoch: held, seq: 7 },
    records: [own],
  });
  assert.ok((await wrote()) > held);
});

test('a peer that lost its store gets its own records back from the others', async (t) => {
  const lab = await connectedLab(3, seedOf(t));
  const peer = lab.peers[1]!;
  await peer.write(card(peer, 'known'), thing(peer, 'lamp'));
  await lab.settle();
  await peer.restart(new MemoryDisk());
  await peer.write(thing(peer, 'door'));
  lab.connectAll();
  await lab.settle();
  assertEqual(lab);
  assert.equal(peer.replica.list('thing').length, 2);
  assert.ok(peer.replica.get('peer', peer.id));
});
