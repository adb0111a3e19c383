import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { fakePeerId, lampId, snapshotBytes } from '../testing/fake-peer.ts';
import { startGatewayLab, testDirectory } from '../testing/gateway-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import { GatewayClient } from './client.ts';
import { fetchTransport } from './fetch-transport.ts';
import { unixTransport } from './unix-transport.ts';

const clients = {
  'unix socket': async (t: TestContext) => {
    const lab = await startGatewayLab(t);
    return { ...lab, client: new GatewayClient(lab.transport, { origin: 'cli' }) };
  },
  fetch: async (t: TestContext) => {
    const lab = await startGatewayLab(t);
    return { ...lab, client: new GatewayClient(fetchTransport({ base: lab.url, token: 'manage-token' })) };
  },
};

for (const [name, start] of Object.entries(clients)) {
  test(`${name}: reads, writes and invokes`, async (t) => {
    const { client } = await start(t);
    const td = await client.resolve('lamp');
    assert.equal(td.id, lampId);
    assert.equal((await client.thingDescription(lampId)).title, 'Lamp');
    assert.equal(await client.readProperty(lampId, 'on'), false);
    await client.writeProperty(lampId, 'on', true);
    await client.writeMultipleProperties(lampId, { level: 20 });
    assert.deepEqual(await client.readMultipleProperties(lampId, ['on', 'level']), { on: true, level: 20 });
    assert.deepEqual(Object.keys(await client.readAllProperties(lampId)), ['on', 'level', 'temperature']);
    assert.deepEqual(
      new Uint8Array((await client.readProperty(lampId, 'snapshot')) as Uint8Array),
      snapshotBytes,
    );
    assert.equal(await client.invokeAction(lampId, 'add', { a: 2, b: 3 }), 5);
    assert.equal(await client.invokeAction(lampId, 'toggle'), null);
    assert.equal(await client.readProperty(lampId, 'on'), false);
  });

  test(`${name}: follows an action that goes on`, async (t) => {
    const { client, peer } = await start(t);
    const begun = (await client.invokeAction(lampId, 'fade', { level: 0 })) as { id: string; href: string };
    assert.equal((await client.queryAction(lampId, 'fade', begun.id)).status, 'running');
    peer.failFade(begun.id);
    const ended = await client.queryAction(lampId, 'fade', begun.id);
    assert.deepEqual(ended.error, { code: 'handler-failed', message: 'The bulb is out.' });
    assert.equal(ended.href, begun.href);
    await client.cancelAction(lampId, 'fade', begun.id);
    await assert.rejects(client.queryAction(lampId, 'fade', begun.id), { code: 'action-unknown' });
  });

  test(`${name}: observes in order, is told of missed values, and leaves`, async (t) => {
    const { client, peer } = await start(t);
    const missed: unknown[] = [];
    const values = await client.observeProperty(lampId, 'level', {
      onMissed: (error) => missed.push(error.details?.missed),
    });
    peer.emit('level', 1);
    peer.fail('level', new AlthingError('values-missed', 'Some were lost.', { details: { missed: 4 } }));
    peer.emit('level', 2);
    assert.deepEqual([(await values.next()).value, (await values.next()).value], [1, 2]);
    assert.deepEqual(missed, [4]);
    const pending = values.next();
    await values.return();
    assert.deepEqual(await pending, { done: true, value: undefined });
    await waitFor(() => peer.openStreams === 0, { what: 'the gateway to stop observing' });
  });

  test(`${name}: a stream that fails throws the problem's code`, async (t) => {
    const { client, peer } = await start(t);
    const events = await client.subscribeEvent(lampId, 'overheated');
    peer.emit('overheated', 90);
    peer.fail('overheated', new AlthingError('peer-offline', 'attic is away.'));
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const value of events) seen.push(value);
      },
      { code: 'peer-offline', message: 'attic is away.' },
    );
    assert.deepEqual(seen, [90]);
    assert.deepEqual(await events.next(), { done: true, value: undefined });
  });

  test(`${name}: a gateway that goes away ends the stream with connection-lost`, async (t) => {
    const { client, gateway } = await start(t);
    const values = await client.observeProperty(lampId, 'level');
    const pending = values.next();
    const lost = assert.rejects(pending, { code: 'connection-lost' });
    await gateway.close();
    await lost;
  });

  test(`${name}: manages the fabric`, async (t) => {
    const { client, gateway } = await start(t);
    const self = await client.self();
    assert.equal(self.peer, fakePeerId);
    assert.deepEqual(self.gateway, { socket: gateway.socket, http: gateway.http });
    assert.deepEqual(
      (await client.peers()).map((peer) => peer.state),
      ['self', 'online'],
    );
    assert.deepEqual(
      (await client.things({ type: 'Light', query: 'lam' })).map((thing) => thing.id),
      [lampId],
    );
    assert.deepEqual(await client.things({ type: 'Lock' }), []);
    assert.equal((await client.thingDescriptions()).length, 1);
    assert.equal((await client.invite({ role: 'guest', uses: 3 })).uses, 3);
    assert.equal((await client.join('althing:x', { name: 'attic' })).role, 'member');
    await assert.rejects(client.join('nonsense'), { code: 'ticket-invalid' });
    const made = await client.createToken('read');
    assert.ok((await client.tokens()).some((token) => token.id === made.id));
    await client.revokeToken(made.id);
    await assert.rejects(client.revokeToken(made.id), { code: 'token-unknown' });
    assert.equal(await client.recoveryWords(), 'abandon ability able');
    await assert.rejects(client.recoveryWords(), { code: 'recovery-shown' });
  });

  test(`${name}: follows activity and the directory`, async (t) => {
    const { client, peer } = await start(t);
    const activity = await client.activity();
    const changes = await client.directoryChanges();
    const entry = { time: '2025-01-01T00:00:00Z', kind: 'session-up', peer: fakePeerId } as const;
    peer.act(entry);
    peer.changeDirectory({ kind: 'thing_updated', td: peer.resolveThing('lamp') });
    assert.deepEqual((await activity.next()).value, entry);
    assert.deepEqual((await changes.next()).value, { kind: 'thing_updated', id: lampId });
    await activity.return();
    await changes.return();
    await waitFor(() => peer.openListeners === 0, { what: 'the gateway to stop listening' });
  });

  test(`${name}: errors keep code, message and details`, async (t) => {
    const { client } = await start(t);
    await assert.rejects(client.writeProperty(lampId, 'level', 101), (error: unknown) => {
      assert.ok(error instanceof AlthingError);
      assert.equal(error.code, 'value-invalid');
      assert.match(error.message, /from 0 to 100/);
      assert.deepEqual(error.details, { path: '/level' });
      return true;
    });
    await assert.rejects(client.resolve('attic/none'), { code: 'thing-unknown' });
    await assert.rejects(client.subscribeEvent(lampId, 'nothing'), { code: 'affordance-unknown' });
  });

  test(`${name}: giving up cancels the request at the device`, async (t) => {
    const { client, peer } = await start(t);
    const abort = new AbortController();
    const hanging = client.invokeAction(lampId, 'hang', undefined, { signal: abort.signal, timeoutMs: 5000 });
    const given = assert.rejects(hanging, { code: 'cancelled' });
    await waitFor(() => peer.calls.length === 1, { what: 'the action to arrive' });
    assert.equal(peer.calls[0]?.options.timeoutMs, 5000);
    abort.abort();
    await given;
    await waitFor(() => peer.aborted === 1, { what: 'the abort to arrive' });
  });
}

test('the origin "cli" is believed on the unix socket and not over TCP', async (t) => {
  const lab = await startGatewayLab(t);
  await new GatewayClient(lab.transport, { origin: 'cli' }).readProperty(lampId, 'on');
  await lab.client.readProperty(lampId, 'on');
  const overTcp = fetchTransport({ base: lab.url, token: 'use-token' });
  await new GatewayClient(overTcp, { origin: 'cli' }).readProperty(lampId, 'on');
  assert.deepEqual(
    lab.peer.calls.map((call) => call.options.cause?.origin),
    ['cli', 'http', 'http'],
  );
});

test('uriVariables arrive in their types', async (t) => {
  const { client, peer } = await startGatewayLab(t);
  await client.readProperty(lampId, 'temperature', { uriVariables: { unit: 'F', digits: 2 } });
  assert.deepEqual(peer.calls[0]?.call.uriVariables, { unit: 'F', digits: 2 });
});

test('a missing or dead socket is not-running, and names the home', async (t) => {
  const home = await testDirectory(t);
  const client = new GatewayClient(unixTransport({ socketPath: join(home, 'gateway.sock'), home }));
  await assert.rejects(client.self(), (error: unknown) => {
    assert.ok(error instanceof AlthingError);
    assert.equal(error.code, 'not-running');
    assert.ok(error.message.includes(home));
    return true;
  });
  await assert.rejects(client.observeProperty('x', 'y'), { code: 'not-running' });
});

test('an answer that is no gateway’s is a protocol-error', async (t) => {
  const server = createServer((_request, response) =>
    response.writeHead(502).end('<html>bad gateway</html>'),
  );
  const home = await testDirectory(t);
  const socketPath = join(home, 's');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.after(() => server.close());
  const client = new GatewayClient(unixTransport({ socketPath, home }));
  await assert.rejects(client.self(), { code: 'protocol-error' });
});
