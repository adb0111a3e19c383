import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { lampId } from '../testing/fake-peer.ts';
import { startGatewayLab } from '../testing/gateway-lab.ts';
import { checkHost, checkOrigin } from './auth.ts';

/** One request over TCP: the status and the problem's code. */
const tcp = async (t: TestContext) => {
  const lab = await startGatewayLab(t);
  const { port } = new URL(lab.url);
  const ask = (path: string, headers: Record<string, string>, method = 'GET') =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; code: string | undefined }>(
      (resolve, reject) => {
        const outgoing = request({ host: '127.0.0.1', port, path, method, headers }, async (incoming) => {
          const text = (await incoming.toArray()).join('');
          const problem = incoming.headers['content-type'] === 'application/problem+json';
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            code: problem && text ? JSON.parse(text).code : undefined,
          });
        });
        outgoing.on('error', reject);
        outgoing.end();
      },
    );
  return { lab, port, ask };
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test('over TCP nothing is open: no token and unknown tokens are 401 with a challenge', async (t) => {
  const { ask } = await tcp(t);
  for (const path of ['/peer', '/things', '/.well-known/wot', '/openapi.json', '/nothing', '/tokens'])
    for (const headers of [{}, bearer('guess'), { authorization: 'Basic eDp5' }, bearer('x'.repeat(5000))]) {
      const answer = await ask(path, headers);
      assert.deepEqual([answer.status, answer.code], [401, 'unauthorized'], path);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="althing"');
    }
});

test('each scope includes the ones before it, and no more', async (t) => {
  const { ask } = await tcp(t);
  const property = `/things/${lampId}/properties/on`;
  const status = async (token: string, method: string, path: string) =>
    (await ask(path, bearer(token), method)).status;
  assert.equal(await status('read-token', 'GET', property), 200);
  assert.equal(await status('read-token', 'PUT', property), 403);
  assert.equal(await status('read-token', 'POST', `/things/${lampId}/actions/toggle`), 403);
  assert.equal(await status('use-token', 'POST', `/things/${lampId}/actions/toggle`), 204);
  for (const [method, path] of [
    ['POST', '/invites'],
    ['POST', '/join'],
    ['GET', '/tokens'],
    ['POST', '/tokens'],
    ['DELETE', '/tokens/x'],
    ['POST', '/recovery'],
  ] as const) {
    assert.equal(await status('use-token', method, path), 403, path);
    assert.notEqual(await status('manage-token', method, path), 403, path);
  }
});

test('a revoked token stops working', async (t) => {
  const { ask, lab } = await tcp(t);
  assert.equal((await ask('/peer', bearer('use-token'))).status, 200);
  await lab.client.revokeToken('use-token');
  assert.equal((await ask('/peer', bearer('use-token'))).status, 401);
});

test('foreign host names and origins are refused over TCP', async (t) => {
  const { ask, port } = await tcp(t);
  const status = async (headers: Record<string, string>) =>
    (await ask('/peer', { ...bearer('read-token'), ...headers })).status;
  assert.equal(await status({ host: `127.0.0.1:${port}` }), 200);
  assert.equal(await status({ host: `localhost:${port}` }), 200);
  assert.equal(await status({ host: `evil.example:${port}` }), 403);
  assert.equal(await status({ origin: `http://127.0.0.1:${port}` }), 200);
  assert.equal(await status({ origin: 'http://evil.example' }), 403);
  assert.equal(await status({ origin: 'null' }), 403);
  const preflight = await ask('/peer', { origin: 'http://evil.example' }, 'OPTIONS');
  assert.equal(preflight.status, 403);
  assert.equal(preflight.headers['access-control-allow-origin'], undefined);
});

test('hosts: addresses, localhost, .local and the listening host pass, everything else does not', () => {
  const refused = { code: 'forbidden' };
  for (const host of [
    '192.168.1.5',
    '192.168.1.5:80',
    '[::1]:7420',
    'LocalHost.:7420',
    'hall.local',
    'my.host:1',
  ])
    checkHost(host, 'my.host');
  for (const host of [
    undefined,
    '',
    'evil.example',
    'local',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '[x]',
  ])
    assert.throws(() => checkHost(host, '0.0.0.0'), refused, String(host));
});

test('origins: absent and own pass', () => {
  checkOrigin(undefined, 'a:1');
  checkOrigin('http://a:1', 'A:1');
  assert.throws(() => checkOrigin('https://a:1', 'a:1'), { code: 'forbidden' });
  assert.throws(() => checkOrigin('http://', undefined), { code: 'forbidden' });
});
