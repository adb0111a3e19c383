import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thingIdOf } from '../core/ids.ts';
import { type LabPeer, ReplicaLab } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import { Directory } from './directory.ts';

const lab = async (seed: number): Promise<ReplicaLab> => {
  const made = await ReplicaLab.of(3, seed);
  made.connectAll();
  await made.settle();
  return made;
};

/** A `thing` record with any text as its TD. */
const tell = (peer: LabPeer, name: string, td: string | object): Promise<void> =>
  peer.write({
    collection: 'thing',
    key: thingIdOf(peer.id, name),
    value: {
      td: typeof td === 'string' ? td : JSON.stringify({ id: thingIdOf(peer.id, name), title: name, ...td }),
    },
  });
const named = (peer: LabPeer, name: string): Promise<void> =>
  peer.write({ collection: 'peer', key: peer.id, value: { name, addresses: [] } });

test('a Thing is found by its id, its title, its local name, and by peer/name', async (t) => {
  const { peers } = await lab(seedOf(t));
  const [peer] = peers as [LabPeer];
  await named(peer, 'Kitchen');
  await tell(peer, 'lamp-2', { title: 'Ceiling Lamp' });
  const directory = new Directory(peer.replica);
  const id = thingIdOf(peer.id, 'lamp-2');
  for (const name of [
    id,
    'Ceiling Lamp',
    'ceiling lamp',
    'lamp-2',
    'Kitchen/lamp-2',
    'kitchen/Ceiling Lamp',
    `${peer.id}/lamp-2`,
  ])
    assert.equal(directory.resolve(name).id, id, name);
  assert.equal(directory.fullName(directory.byId(id)!), 'Kitchen/lamp-2');
  for (const name of ['', 'lamp', 'Bedroom/lamp-2', '/lamp-2', 'lamp-2/', `${id}x`])
    assert.throws(() => directory.resolve(name), { code: 'thing-unknown' }, name);
});

test('a name that several Things have is an error that lists them, and peer/name tells them apart', async (t) => {
  const all = await lab(seedOf(t));
  const [a, b] = all.peers as [LabPeer, LabPeer];
  await named(a, 'Kitchen');
  await named(b, 'Hall');
  for (const peer of [a, b]) await tell(peer, 'lamp', { title: 'Lamp' });
  await all.settle();
  const directory = new Directory(a.replica);
  assert.throws(() => directory.resolve('Lamp'), {
    code: 'name-ambiguous',
    details: { candidates: ['Kitchen/lamp', 'Hall/lamp'].sort(byIdOf(a, b)) },
  });
  assert.equal(directory.resolve('Hall/lamp').id, thingIdOf(b.id, 'lamp'));
});

/** Things of the same title are listed in the order of their ids. */
const byIdOf =
  (a: LabPeer, b: LabPeer) =>
  (one: string): number =>
    one.startsWith(a.id < b.id ? 'Kitchen' : 'Hall') ? -1 : 1;

test('what a member writes that is no Thing Description is listed nowhere and breaks nothing', async (t) => {
  const all = await lab(seedOf(t));
  const [here, hacked] = all.peers as [LabPeer, LabPeer];
  await tell(here, 'lamp', { '@type': 'Light' });
  const id = thingIdOf(hacked.id, 'bad');
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const bad: (string | object)[] = [
    '',
    'null',
    '5',
    '[]',
    '{',
    '{}',
    JSON.stringify({ id: thingIdOf(here.id, 'lamp'), title: 'mine now' }),
    { title: 5 },
    { title: undefined },
    { '@type': 5 },
    { '@type': [5] },
    { '@type': { a: 1 } },
    { '@type': null },
    `{"id":"${id}","title":"deep","x":${deep}}`,
  ];
  const directory = new Directory(here.replica);
  for (const td of bad) {
    await tell(hacked, 'bad', td);
    await all.settle();
    const shown = JSON.stringify(td).slice(0, 60);
    assert.equal(directory.byId(id), undefined, shown);
    assert.deepEqual(
      directory.find().map(({ title }) => title),
      ['lamp'],
      shown,
    );
    assert.deepEqual(directory.find({ query: 'lam' }).length, 1, shown);
    assert.deepEqual(directory.find({ type: 'Light' }).length, 1, shown);
    JSON.stringify(directory.find());
  }
  for (const value of [null, 5, 'td', { td: 5 }, []]) {
    await hacked.write({ collection: 'thing', key: id, value });
    await all.settle();
    assert.equal(directory.find().length, 1);
  }
});

test('what a peer says of itself is cut to size, or not believed at all', async (t) => {
  const { peers } = await lab(seedOf(t));
  const [peer] = peers as [LabPeer];
  const directory = new Directory(peer.replica);
  const card = async (value: unknown) => {
    await peer.write({ collection: 'peer', key: peer.id, value });
    return directory.card(peer.id);
  };
  assert.equal(directory.card(peer.id), undefined);
  for (const value of [
    null,
    5,
    [],
    {},
    { name: 5, addresses: [] },
    { name: 'x' },
    { name: 'x', addresses: 'y' },
  ])
    assert.equal(await card(value), undefined);
  assert.deepEqual(await card({ name: 'n'.repeat(100), addresses: ['a:1', 5, 'x'.repeat(300)] }), {
    name: 'n'.repeat(64),
    addresses: ['a:1'],
  });
  const many = await card({ name: 'x', addresses: Array(99).fill('a:1') });
  assert.equal(many?.addresses.length, 16);
});

test('a Thing that was deleted is gone, and one that changed is read anew', async (t) => {
  const { peers } = await lab(seedOf(t));
  const [peer] = peers as [LabPeer];
  const directory = new Directory(peer.replica);
  const id = thingIdOf(peer.id, 'lamp');
  await tell(peer, 'lamp', { title: 'Old' });
  assert.equal(directory.byId(id)?.title, 'Old');
  await tell(peer, 'lamp', { title: 'New' });
  assert.equal(directory.byId(id)?.title, 'New');
  await peer.write({ collection: 'thing', key: id, value: null, deleted: true });
  assert.equal(directory.byId(id), undefined);
  assert.deepEqual(directory.find(), []);
});
