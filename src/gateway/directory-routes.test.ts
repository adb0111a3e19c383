import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakePeerId, lampId, lampTd } from '../testing/fake-peer.ts';
import { startGatewayLab } from '../testing/gateway-lab.ts';

type Td = { id: string; base: string; title: string };

const manyThings = Array.from({ length: 5 }, (_, i) => ({
  ...lampTd,
  id: `urn:althing:${fakePeerId}:lamp-${i}`,
  title: `Lamp ${i}`,
}));

test('the directory describes itself', async (t) => {
  const { send } = await startGatewayLab(t);
  const answer = await send({ path: '/.well-known/wot' });
  assert.equal(answer.header('content-type'), 'application/td+json');
  const td = answer.json as { '@type': string; events: object };
  assert.equal(td['@type'], 'ThingDirectory');
  assert.deepEqual(Object.keys(td.events), ['thingCreated', 'thingUpdated', 'thingDeleted']);
});

test('a TD is given with forms for the way that it was asked for', async (t) => {
  const lab = await startGatewayLab(t);
  const overSocket = (await lab.send({ path: `/things/${lampId}` })).json as Td;
  assert.equal(overSocket.base, `http+unix://${encodeURIComponent(lab.gateway.socket)}/things/${lampId}/`);
  const response = await fetch(`${lab.url}/things/${lampId}`, {
    headers: { authorization: 'Bearer read-token' },
  });
  assert.equal(response.headers.get('content-type'), 'application/td+json');
  assert.equal(((await response.json()) as Td).base, `${lab.url}/things/${lampId}/`);
  const head = await lab.send({ path: `/things/${lampId}`, method: 'HEAD' as 'GET' });
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('pages lead through all Things, each once', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  peer.descriptions = [...manyThings].reverse();
  const seen: string[] = [];
  let path: string | undefined = '/things?limit=2&type=Light';
  while (path) {
    const answer = await send({ path });
    assert.equal(answer.header('content-type'), 'application/ld+json');
    seen.push(...(answer.json as Td[]).map((td) => td.title));
    assert.match(answer.header('link') ?? '', /<\/things>; rel="canonical"/);
    path = /<([^>]+)>; rel="next"/.exec(answer.header('link') ?? '')?.[1];
  }
  assert.deepEqual(seen, ['Lamp 0', 'Lamp 1', 'Lamp 2', 'Lamp 3', 'Lamp 4']);
});

test('all Things in one answer are one JSON array, however many pieces it is written in', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  for (const count of [0, 16, 17, 50]) {
    peer.descriptions = Array.from({ length: count }, (_, i) => ({
      ...lampTd,
      id: `urn:althing:${fakePeerId}:lamp-${100 + i}`,
    }));
    const answer = await send({ path: '/things' });
    assert.equal(answer.header('content-type'), 'application/ld+json');
    assert.deepEqual(
      (answer.json as Td[]).map(({ id }) => id),
      peer.descriptions.map(({ id }) => id),
    );
  }
});

test('the collection format tells total and next', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  peer.descriptions = manyThings;
  const page = (await send({ path: '/things?limit=2&offset=2&format=collection' })).json as {
    '@type': string;
    total: number;
    members: Td[];
    next: string;
  };
  assert.deepEqual([page['@type'], page.total, page.members.length], ['ThingCollection', 5, 2]);
  assert.equal(page.next, '/things?limit=2&offset=4&format=collection');
});

test('pages that make no sense are bad-input', async (t) => {
  const { send } = await startGatewayLab(t);
  for (const query of ['limit=0', 'limit=x', 'offset=-1', 'offset=1.5', 'format=xml'])
    assert.equal((await send({ path: `/things?${query}` })).status, 400, query);
});

test('filters and the summary view', async (t) => {
  const { send } = await startGatewayLab(t);
  assert.deepEqual((await send({ path: '/things?view=summary&q=LAM&type=Light' })).json, [
    { id: lampId, title: 'Lamp', types: ['Light'], peer: fakePeerId, online: true },
  ]);
  assert.deepEqual((await send({ path: '/things?q=door' })).json, []);
});

test('names resolve, or say why not', async (t) => {
  const { send, peer } = await startGatewayLab(t);
  for (const name of ['lamp', 'hall%2Flamp', lampId])
    assert.equal(((await send({ path: `/resolve/${name}` })).json as Td).id, lampId);
  assert.equal((await send({ path: '/resolve/door' })).status, 404);
  peer.descriptions = [lampTd, { ...lampTd, id: 'urn:other' }];
  const ambiguous = await send({ path: '/resolve/lamp' });
  assert.equal(ambiguous.status, 409);
  assert.deepEqual((ambiguous.json as { details: object }).details, { candidates: [lampId, 'urn:other'] });
});

test('changes are streamed by kind, and diffs refused', async (t) => {
  const { send, client, peer } = await startGatewayLab(t);
  const all = await client.directoryChanges();
  peer.changeDirectory({ kind: 'thing_created', td: lampTd });
  peer.changeDirectory({ kind: 'thing_deleted', td: lampTd });
  assert.deepEqual((await all.next()).value, { kind: 'thing_created', id: lampId });
  assert.deepEqual((await all.next()).value, { kind: 'thing_deleted', id: lampId });
  await all.return();
  assert.equal((await send({ path: '/events?diff=true' })).status, 400);
  assert.equal((await send({ path: '/events/thing_moved' })).status, 404);
});
