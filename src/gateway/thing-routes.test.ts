import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { lampId, lampTd } from '../testing/fake-peer.ts';
import { startGatewayLab } from '../testing/gateway-lab.ts';

const at = (...path: string[]) => `/things/${lampId}/${path.join('/')}`;
const codeOf = (answer: { json: unknown }) => (answer.json as { code: string }).code;

test('reading gives the value as JSON, bytes in the type that the device declares', async (t) => {
  const { send } = await startGatewayLab(t);
  const answer = await send({ path: at('properties', 'level') });
  assert.deepEqual(
    [answer.status, answer.text, answer.header('content-type')],
    [200, '10', 'application/json'],
  );
  assert.equal((await send({ path: at('properties', 'snapshot') })).header('content-type'), 'image/png');
  const head = await send({ path: at('properties', 'level'), method: 'HEAD' as 'GET' });
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('all and several properties are read, several are written', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  assert.deepEqual((await send({ path: at('properties') })).json, {
    on: false,
    level: 10,
    temperature: 21.5,
  });
  assert.deepEqual((await send({ path: at('properties?name=on&name=level') })).json, {
    on: false,
    level: 10,
  });
  const written = await send({ path: at('properties'), method: 'PUT', body: '{"on":true,"level":5}' });
  assert.deepEqual([written.status, written.text], [204, '']);
  assert.deepEqual([peer.values.on, peer.values.level], [true, 5]);
  for (const body of ['[]', '3', 'null', ''])
    assert.equal(codeOf(await send({ path: at('properties'), method: 'PUT', body })), 'bad-input');
});

test('an action answers 200 with its output, 204 without one, 201 with a status when it goes on', async (t) => {
  const { send } = await startGatewayLab(t);
  const invoke = (name: string, body?: string) =>
    send({ path: at('actions', name), method: 'POST', ...(body && { body }) });
  const added = await invoke('add', '{"a":1,"b":2}');
  assert.deepEqual([added.status, added.text], [200, '3']);
  const toggled = await invoke('toggle');
  assert.deepEqual([toggled.status, toggled.text], [204, '']);
  const begun = await invoke('fade', '{}');
  const href = at('actions', 'fade', 'fade-1');
  assert.equal(begun.status, 201);
  assert.equal(begun.header('location'), href);
  assert.deepEqual(begun.json, {
    id: 'fade-1',
    status: 'running',
    timeRequested: '2025-01-01T00:00:00.000Z',
    href,
  });
});

test('a failed invocation carries problem details, a cancelled one is gone', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  await send({ path: at('actions', 'fade'), method: 'POST' });
  peer.failFade('fade-1');
  const path = at('actions', 'fade', 'fade-1');
  const { error } = (await send({ path })).json as { error: { code: string; status: number } };
  assert.deepEqual([error.code, error.status], ['handler-failed', 502]);
  assert.equal((await send({ path, method: 'DELETE' })).status, 204);
  assert.deepEqual([(await send({ path })).status], [404]);
});

test('what the device says reaches the caller with the table’s status', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  const burnt = await send({ path: at('actions', 'burn'), method: 'POST' });
  assert.deepEqual([burnt.status, codeOf(burnt)], [502, 'handler-failed']);
  assert.equal((await send({ path: at('properties', 'pin') })).status, 405);
  peer.failure = new AlthingError('peer-offline', 'hall is away.');
  assert.equal((await send({ path: at('properties', 'on') })).status, 503);
  const stream = await send({ path: at('properties', 'on'), headers: { accept: 'text/event-stream' } });
  assert.deepEqual([stream.status, codeOf(stream)], [503, 'peer-offline']);
});

test('things are named by id, affordances by what the TD has', async (t) => {
  const { send } = await startGatewayLab(t);
  for (const id of ['lamp', 'Lamp', 'urn:althing:none'])
    assert.equal(codeOf(await send({ path: `/things/${id}/properties/on` })), 'thing-unknown');
  for (const path of [at('properties', 'none'), at('events', 'on'), at('properties', '__proto__')])
    assert.equal(codeOf(await send({ path })), 'affordance-unknown');
  assert.equal((await send({ path: `/things/${encodeURIComponent(lampId)}/properties/on` })).text, 'false');
});

test('query parameters are the affordance’s uriVariables and nothing else', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  await send({ path: at('properties', 'temperature?unit=F&digits=2') });
  assert.deepEqual(peer.calls[0]?.call.uriVariables, { unit: 'F', digits: 2 });
  for (const query of ['digits=two', 'digits=', 'other=1', '__proto__=1'])
    assert.equal(
      codeOf(await send({ path: at('properties', `temperature?${query}`) })),
      'uri-variable-invalid',
    );
});

test('Althing-Timeout sets the deadline, within bounds', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  const read = (timeout: string) =>
    send({ path: at('properties', 'on'), headers: { 'althing-timeout': timeout } });
  await read('250');
  assert.equal(peer.calls[0]?.options.timeoutMs, 250);
  for (const timeout of ['0', '-1', 'soon', '1e9']) assert.equal((await read(timeout)).status, 400);
});

test('the last known values of a Thing are there while its device is not, and their absence is said', async (t) => {
  const { peer, send, client } = await startGatewayLab(t);
  peer.failure = new AlthingError('peer-offline', 'The lamp is off.');
  const { json, status } = await send({ path: `/things/${encodeURIComponent(lampId)}/shadow` });
  assert.equal(status, 200);
  assert.deepEqual(json, peer.lastKnown(lampId));
  const other = `${lampId}-2`;
  peer.descriptions = [{ ...lampTd, id: other }];
  await assert.rejects(client.lastKnown(other), { code: 'value-unknown' });
  await assert.rejects(client.lastKnown(lampId), { code: 'thing-unknown' });
});
