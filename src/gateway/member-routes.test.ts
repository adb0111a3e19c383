import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atticId, goneId } from '../testing/fake-governance.ts';
import { startGatewayLab } from '../testing/gateway-lab.ts';

const codeOf = (answer: { json: unknown }) => (answer.json as { code: string }).code;

test('bodies are checked before anything is governed by them', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  const wrong: ['POST' | 'PUT', string, unknown][] = [
    ['POST', '/grants', {}],
    ['POST', '/grants', { subject: 'attic', operations: ['fly'] }],
    ['POST', '/grants', { subject: 'attic', things: Array(65).fill('lamp') }],
    ['POST', '/grants', { subject: 'attic', from: 'tomorrow' }],
    ['POST', '/grants', { subject: 'attic', forMs: 0 }],
    ['PUT', '/members/attic/role', { role: 'king' }],
    ['PUT', '/members/attic/role', { role: 'member', before: 5 }],
    ['PUT', '/restrictions/lamp', {}],
    ['POST', '/revocations', { subject: '' }],
    ['POST', '/replacements', { old: 'attic', by: 'hall' }],
    ['POST', '/recover', { words: 'x'.repeat(2000) }],
    ['POST', '/leave', { confirm: 'yes' }],
  ];
  for (const [method, path, body] of wrong) {
    const answer = await send({ path, method, body: JSON.stringify(body) });
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'bad-input'], `${path} ${JSON.stringify(body)}`);
  }
  assert.deepEqual(peer.governance.asked, []);
});

test('governing needs a token that may manage', async (t) => {
  const { url } = await startGatewayLab(t);
  for (const path of ['/members', '/invites', '/grants']) {
    const ask = (token: string) => fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual([(await ask('use-token')).status, (await ask('manage-token')).status], [403, 200], path);
  }
});

test('the client governs through every route', async (t) => {
  const { client, peer } = await startGatewayLab(t);
  const { governance } = client;
  assert.deepEqual(await governance.members(), peer.governance.members());
  assert.ok((await governance.members({ all: true })).some(({ peer: id }) => id === goneId));
  assert.deepEqual(await governance.invites(), peer.governance.invites());
  assert.deepEqual(await governance.grants(), peer.governance.grants());
  assert.equal(
    (await governance.grant({ subject: 'attic', things: ['hall/lamp'], forMs: 5 })).subject,
    'attic',
  );
  assert.deepEqual(await governance.restrict('hall/lamp', true), { thing: 'hall/lamp', restricted: true });
  const before = '2026-05-01T00:00:00.000Z';
  assert.equal((await governance.setRole('attic', 'admin', { before })).inForce, false);
  await assert.rejects(governance.setRole('nobody', 'guest'), { code: 'peer-unknown' });
  assert.equal((await governance.revoke(atticId)).what, 'peer');
  assert.equal((await governance.replace('attic')).old, atticId);
  await governance.replace('attic', 'hall');
  assert.deepEqual((await governance.recover({ words: 'a b c', keep: ['hall'] })).removed, [atticId]);
  assert.deepEqual(peer.governance.asked, [
    { subject: 'attic', things: ['hall/lamp'], forMs: 5 },
    { thing: 'hall/lamp', restricted: true },
    { peer: 'attic', role: 'admin', beforeMs: Date.parse(before) },
    { peer: 'nobody', role: 'guest' },
    { subject: atticId },
    { old: 'attic' },
    { old: 'attic', by: 'hall' },
    { words: 'a b c', keep: ['hall'] },
  ]);
});

test('who leaves has the answer before its program is told to end', async (t) => {
  let ended = false;
  const { client } = await startGatewayLab(t, {
    onLeft: () => {
      ended = true;
    },
  });
  await assert.rejects(client.governance.leave(), { code: 'admins-too-few' });
  assert.equal(ended, false);
  assert.equal((await client.governance.leave({ confirm: true })).archive, '/home/left-2025');
});
