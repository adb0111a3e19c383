import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import { AlthingError } from '../core/errors.ts';
import { thingIdOf } from '../core/ids.ts';
import { type LabPeer, ReplicaLab, signedBy } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import type { Draft } from './draft.ts';
import type { IncomingRange } from './incoming-range.ts';
import { recordValue, type SignedRecord } from './record.ts';
import type { ReplicaChange } from './replica-change.ts';

const origin = { epoch: 0, seq: 0 };
const value = (key: string, content: unknown): Draft => ({ collection: 'value', key, value: content });

const rangeOf = (records: readonly SignedRecord[], from = origin): IncomingRange => ({
  stream: records[0]!.stream,
  author: records[0]!.author,
  from,
  to: { epoch: records.at(-1)!.epoch, seq: records.at(-1)!.seq },
  records: records.map(({ raw }) => raw),
});

const read = (peer: LabPeer, key: string): unknown => {
  const record = peer.replica.get('value', key);
  return record && recordValue(record);
};

test('a key reads as its last write, as nothing once deleted, and as the next write again', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  assert.equal(read(peer, 'k'), undefined);
  await peer.write(value('k', 1), value('other', 5));
  await peer.write(value('k', 2));
  assert.equal(read(peer, 'k'), 2);
  await peer.write({ ...value('k', null), deleted: true });
  assert.equal(read(peer, 'k'), undefined);
  assert.deepEqual(
    peer.replica.list('value').map(({ key }) => key),
    ['other'],
  );
  await peer.write(value('k', 3));
  assert.equal(read(peer, 'k'), 3);
});

test('of several authors the latest by the clock counts, its deletion too, whatever comes first', async (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const lab = await ReplicaLab.of(4, seedOf(t));
    const [here] = lab.peers as [LabPeer];
    const records = [
      signedBy(lab, 1, { hlc: 10, value: 'early' }),
      signedBy(lab, 2, { hlc: 30, deleted: true }),
      signedBy(lab, 3, { hlc: 20, value: 'between' }),
    ];
    for (const at of order) await here.replica.receive(rangeOf([records[at]!]));
    assert.equal(read(here, 'k'), undefined);
    await here.replica.receive(
      rangeOf([signedBy(lab, 1, { seq: 2, hlc: 40, value: 'last' })], { epoch: 1, seq: 1 }),
    );
    assert.equal(read(here, 'k'), 'last');
  }
});

test('of two authors at the same clock the greater id counts, whichever comes first', async (t) => {
  const winners = new Set<string>();
  for (const order of [
    [1, 2],
    [2, 1],
  ]) {
    const lab = await ReplicaLab.of(3, seedOf(t));
    const [here] = lab.peers as [LabPeer];
    for (const number of order) await here.replica.receive(rangeOf([signedBy(lab, number, { hlc: 10 })]));
    winners.add(here.replica.get('value', 'k')!.authorId);
    assert.equal(here.replica.get('value', 'k')!.authorId, [1, 2].map((n) => lab.peers[n]!.id).sort()[1]);
  }
  assert.equal(winners.size, 1);
});

test('a device speaks for itself and its own Things, admins for the fabric, and nobody for another', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [founder, member, other] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  const write = async (by: LabPeer, collection: string, key: string) => {
    await by.write({ collection, key, value: by.number });
    await lab.settle();
    return lab.peers.map(({ replica }) => replica.get(collection, key)?.authorId === by.id);
  };
  const [yes, no] = [Array(3).fill(true), Array(3).fill(false)];
  assert.deepEqual(await write(member, 'peer', member.id), yes);
  assert.deepEqual(await write(member, 'peer', other.id), no);
  assert.deepEqual(await write(founder, 'peer', other.id), no);
  for (const collection of ['thing', 'shadow']) {
    assert.deepEqual(await write(member, collection, thingIdOf(member.id, 'lamp')), yes);
    for (const by of [member, founder])
      assert.deepEqual(await write(by, collection, thingIdOf(other.id, 'lamp')), no);
    assert.deepEqual(await write(member, collection, 'urn:dev:lamp'), no);
  }
  for (const collection of ['label', 'rule', 'scene', 'setting']) {
    assert.deepEqual(await write(member, collection, 'a'), no);
    assert.deepEqual(await write(founder, collection, 'b'), yes);
    assert.deepEqual(await write(member, collection, 'b'), no);
    const label = founder.replica.get(collection, 'b');
    assert.equal(label?.authorId, founder.id);
  }
  for (const collection of ['value', 'from-the-future'])
    assert.deepEqual(await write(member, collection, 'k'), yes);
});

test('a control record whose predecessor was left out is not taken in', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [here] = lab.peers as [LabPeer];
  const statement = (seq: number, prev: string | null) =>
    signedBy(lab, 1, { collection: 'member', seq, value: { type: 'x', prev: prev && fromHex(prev) } });
  const first = statement(1, null);
  const second = statement(2, first.hash);
  const third = statement(3, second.hash);
  assert.equal(await here.replica.receive(rangeOf([second])), 'gap');
  assert.equal(await here.replica.receive(rangeOf([first, third])), 'gap');
  assert.deepEqual(here.replica.position('control', lab.peers[1]!.id), origin);
  assert.equal(await here.replica.receive(rangeOf([first, second, third])), 'applied');
});

test('each answer to a range is what became of it', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [here] = lab.peers as [LabPeer];
  const [a, b, c] = [1, 2, 3].map((seq) => signedBy(lab, 1, { seq, key: `k${seq}` })) as [
    SignedRecord,
    SignedRecord,
    SignedRecord,
  ];
  const { replica } = here;
  assert.equal(await replica.receive(rangeOf([b, c], a)), 'behind');
  assert.equal(await replica.receive(rangeOf([a])), 'applied');
  assert.equal(await replica.receive(rangeOf([a])), 'known');
  assert.equal(await replica.receive(rangeOf([a, b])), 'applied');
  assert.equal(await replica.receive(rangeOf([signedBy(lab, 5, {})])), 'unauthorised');
  assert.equal(await replica.receive(rangeOf([b, c], a)), 'applied');
  assert.equal(replica.list('value').length, 3);
});

test('a change is told once, when it is durable, with what it was', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  peer.crash();
  await peer.start({ byHand: true });
  const changes: ReplicaChange[] = [];
  peer.replica.onChange = (change) => changes.push(change);
  const written = peer.write(value('k', 1), value('k', 2));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(changes.length, 0);
  assert.equal(read(peer, 'k'), undefined);
  peer.store.sync();
  await written;
  assert.equal(changes.length, 1);
  assert.deepEqual(
    { ...changes[0], records: changes[0]!.records.length },
    {
      records: 2,
      removed: [],
      membership: false,
      frauds: [],
      own: true,
      from: origin,
    },
  );
});

test('writes come one after the other, each with the state that the one before left', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  const add = () =>
    peer.replica.write(() => [value('count', ((read(peer, 'count') as number | undefined) ?? 0) + 1)]);
  await Promise.all(Array.from({ length: 20 }, add));
  assert.equal(read(peer, 'count'), 20);
  await assert.rejects(
    peer.replica.write(() => {
      throw new AlthingError('forbidden', 'not now');
    }),
    { code: 'forbidden' },
  );
  await add();
  assert.equal(read(peer, 'count'), 21);
});

test('overwriting a key leaves one record in memory and on the disk', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  await peer.write(...Array.from({ length: 50 }, (_, count) => value('k', count)));
  for (let count = 0; count < 50; count++) await peer.write(value('k', count));
  assert.equal(peer.disk.records.size, 1);
  assert.equal(peer.replica.range('data', peer.id, origin, 1e6)?.records.length, 1);
});

test("others' clocks move ours on, but not far beyond the wall clock", async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [here] = lab.peers as [LabPeer];
  const now = lab.clock.now();
  const stampAfter = async (author: number, aheadMs: number): Promise<number> => {
    const hlc = (now + aheadMs) * 2048;
    await here.replica.receive(rangeOf([signedBy(lab, author, { hlc })]));
    await here.write(value('mine', author));
    return stampMs(here.replica.get('value', 'mine')!.hlc) - now;
  };
  assert.equal(await stampAfter(1, 86_400_000), 0);
  assert.equal(await stampAfter(2, 60_000), 60_000);
  assert.equal(await stampAfter(3, -60_000), 60_000);
});
