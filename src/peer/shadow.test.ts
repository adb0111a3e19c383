/**
 * The promise of shadows: what a device said last can be read, with its age, while it sleeps; and no lock's state ever.
 * Relies on real peers in temporary homes; a clean stop writes what 10 s would have written.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastValues, PeerLab } from '../testing/peer-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { ExposedThing } from '../thing/scripting-api.ts';
import type { Peer } from './peer.ts';

const expose = async (
  peer: Peer,
  td: { title: string; '@type'?: string },
  read: () => unknown = () => 21.5,
): Promise<ExposedThing> => {
  const thing = await peer.wot.produce({
    ...td,
    properties: {
      value: { observable: true },
      pin: { type: 'string', writeOnly: true },
      forecast: { type: 'number', readOnly: true, uriVariables: { days: { type: 'integer' } } },
    },
  } as never);
  thing.setPropertyReadHandler('value', async () => read() as never);
  thing.setPropertyWriteHandler('value', async () => {});
  thing.setPropertyWriteHandler('pin', async () => {});
  thing.setPropertyReadHandler('forecast', async () => 3);
  await thing.expose();
  return thing;
};
const idOf = (thing: ExposedThing): string => thing.getThingDescription().id;

const knows = (peer: Peer, id: string, values: Record<string, unknown> | undefined): Promise<unknown> =>
  waitFor(() => JSON.stringify(lastValues(peer, id)) === JSON.stringify(values), {
    timeoutMs: 15_000,
    what: () => `${JSON.stringify(values)} to be known; it is ${JSON.stringify(lastValues(peer, id))}`,
  });

const lists = (peer: Peer, id: string): Promise<unknown> =>
  waitFor(() => peer.things().some((thing) => thing.id === id), { what: `${id} to be listed` });

test('a sensor goes off: others read its last value with its age, and it stays until the sensor says a new one', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const sensor = await lab.start('sensor');
  await lab.join(hall, sensor);
  const thing = await expose(sensor, { title: 'Thermometer' });
  const id = idOf(thing);
  await lists(hall, id);
  assert.throws(() => hall.lastKnown(id), { code: 'value-unknown' });
  assert.throws(() => hall.lastKnown('urn:althing:none'), { code: 'thing-unknown' });
  await hall.request({ thing: id, op: 'readproperty', name: 'value' });
  await hall.request({ thing: id, op: 'readproperty', name: 'forecast' });
  await hall.request({ thing: id, op: 'writeproperty', name: 'pin', input: '1234' });
  // The first one is not held back: nothing was written for 10 s.
  await knows(hall, id, { value: 21.5 });
  const before = Date.now();
  await thing.emitPropertyChange('value', 22);
  await sensor.stop();
  await knows(hall, id, { value: 22 });
  const { time, ageMs } = hall.lastKnown(id).properties.value!;
  assert.ok(Date.parse(time) >= before - 1000 && Date.parse(time) <= Date.now() + 1000, time);
  assert.ok(ageMs >= 0 && ageMs < 60_000);

  const again = await lab.restart(sensor);
  const same = await expose(again, { title: 'Thermometer' }, () => 22);
  await again.forgetUnexposed();
  assert.equal(idOf(same), id);
  await waitFor(() => hall.things().some((one) => one.id === id && one.online), { what: 'it to be back' });
  await hall.request({ thing: id, op: 'readproperty', name: 'value' });
  assert.equal(hall.lastKnown(id).properties.value!.time, time, 'the same value has its old time');
  await hall.request({ thing: id, op: 'writeproperty', name: 'value', input: { on: true } });
  await again.stop();
  await knows(hall, id, { value: { on: true } });
});

test("a lock's state is in nobody's records, and leaves them when a Thing is restricted", async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const door = await lab.start('door');
  await lab.join(hall, door);
  const lock = await expose(door, { title: 'Lock', '@type': 'Lock' });
  const bell = await expose(door, { title: 'Bell' });
  await lists(hall, idOf(bell));
  for (const thing of [lock, bell]) await thing.emitPropertyChange('value', true);
  // Both wait for the same turn.
  await knows(hall, idOf(bell), { value: true });
  assert.equal(lastValues(hall, idOf(lock)), undefined);
  assert.equal(lastValues(door, idOf(lock)), undefined);
  await hall.governance.restrict(idOf(bell), true);
  await hall.governance.restrict(idOf(lock), false);
  await waitFor(() => lastValues(door, idOf(bell)) === undefined, { what: 'the restriction' });
  await knows(hall, idOf(lock), { value: true });
  await door.stop();
  // Not only is it not shown: it is gone, and is not there when the restriction ends.
  await hall.governance.restrict(idOf(bell), false);
  assert.equal(lastValues(hall, idOf(bell)), undefined);
});

test('a device that joins tells its new fabric what it knows; what it stops exposing is forgotten', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const lamp = await lab.start('lamp');
  const thing = await expose(lamp, { title: 'Lamp' });
  await thing.emitPropertyChange('value', 'on');
  await knows(lamp, idOf(thing), { value: 'on' });
  await lab.join(hall, lamp);
  await knows(hall, idOf(thing), { value: 'on' });
  await thing.destroy();
  await knows(hall, idOf(thing), undefined);
});

test("a guest's device writes no shadow, and a guest reads none", async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const visitor = await lab.start('visitor');
  const lamp = await expose(hall, { title: 'Lamp' });
  const { ticket } = await hall.invite({ role: 'guest' });
  await visitor.join(ticket);
  const gadget = await expose(visitor, { title: 'Gadget' });
  await gadget.emitPropertyChange('value', 1);
  await lamp.emitPropertyChange('value', 2);
  await knows(hall, idOf(lamp), { value: 2 });
  await hall.governance.grant({ subject: visitor.id, things: [idOf(lamp)], operations: ['read'] });
  await lists(visitor, idOf(lamp));
  assert.equal(lastValues(visitor, idOf(lamp)), undefined);
  assert.equal(lastValues(visitor, idOf(gadget)), undefined);
});

test('a hacked bulb writes the shadow of another device, and garbage into its own: nobody reads any of it', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const bulb = await lab.start('bulb');
  await lab.join(hall, bulb);
  const lamp = await expose(hall, { title: 'Lamp' });
  const own = await expose(bulb, { title: 'Bulb' });
  await lamp.emitPropertyChange('value', 1);
  await knows(bulb, idOf(lamp), { value: 1 });
  const later = Date.now() + 100_000;
  await lab.modify(bulb, () => [
    { collection: 'shadow', key: idOf(lamp), value: { properties: { value: [666, later] } } },
    {
      collection: 'shadow',
      key: idOf(own),
      value: { properties: { value: 666, pin: ['x', 'now'], on: [true, later], ['p'.repeat(300)]: [] } },
    },
  ]);
  await knows(hall, idOf(own), { on: true });
  assert.deepEqual(lastValues(hall, idOf(lamp)), { value: 1 });
  assert.equal(hall.lastKnown(idOf(own)).properties.on!.ageMs, 0, 'nothing is younger than now');
});
