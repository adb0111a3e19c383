/**
 * That a member which is made a guest, or a guest which is made a member, learns of it however long it was away.
 * Relies on real peers on loopback, of which one is stopped meanwhile.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOnline, PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Peer } from '../peer.ts';

const expose = async (peer: Peer, title: string): Promise<string> => {
  const thing = await peer.wot.produce({ title, properties: { on: { type: 'boolean' } } } as never);
  thing.setPropertyReadHandler('on', async () => true);
  await thing.expose();
  return thing.getThingDescription().id;
};

const titles = (peer: Peer): string =>
  peer
    .things()
    .map(({ title }) => title)
    .sort()
    .join();

test('who was made a guest while it was away sees what a guest sees when it is back, and a member again when it is one', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const lamp = await expose(hall, 'Lamp');
  await expose(hall, 'Heater');
  const first = await lab.start('phone');
  await lab.join(hall, first);
  await waitFor(() => titles(first) === 'Heater,Lamp', { what: 'a member to see all' });

  const guest = await lab.restart(first, async () => {
    await hall.governance.setRole(first.id, 'guest');
    await hall.governance.grant({ subject: first.id, things: [lamp], operations: ['read'] });
  });
  await waitFor(() => titles(guest) === 'Lamp', {
    what: () => `only the lamp to be seen, not ${titles(guest)}`,
  });
  assert.equal(guest.self().role, 'guest');
  await assert.rejects(guest.invite({}), { code: 'not-admin' });

  const still = await lab.restart(guest);
  assert.equal(still.self().role, 'guest', 'from the start, with nobody asked');
  await waitFor(() => titles(still) === 'Lamp' && isOnline(still, hall.id), { what: 'the lamp' });

  const back = await lab.restart(still, () => hall.governance.setRole(first.id, 'member'));
  await waitFor(() => titles(back) === 'Heater,Lamp' && back.self().role === 'member', {
    what: () => `all to be seen again, not ${titles(back)}`,
  });
  const torch = await expose(back, 'Torch');
  await waitFor(() => hall.things().some(({ id }) => id === torch), {
    what: 'its records to be taken again',
  });
});
