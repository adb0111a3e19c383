/**
 * The promise to everybody who has a cheap bulb in the house: hacked, it writes and claims what it likes, in vain.
 * Relies on real peers and on the bulb's real key: its records come by the usual way, and nobody honours them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../../core/errors.ts';
import { thingIdOf } from '../../core/ids.ts';
import { PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Peer } from '../peer.ts';

const expose = async (peer: Peer, title: string): Promise<string> => {
  const thing = await peer.wot.produce({
    title,
    properties: { on: { type: 'boolean' } },
  } as never);
  await thing.expose();
  return thing.getThingDescription().id;
};

const knows = (peer: Peer, id: string): Promise<unknown> =>
  waitFor(() => peer.things().some((thing) => thing.id === id), { what: `${id} to be known` });

test("a hacked bulb writes other devices' records, labels and rules: nothing that anybody reads changes", async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const phone = await lab.start('phone');
  const bulb = await lab.start('bulb');
  await lab.join(hall, phone);
  await lab.join(hall, bulb);
  const motion = await expose(phone, 'Hall motion');
  await knows(bulb, motion);
  await hall.governance.rename(motion, { name: 'hall-motion', room: 'hall' });
  await waitFor(() => phone.things({ room: 'hall' }).length === 1, { what: 'the label' });

  const td = { ...phone.resolveThing(motion), title: 'Mine now' };
  const own = thingIdOf(bulb.id, 'hall-motion');
  const hacked = await lab.modify(bulb, () => [
    { collection: 'thing', key: motion, value: { td: JSON.stringify(td) } },
    { collection: 'thing', key: thingIdOf(phone.id, 'new'), value: { td: '{}' } },
    { collection: 'shadow', key: motion, value: { properties: { on: [true, 1] } } },
    { collection: 'peer', key: phone.id, value: { name: 'phone', addresses: ['192.0.2.1:1'] } },
    { collection: 'peer', key: hall.id, value: null, deleted: true },
    { collection: 'label', key: motion, value: { name: 'nothing' } },
    { collection: 'label', key: own, value: { name: 'hall-motion', room: 'hall' } },
    { collection: 'label', key: bulb.id, value: { name: 'hall' } },
    { collection: 'rule', key: 'r', value: {} },
    {
      collection: 'thing',
      key: own,
      value: { td: JSON.stringify({ ...td, id: own, title: 'hall-motion' }) },
    },
  ]);
  // The last record is one that the bulb may write: once it is here, all the others are.
  for (const peer of [hall, phone]) {
    await knows(peer, own);
    assert.deepEqual(
      peer.things().map(({ id, name, room, title }) => ({ id, name, room, title })),
      [
        { id: motion, name: 'hall-motion', room: 'hall', title: 'Hall motion' },
        { id: own, name: undefined, room: undefined, title: 'hall-motion' },
      ].sort((a, b) => a.title.localeCompare(b.title)),
    );
    assert.equal(peer.resolveThing('hall-motion').id, motion, 'the label beats what the bulb calls itself');
    assert.equal(peer.resolveThing('phone/hall-motion').id, motion);
    assert.equal(peer.resolveThing('bulb/hall-motion').id, own);
    assert.deepEqual(
      peer.things({ room: 'hall' }).map(({ id }) => id),
      [motion],
    );
    const names = Object.fromEntries(peer.peers().map((one) => [one.peer, one.name]));
    assert.deepEqual(names, { [hall.id]: 'hall', [phone.id]: 'phone', [bulb.id]: 'bulb' });
  }
  assert.equal(hall.governance.peerNamed('phone'), phone.id);
  await assert.rejects(
    hacked.governance.rename(motion, { name: 'mine' }),
    (error: unknown) => error instanceof AlthingError && error.code === 'not-admin',
  );
});

test('a bulb that calls itself as an admin called another peer does not get its commands', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const phone = await lab.start('phone');
  const bulb = await lab.start('attic');
  await lab.join(hall, phone);
  await lab.join(hall, bulb);
  const lamp = await expose(phone, 'Lamp');
  const trap = await expose(bulb, 'Lamp');
  await knows(hall, lamp);
  await knows(hall, trap);
  assert.equal(hall.resolveThing('attic/lamp').id, trap);
  assert.throws(() => hall.resolveThing('lamp'), { code: 'name-ambiguous' });
  await hall.governance.rename(phone.id, { name: 'Attic' });
  assert.equal(hall.resolveThing('attic/lamp').id, lamp);
  assert.equal(hall.governance.peerNamed('attic'), phone.id);
  assert.deepEqual(await hall.governance.rename(lamp, { name: 'lamp' }), {
    id: lamp,
    name: 'lamp',
    room: null,
  });
  assert.equal(hall.resolveThing('lamp').id, lamp);
  await hall.governance.rename('lamp', { name: '' });
  assert.throws(() => hall.resolveThing('lamp'), { code: 'name-ambiguous' });
});
