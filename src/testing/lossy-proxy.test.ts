/**
 * What is promised of the proxies: that they pass everything on in order, except for the harm they are told to do.
 * Relies on loopback alone.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { ProxyOptions } from './lossy-proxy.ts';
import { createTcpProxy, createUdpProxy } from './lossy-proxy.ts';
import { waitFor } from './wait-for.ts';

const echoThrough = async (t: TestContext, options: ProxyOptions = {}) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy = await createTcpProxy({ host: '127.0.0.1', port }, options);
  t.after(async () => {
    await proxy.close();
    server.close();
  });
  const dial = (): { socket: Socket; received: () => string } => {
    let text = '';
    const socket = connect({ ...proxy.endpoint, allowHalfOpen: true });
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      text += bytes;
    });
    t.after(() => socket.destroy());
    return { socket, received: () => text };
  };
  return { proxy, dial };
};

test('a TCP line passes everything in order, delayed or not, and its end', async (t) => {
  for (const delayMs of [0, 5]) {
    const { dial } = await echoThrough(t, { delayMs });
    const { socket, received } = dial();
    const text = Array.from({ length: 50_000 }, (_, i) => `${i} `).join('');
    socket.end(text);
    await once(socket, 'end');
    assert.equal(received().length, text.length);
    assert.ok(received() === text, 'the same bytes in the same order');
  }
});

test('a TCP line holds bytes for its delay in each direction', async (t) => {
  const { dial } = await echoThrough(t, { delayMs: 30 });
  const { socket, received } = dial();
  await once(socket, 'connect');
  const startedAt = performance.now();
  socket.write('x');
  await waitFor(() => received() === 'x', { what: 'the echo' });
  // Not a measure of speed: a promise that nothing comes early.
  assert.ok(performance.now() - startedAt >= 60);
});

test('a stalled TCP line neither passes nor closes anything, and passes all when it resumes', async (t) => {
  const { proxy, dial } = await echoThrough(t);
  const { socket, received } = dial();
  socket.write('before ');
  await waitFor(() => received() === 'before ', { what: 'the first echo' });
  proxy.stall();
  socket.write('after');
  const other = dial();
  await once(other.socket, 'connect');
  assert.equal(received(), 'before ');
  assert.equal(socket.closed, false);
  proxy.resume();
  await waitFor(() => received() === 'before after', { what: 'the second echo' });
});

test('a cut TCP line resets its connections, and refuses new ones until it is mended', async (t) => {
  const { proxy, dial } = await echoThrough(t);
  const first = dial();
  await waitFor(() => proxy.connections === 1, { what: 'the connection' });
  proxy.cut({ refuse: true });
  await waitFor(() => first.socket.closed, { what: 'the reset' });
  const second = dial();
  await waitFor(() => second.socket.closed, { what: 'the refusal' });
  assert.equal(proxy.connections, 0);
  proxy.mend();
  const third = dial();
  third.socket.write('x');
  await waitFor(() => third.received() === 'x', { what: 'the echo after mending' });
});

test('a UDP line loses the given share, the same with the same random numbers', async (t) => {
  const target = createSocket('udp4');
  target.bind(0, '127.0.0.1');
  await once(target, 'listening');
  target.on('message', (datagram, source) => target.send(datagram, source.port, source.address));
  let n = 0;
  const random = () => (n++ % 4) / 4;
  const proxy = await createUdpProxy(
    { host: '127.0.0.1', port: target.address().port },
    { lossRate: 0.25, random },
  );
  const client = createSocket('udp4');
  t.after(async () => {
    await proxy.close();
    target.close();
    client.close();
  });
  const answers: string[] = [];
  client.on('message', (datagram) => answers.push(String(datagram)));
  const send = (text: string) => client.send(text, proxy.endpoint.port, proxy.endpoint.host);
  send('lost');
  await waitFor(() => proxy.lost === 1, { what: 'the loss of the first datagram' });
  send('kept');
  await waitFor(() => answers.join() === 'kept', { what: 'the echo of the second datagram' });
  proxy.stall();
  send('stalled');
  await waitFor(() => proxy.lost === 2, { what: 'the loss of the third datagram' });
  assert.deepEqual(answers, ['kept']);
});
