import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGatewayLab } from '../testing/gateway-lab.ts';

const codeOf = (answer: { json: unknown }) => (answer.json as { code: string }).code;

test('bodies are checked before the peer sees them', async (t) => {
  const { send } = await startGatewayLab(t);
  const wrong: [string, unknown][] = [
    ['/invites', { role: 'admin' }],
    ['/invites', { uses: 0 }],
    ['/invites', { uses: 1.5 }],
    ['/invites', { unknown: 1 }],
    ['/invites', []],
    ['/join', {}],
    ['/join', { ticket: 5 }],
    ['/join', { ticket: 'x'.repeat(100_000) }],
    ['/tokens', { scope: 'all' }],
    ['/recovery', { again: true }],
  ];
  for (const [path, body] of wrong) {
    const answer = await send({ path, method: 'POST', body: JSON.stringify(body) });
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'bad-input'], `${path} ${JSON.stringify(body)}`);
  }
});

test('an empty body takes the defaults', async (t) => {
  const { send } = await startGatewayLab(t);
  const invite = await send({ path: '/invites', method: 'POST' });
  assert.deepEqual([invite.status, (invite.json as { role: string }).role], [201, 'member']);
  const token = await send({ path: '/tokens', method: 'POST' });
  assert.deepEqual([token.status, (token.json as { scope: string }).scope], [201, 'use']);
});

test('the words come once', async (t) => {
  const { send } = await startGatewayLab(t);
  const first = await send({ path: '/recovery', method: 'POST' });
  assert.deepEqual([first.status, first.json], [200, { words: 'abandon ability able' }]);
  assert.equal(first.header('cache-control'), 'no-store');
  const second = await send({ path: '/recovery', method: 'POST' });
  assert.deepEqual([second.status, codeOf(second)], [410, 'recovery-shown']);
});

test('the description is served with the peer’s version', async (t) => {
  const { send } = await startGatewayLab(t);
  const answer = await send({ path: '/openapi.json' });
  assert.equal((answer.json as { info: { version: string } }).info.version, '0.1.0');
});
