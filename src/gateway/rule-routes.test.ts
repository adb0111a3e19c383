import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGatewayLab } from '../testing/gateway-lab.ts';

const codeOf = (answer: { json: unknown }) => (answer.json as { code: string }).code;

test('bodies and queries are checked before anything is automated by them', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  const wrong: ['GET' | 'POST' | 'PUT', string, unknown?][] = [
    ['PUT', '/rules', {}],
    ['PUT', '/rules', { yaml: 5 }],
    ['PUT', '/rules/x/enabled', { enabled: 'yes' }],
    ['POST', '/rules/x/firings', { data: 1 }],
    ['POST', '/rules/x/test', { trigger: 1 }],
    ['GET', '/rules/x/executions?limit=0'],
    ['GET', '/activity/kept?limit=many'],
    ['PUT', '/scenes/evening', { things: ['lamp', ''] }],
    ['PUT', '/place', { zone: '' }],
    ['PUT', '/place', { latitude: '52' }],
  ];
  for (const [method, path, body] of wrong) {
    const answer = await send({ path, method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'bad-input'], `${path} ${JSON.stringify(body)}`);
  }
  assert.deepEqual(peer.rules.asked, []);
});

test('looking at rules needs a token that reads, firing one that uses, changing one that manages', async (t) => {
  const { url } = await startGatewayLab(t);
  const statuses = (method: string, path: string, body?: unknown) =>
    Promise.all(
      ['read', 'use', 'manage'].map(async (scope) => {
        const headers = { authorization: `Bearer ${scope}-token`, 'content-type': 'application/json' };
        const answer = await fetch(url + path, {
          method,
          headers,
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        return answer.status;
      }),
    );
  for (const path of ['/rules', '/rules/hall-light-on-motion', '/why/lamp', '/scenes', '/place'])
    assert.deepEqual(await statuses('GET', path), [200, 200, 200], path);
  assert.deepEqual(await statuses('POST', '/rules/hall-light-on-motion/test', {}), [200, 200, 200]);
  assert.deepEqual(await statuses('POST', '/rules/hall-light-on-motion/firings', {}), [403, 201, 201]);
  assert.deepEqual(await statuses('POST', '/scenes/evening/apply'), [403, 200, 200]);
  assert.deepEqual(await statuses('PUT', '/rules', { yaml: 'name: x' }), [403, 403, 200]);
  assert.deepEqual(await statuses('DELETE', '/rules/hall-light-on-motion'), [403, 403, 204]);
});

test('the client automates through every route', async (t) => {
  const { client, peer } = await startGatewayLab(t);
  const { rules } = client;
  const name = 'Hall light on motion';
  assert.deepEqual(await rules.list(), [peer.rules.info]);
  assert.equal((await rules.show(name)).yaml, 'name: Hall light on motion\n');
  assert.equal((await rules.apply('name: x'))[0]!.warnings[0]!.line, 4);
  await rules.remove(name);
  assert.equal((await rules.setEnabled(name, false)).enabled, false);
  assert.equal((await rules.fire(name, { x: 1 })).firing, `manual/${name}/1`);
  await rules.fire(name);
  assert.equal((await rules.test(name, { trigger: 'bell', event: null })).runs, true);
  assert.deepEqual((await rules.trace(name, { limit: 3 })).executions, [peer.rules.execution]);
  assert.equal((await rules.why('lamp')).sentences.length, 2);
  assert.deepEqual(
    (await rules.activity({ limit: 2 })).map(({ kind }) => kind),
    ['obeyed', 'rule-ended'],
  );
  assert.deepEqual(await rules.scenes(), [peer.rules.scene]);
  assert.equal((await rules.saveScene('evening', { room: 'hall' })).name, 'evening');
  assert.equal((await rules.applyScene('evening')).results.length, 2);
  await rules.removeScene('evening');
  assert.equal((await rules.place()).zone, 'Europe/Berlin');
  assert.equal((await rules.setPlace({ latitude: null })).latitude, null);
  assert.deepEqual(peer.rules.asked, [
    { yaml: 'name: x' },
    { remove: name },
    { rule: name, enabled: false },
    { fire: name, input: { x: 1 } },
    { fire: name },
    { test: name, trigger: 'bell', event: null },
    { trace: name, limit: 3 },
    { limit: 2 },
    { scene: 'evening', room: 'hall' },
    { removeScene: 'evening' },
    { latitude: null },
  ]);
});

test('what is wrong with a text comes with its places', async (t) => {
  const { client } = await startGatewayLab(t);
  await assert.rejects(client.rules.apply('nonsense'), (error: { code: string; details: unknown }) => {
    assert.equal(error.code, 'rule-invalid');
    assert.deepEqual(error.details, {
      problems: [
        { line: 3, column: 5, message: 'it is wrong' },
        { line: 9, column: 1, message: 'this too' },
      ],
    });
    return true;
  });
  await assert.rejects(client.rules.show('none'), { code: 'rule-unknown' });
  await assert.rejects(client.rules.why('none'), { code: 'thing-unknown' });
  await assert.rejects(client.rules.applyScene('none'), { code: 'scene-unknown' });
});
