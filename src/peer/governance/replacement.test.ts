/**
 * The promise of replacing hardware: a new device with another key goes on as the old one, under the same Thing ids.
 * Relies on real peers in temporary homes; the word for it is an admin's.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastValues, PeerLab } from '../../testing/peer-lab.ts';
import { RecordingSink } from '../../testing/thing-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Peer } from '../peer.ts';

const exposeLamp = async (peer: Peer, title = 'Lamp'): Promise<string> => {
  let on = false;
  const lamp = await peer.wot.produce({
    title,
    '@context': 'https://www.w3.org/2022/wot/td/v1.1',
    properties: { on: { type: 'boolean', observable: true } },
  } as never);
  lamp.setPropertyReadHandler('on', () => on);
  lamp.setPropertyWriteHandler('on', async (input) => {
    on = (await input.value()) as boolean;
    await lamp.emitPropertyChange('on');
  });
  await lamp.expose();
  return lamp.getThingDescription().id;
};

const sees = (peer: Peer, id: string, online: boolean): Promise<unknown> =>
  waitFor(() => peer.things().some((thing) => thing.id === id && thing.online === online), {
    what: () => `${id} to be ${online ? 'online' : 'offline'}; there is ${JSON.stringify(peer.things())}`,
  });

const lastSaid = (peer: Peer, id: string, on: boolean): Promise<unknown> =>
  waitFor(() => lastValues(peer, id)?.on === on, { what: `${id} to have been ${on}` });

test('a bulb dies, another takes its place: the same id works, observations go on, what it lacks stays listed', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const phone = await lab.start('phone');
  const bulb = await lab.start('bulb');
  await lab.join(hall, phone);
  await lab.join(hall, bulb);
  const lamp = await exposeLamp(bulb);
  const heater = await exposeLamp(bulb, 'Heater');
  await sees(phone, lamp, true);
  await sees(hall, heater, true);
  const sink = new RecordingSink();
  await phone.stream({ thing: lamp, op: 'observeproperty', name: 'on' }, sink);
  await phone.request({ thing: lamp, op: 'writeproperty', name: 'on', input: true });
  await waitFor(() => sink.values.length === 1, { what: 'the first value' });
  await phone.request({ thing: heater, op: 'writeproperty', name: 'on', input: true });
  await bulb.stop();

  const spare = await lab.start('spare');
  await lab.join(hall, spare);
  const own = await exposeLamp(spare);
  await sees(phone, own, true);
  await hall.request({ thing: own, op: 'readproperty', name: 'on' });
  await lastSaid(phone, own, false);
  await lastSaid(hall, heater, true);
  await hall.governance.replace(bulb.id, spare.id);

  await sees(phone, lamp, true);
  await sees(hall, lamp, true);
  await waitFor(() => !phone.things().some(({ id }) => id === own), { what: "the spare's own id to go" });
  assert.equal(phone.things().find(({ id }) => id === lamp)?.peer, spare.id);
  await sees(phone, heater, false);
  // The spare knows its lamp to be off; of the heater nobody has said anything new.
  await lastSaid(phone, lamp, false);
  await lastSaid(phone, heater, true);
  assert.throws(() => phone.lastKnown(own), { code: 'thing-unknown' });
  assert.equal(phone.resolveThing('spare/lamp').id, lamp);
  await phone.request({ thing: phone.resolveThing('lamp').id, op: 'writeproperty', name: 'on', input: true });
  await waitFor(() => sink.values.length === 2, { what: 'the observation to go on' });
  assert.deepEqual(sink.values, [true, true]);

  // What the new device exposes later takes over too, and all of it lasts.
  assert.equal(await exposeLamp(spare, 'Heater'), heater);
  await sees(phone, heater, true);
});
