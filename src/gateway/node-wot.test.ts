import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import httpBinding from '@node-wot/binding-http';
import core from '@node-wot/core';
import { lampId, snapshotBytes } from '../testing/fake-peer.ts';
import { startGatewayLab } from '../testing/gateway-lab.ts';
import { waitFor } from '../testing/wait-for.ts';

/** A stock node-wot consumer of the lamp, with a token. */
const consume = async (t: TestContext) => {
  const lab = await startGatewayLab(t);
  const servient = new core.Servient();
  servient.addClientFactory(new httpBinding.HttpClientFactory());
  servient.addCredentials({ [lampId]: { token: 'use-token' } });
  const wot = await servient.start();
  t.after(() => servient.shutdown());
  const response = await fetch(`${lab.url}/things/${lampId}`, {
    headers: { authorization: 'Bearer use-token' },
  });
  return { lab, lamp: await wot.consume((await response.json()) as never) };
};

test('node-wot reads and writes', async (t) => {
  const { lamp, lab } = await consume(t);
  assert.equal(await (await lamp.readProperty('on')).value(), false);
  await lamp.writeProperty('on', true);
  assert.equal(lab.peer.values.on, true);
  assert.equal(await (await lamp.readProperty('on')).value(), true);
  const warm = await lamp.readProperty('temperature', { uriVariables: { unit: 'F', digits: 1 } });
  assert.equal(await warm.value(), 21.5);
  assert.deepEqual(lab.peer.calls.at(-1)?.call.uriVariables, { unit: 'F', digits: 1 });
  const picture = await (await lamp.readProperty('snapshot')).arrayBuffer();
  assert.deepEqual(new Uint8Array(picture), snapshotBytes);
});

test('node-wot invokes, with and without an output', async (t) => {
  const { lamp, lab } = await consume(t);
  assert.equal(await (await lamp.invokeAction('add', { a: 20, b: 22 }))?.value(), 42);
  await lamp.invokeAction('toggle');
  assert.equal(lab.peer.values.on, true);
  const begun = await lamp.invokeAction('fade', {});
  assert.ok(begun);
  const status = JSON.parse(new TextDecoder().decode(await begun.arrayBuffer()));
  assert.equal(status.status, 'running');
  await assert.rejects(lamp.invokeAction('burn'), /Server error/);
});

test('node-wot observes and subscribes', async (t) => {
  const { lamp, lab } = await consume(t);
  const levels: unknown[] = [];
  const heats: unknown[] = [];
  const observation = await lamp.observeProperty('level', async (output) => {
    levels.push(await output.value());
  });
  const subscription = await lamp.subscribeEvent('overheated', async (output) => {
    heats.push(await output.value());
  });
  for (const value of [41, 42]) {
    await waitFor(() => lab.peer.openStreams === 2, { what: 'both polls to wait' });
    lab.peer.emit('level', value);
    lab.peer.emit('overheated', value * 2);
    await waitFor(() => levels.includes(value) && heats.includes(value * 2), { what: `${value} to arrive` });
  }
  assert.deepEqual(
    [levels, heats],
    [
      [41, 42],
      [82, 84],
    ],
  );
  await observation.stop();
  await subscription.stop();
  await waitFor(() => lab.peer.openStreams === 0, { what: 'the polls to end' });
});
