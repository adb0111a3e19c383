import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../core/logger.ts';
import { FakePeer } from '../testing/fake-peer.ts';
import { createHttpServers } from './app.ts';
import { EventStreams } from './sse.ts';

test('a request that does not come to its end is cut off', async (t) => {
  const gateway = {
    peer: new FakePeer(),
    streams: new EventStreams(),
    logger: silentLogger,
    left: () => {},
    address: { socket: '', http: null },
  };
  const soon = { requestTimeout: 100, headersTimeout: 50, connectionsCheckingInterval: 10 };
  const { tcp } = createHttpServers(gateway, '127.0.0.1', soon);
  t.after(() => tcp.close());
  const door = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    tcp.emit('connection', socket);
    socket.resume();
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  t.after(() => door.close());
  const { port } = door.address() as { port: number };
  for (const begun of [
    'GET / HTTP/1.1\r\nHost: local',
    'PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1',
  ]) {
    const client = connect(port, '127.0.0.1');
    client.write(begun);
    client.resume();
    await once(client, 'close');
  }
  assert.equal(await new Promise((resolve) => tcp.getConnections((_, count) => resolve(count))), 0);
});
