import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../core/logger.ts';
import { FakePeer, lampId } from '../testing/fake-peer.ts';
import { startGatewayLab, testDirectory } from '../testing/gateway-lab.ts';
import { startGateway } from './server.ts';

const start = (socketPath: string, http?: { host: string; port: number }) =>
  startGateway(new FakePeer(), { socketPath, logger: silentLogger, ...(http && { http }) });

test('the socket is its owner’s alone, and gone after close', async (t) => {
  const path = join(await testDirectory(t), 'gateway.sock');
  const gateway = await start(path);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(gateway.http, null);
  await gateway.close();
  await gateway.close();
  await assert.rejects(lstat(path), { code: 'ENOENT' });
});

test('connections of before HTTP is there are served, and all end with the gateway', async (t) => {
  const path = join(await testDirectory(t), 'gateway.sock');
  const gateway = await start(path);
  t.after(() => gateway.close());
  const silent = connect(path);
  const asking = Array.from({ length: 20 }, () => {
    const socket = connect(path);
    socket.write('GET /peers HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return socket;
  });
  for (const socket of asking) assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /);
  const ended = Promise.all([silent, ...asking].map((socket) => once(socket.resume(), 'close')));
  await gateway.close();
  await ended;
});

test('the socket file of a dead process is replaced', async (t) => {
  const path = join(await testDirectory(t), 'gateway.sock');
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', program]), 'exit');
  assert.ok((await lstat(path)).isSocket());
  const gateway = await start(path);
  t.after(() => gateway.close());
});

test('a living process keeps its socket', async (t) => {
  const path = join(await testDirectory(t), 'gateway.sock');
  const first = await start(path);
  t.after(() => first.close());
  await assert.rejects(start(path), { code: 'home-in-use' });
  assert.ok((await lstat(path)).isSocket());
});

test('what is no socket is left alone', async (t) => {
  const path = join(await testDirectory(t), 'gateway.sock');
  await writeFile(path, 'precious');
  await assert.rejects(start(path), { code: 'listen-failed' });
  assert.ok((await lstat(path)).isFile());
});

test('places that cannot be listened on are listen-failed', async (t) => {
  const directory = await testDirectory(t);
  await assert.rejects(start(join(directory, 'none', 'gateway.sock')), { code: 'listen-failed' });
  await assert.rejects(start(join(directory, 'x'.repeat(120))), { code: 'listen-failed' });
  await assert.rejects(start(join(directory, 'a'), { host: '203.0.113.1', port: 0 }), {
    code: 'listen-failed',
  });
  await assert.rejects(lstat(join(directory, 'a')), { code: 'ENOENT' });
});

test('a taken port is port-in-use, and the unix socket is given back', async (t) => {
  const directory = await testDirectory(t);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const path = join(directory, 'gateway.sock');
  await assert.rejects(start(path, { host: '127.0.0.1', port }), { code: 'port-in-use' });
  await assert.rejects(lstat(path), { code: 'ENOENT' });
});

test('unknown paths are 404 problems, known paths with other methods 405 with what is allowed', async (t) => {
  const lab = await startGatewayLab(t);
  const unknown = await lab.send({ path: '/nothing' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.header('content-type'), 'application/problem+json');
  assert.deepEqual(unknown.json, {
    type: 'urn:althing:error:not-found',
    title: 'Not found',
    status: 404,
    detail: 'There is nothing at /nothing. GET /openapi.json lists every path.',
    code: 'not-found',
  });
  const wrong = await lab.send({ path: '/things', method: 'DELETE' });
  assert.equal(wrong.status, 405);
  assert.equal(wrong.header('allow'), 'GET, HEAD');
});

test('a body past 1 MiB is 413, declared or not, and never reaches the device', async (t) => {
  const lab = await startGatewayLab(t);
  const path = `/things/${lampId}/actions/add`;
  const send = (chunked: boolean) =>
    new Promise<number | undefined>((resolve, reject) => {
      const body = Buffer.alloc(1024 * 1024 + 1, 0x20);
      const outgoing = request(
        {
          socketPath: lab.gateway.socket,
          method: 'POST',
          path,
          headers: chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length },
        },
        (incoming) => resolve(incoming.resume().statusCode),
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  assert.equal(await send(false), 413);
  assert.equal(await send(true), 413);
  assert.equal(lab.peer.calls.length, 0);
  const fits = await lab.send({ method: 'POST', path, body: '{"a":1}'.padStart(1024 * 1024) });
  assert.equal(fits.status, 200);
});

test('bodies that are not JSON are bad-input', async (t) => {
  const lab = await startGatewayLab(t);
  const put = (body: string, type?: string) =>
    lab.send({
      method: 'PUT',
      path: `/things/${lampId}/properties/on`,
      body,
      headers: type ? { 'content-type': type } : {},
    });
  for (const answer of [
    await put('{'),
    await put(''),
    await put('true', 'application/x-www-form-urlencoded'),
  ])
    assert.deepEqual([answer.status, (answer.json as { code: string }).code], [400, 'bad-input']);
  assert.equal((await put('true')).status, 204);
});

test('a bug in the peer is a 500 problem and is logged', async (t) => {
  const logged: string[] = [];
  const logger = {
    ...silentLogger,
    error: (_: object, text: string) => logged.push(text),
    child: () => logger,
  };
  const lab = await startGatewayLab(t, { logger });
  lab.peer.peers = () => {
    throw new TypeError('oops');
  };
  const answer = await lab.send({ path: '/peers' });
  assert.deepEqual([answer.status, (answer.json as { code: string }).code], [500, 'internal']);
  assert.deepEqual(logged, ['a request failed']);
});
