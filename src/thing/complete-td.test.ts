import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import { labLamp } from '../testing/thing-lab.ts';
import { completeTd } from './complete-td.ts';
import { validateTd } from './validate-td.ts';

const peer = peerIdOf(new Uint8Array(32).fill(1));
const target = { id: thingIdOf(peer, 'lamp'), peer, name: 'lamp' };

test('a title alone becomes a valid Thing Description', async () => {
  const td = completeTd({ title: 'Lamp' }, target);
  await validateTd(td);
  assert.deepEqual(td, {
    '@context': 'https://www.w3.org/2022/wot/td/v1.1',
    id: target.id,
    title: 'Lamp',
    security: 'nosec_sc',
    securityDefinitions: { nosec_sc: { scheme: 'nosec' } },
  });
});

test('every affordance gets one form with its operations, the Thing those on several properties', async () => {
  const td = completeTd(labLamp, target);
  await validateTd(td);
  const base = `althing://${peer}/things/lamp`;
  assert.deepEqual(td.properties!.on!.forms, [
    {
      op: ['readproperty', 'writeproperty', 'observeproperty', 'unobserveproperty'],
      href: `${base}/properties/on`,
      contentType: 'application/json',
    },
  ]);
  assert.deepEqual(td.properties!.serial!.forms![0]!.op, ['readproperty']);
  assert.deepEqual(td.properties!.pin!.forms![0]!.op, ['writeproperty']);
  assert.equal(td.properties!.picture!.forms![0]!.contentType, 'image/png');
  assert.equal(td.properties!.forecast!.forms![0]!.href, `${base}/properties/forecast{?days}`);
  assert.deepEqual(td.actions!.toggle!.forms![0]!.op, ['invokeaction']);
  assert.deepEqual(td.actions!.sunrise!.forms![0]!.op, ['invokeaction', 'queryaction', 'cancelaction']);
  assert.deepEqual(td.events!.flicker!.forms![0]!.op, ['subscribeevent', 'unsubscribeevent']);
  assert.deepEqual(td.forms, [
    {
      op: ['readallproperties', 'readmultipleproperties', 'writemultipleproperties'],
      href: `${base}/properties`,
      contentType: 'application/json',
    },
  ]);
});

test("a TD's own id is kept beside ours, with its prefix declared, also when completed again", async () => {
  const td = completeTd({ title: 'Lamp', id: 'urn:dev:ops:1' }, target);
  await validateTd(td);
  assert.equal(td.id, target.id);
  assert.equal(td['althing:originalId'], 'urn:dev:ops:1');
  assert.deepEqual(td['@context'], ['https://www.w3.org/2022/wot/td/v1.1', { althing: 'urn:althing:ns#' }]);
  assert.deepEqual(completeTd(td, target), td);
});

test('other contexts, security and foreign terms stay; base and foreign forms go', async () => {
  const td = completeTd(
    {
      title: 'Lamp',
      '@context': ['https://www.w3.org/2019/wot/td/v1', { saref: 'https://w3id.org/saref#' }],
      '@type': 'saref:LightSwitch',
      base: 'http://lamp.local',
      forms: [{ op: 'readallproperties', href: '/all' }],
      security: ['key'],
      securityDefinitions: { key: { scheme: 'apikey' } },
      events: { bell: { forms: [{ href: '/bell', subprotocol: 'longpoll' }] } },
    },
    target,
  );
  await validateTd(td);
  assert.deepEqual(td['@context'], [
    'https://www.w3.org/2019/wot/td/v1',
    'https://www.w3.org/2022/wot/td/v1.1',
    { saref: 'https://w3id.org/saref#' },
  ]);
  assert.deepEqual(td.security, ['key']);
  assert.equal('base' in td, false);
  assert.equal('forms' in td, false);
  assert.deepEqual(td.events!.bell!.forms, [
    {
      op: ['subscribeevent', 'unsubscribeevent'],
      href: `althing://${peer}/things/lamp/events/bell`,
      contentType: 'application/json',
    },
  ]);
});

test('what is not a TD at all is left for validation to refuse', async () => {
  const td = completeTd({ title: 'x', properties: 3, actions: { a: 'b' } }, target);
  await assert.rejects(validateTd(td), { code: 'td-invalid' });
});
