import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../client/sse-parser.ts';
import { AlthingError } from '../core/errors.ts';
import { lampId } from '../testing/fake-peer.ts';
import { type GatewayLab, startGatewayLab } from '../testing/gateway-lab.ts';
import { waitFor } from '../testing/wait-for.ts';

const levelPath = `/things/${lampId}/properties/level`;

/** An SSE exchange, message by message. */
const open = async (lab: GatewayLab, path: string, headers: Record<string, string> = {}) => {
  const left = new AbortController();
  const response = await lab.transport({
    method: 'GET',
    path,
    headers: { accept: 'text/event-stream', ...headers },
    signal: left.signal,
  });
  const parser = new SseParser();
  const chunks = response.body[Symbol.asyncIterator]();
  const ready: { event: string; id: string; data: unknown }[] = [];
  const next = async () => {
    while (ready.length === 0) {
      const { done, value } = await chunks.next();
      if (done) return undefined;
      for (const message of parser.push(value)) ready.push({ ...message, data: JSON.parse(message.data) });
    }
    return ready.shift();
  };
  return { status: response.status, header: response.header, next, leave: () => left.abort() };
};

test('an observation names its messages after the property and numbers them', async (t) => {
  const lab = await startGatewayLab(t);
  const stream = await open(lab, levelPath);
  assert.equal(stream.header('content-type'), 'text/event-stream');
  lab.peer.emit('level', 11);
  lab.peer.emit('level', 12);
  assert.deepEqual(await stream.next(), { event: 'level', id: 'r1:1', data: 11 });
  assert.deepEqual(await stream.next(), { event: 'level', id: 'r1:2', data: 12 });
  stream.leave();
  await waitFor(() => lab.peer.openStreams === 0, { what: 'the stream to be stopped' });
});

test('a reader that comes back learns what it missed, and nothing false', async (t) => {
  const lab = await startGatewayLab(t);
  for (let i = 1; i <= 5; i++) lab.peer.emit('level', i);
  const missedSince = async (id: string) => {
    const stream = await open(lab, levelPath, { 'last-event-id': id });
    lab.peer.emit('level', 50);
    const first = await stream.next();
    stream.leave();
    return first?.event === 'level' ? 'nothing' : (first?.data as { details: object } | undefined)?.details;
  };
  assert.deepEqual(await missedSince('r1:2'), { missed: 3 });
  assert.deepEqual(await missedSince('r1:6'), 'nothing');
  assert.deepEqual(await missedSince('r0:6'), { missed: null });
  assert.deepEqual(await missedSince('nonsense'), 'nothing');
});

test('values-missed goes on, any other error ends the stream', async (t) => {
  const lab = await startGatewayLab(t);
  const stream = await open(lab, `/things/${lampId}/events/overheated`);
  lab.peer.fail('overheated', new AlthingError('values-missed', 'Lost.', { details: { missed: 2 } }));
  lab.peer.emit('overheated', 90);
  lab.peer.fail('overheated', new AlthingError('thing-unknown', 'It is gone.'));
  const codes: unknown[] = [];
  for (let message = await stream.next(); message; message = await stream.next())
    codes.push(message.event, (message.data as { code?: string }).code ?? message.data);
  assert.deepEqual(codes, [
    'althing:problem',
    'values-missed',
    'overheated',
    90,
    'althing:problem',
    'thing-unknown',
  ]);
});

test('a reader that stops reading holds no more than its bound, and is told when it reads on', async (t) => {
  const lab = await startGatewayLab(t, { sse: { maxQueuedBytes: 64 * 1024 } });
  const stream = await open(lab, levelPath);
  const text = 'x'.repeat(10_000);
  // More than the sockets of any system hold between the two sides.
  const total = 5000;
  for (let i = 0; i < total; i++) {
    lab.peer.emit('level', text);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  let kept = 0;
  let missed = 0;
  while (kept + missed < total) {
    const message = await stream.next();
    assert.ok(message);
    if (message.event === 'level') kept += 1;
    else missed += (message.data as { details: { missed: number } }).details.missed;
  }
  assert.ok(missed > 0 && kept > 0);
  lab.peer.emit('level', 'last');
  assert.equal((await stream.next())?.data, 'last');
});

test('a long poll gives the next value, and a HEAD none', async (t) => {
  const lab = await startGatewayLab(t);
  const head = await lab.send({ path: `${levelPath}/next`, method: 'HEAD' as 'GET' });
  assert.deepEqual([head.status, lab.peer.openStreams], [200, 0]);
  const poll = lab.send({ path: `${levelPath}/next` });
  await waitFor(() => lab.peer.openStreams === 1, { what: 'the poll to arrive' });
  lab.peer.fail('level', new AlthingError('values-missed', 'Lost.'));
  lab.peer.emit('level', 77);
  assert.equal((await poll).text, '77');
  assert.equal(lab.peer.openStreams, 0);
});

test('a long poll that is left, fails or outlives the gateway ends at the device too', async (t) => {
  const lab = await startGatewayLab(t);
  const left = new AbortController();
  const polls = [
    lab.send({ path: `${levelPath}/next`, signal: left.signal }),
    lab.send({ path: `/things/${lampId}/events/overheated/next` }),
    lab.send({ path: `/things/${lampId}/properties/on/next` }),
  ];
  const settled = Promise.allSettled(polls);
  await waitFor(() => lab.peer.openStreams === 3, { what: 'the polls to arrive' });
  left.abort();
  await waitFor(() => lab.peer.openStreams === 2, { what: 'the first to be stopped' });
  lab.peer.fail('overheated', new AlthingError('peer-offline', 'Away.'));
  assert.equal((await polls[1])?.status, 503);
  await lab.gateway.close();
  await waitFor(() => lab.peer.openStreams === 0, { what: 'the last to be stopped' });
  await settled;
});

test('streams beyond the limit are refused, and places come back', async (t) => {
  const lab = await startGatewayLab(t, { sse: { maxStreams: 2 } });
  const first = await open(lab, levelPath);
  await open(lab, '/activity');
  const refused = await lab.send({ path: '/events' });
  assert.deepEqual([refused.status, (refused.json as { code: string }).code], [429, 'too-many']);
  first.leave();
  await waitFor(() => lab.peer.openStreams === 0, { what: 'the place to come back' });
  assert.equal((await open(lab, levelPath)).status, 200);
});

test('a device that refuses leaves no place taken', async (t) => {
  const lab = await startGatewayLab(t, { sse: { maxStreams: 1 } });
  lab.peer.failure = new AlthingError('forbidden', 'Not you.');
  for (let i = 0; i < 3; i++)
    assert.equal((await lab.send({ path: levelPath, headers: { accept: 'text/event-stream' } })).status, 403);
  lab.peer.failure = undefined;
  assert.equal((await open(lab, levelPath)).status, 200);
});

test('HEAD on a stream opens nothing', async (t) => {
  const lab = await startGatewayLab(t);
  for (const path of ['/events', '/activity', `/things/${lampId}/events/overheated`]) {
    const head = await lab.send({ path, method: 'HEAD' as 'GET' });
    assert.deepEqual([head.status, head.header('content-type')], [200, 'text/event-stream']);
  }
  assert.deepEqual([lab.peer.openStreams, lab.peer.openListeners], [0, 0]);
});

test('a stream whose token is revoked ends with a word about it, and a long poll too; others go on', async (t) => {
  const lab = await startGatewayLab(t);
  const { token, id } = await lab.peer.tokens.create('read');
  const headers = { authorization: `Bearer ${token}` };
  const theirs = await fetch(lab.url + levelPath, { headers: { ...headers, accept: 'text/event-stream' } });
  const poll = fetch(`${lab.url}${levelPath}/next`, { headers });
  const ours = await open(lab, levelPath);
  await waitFor(() => lab.peer.openStreams === 3, { what: 'the streams' });
  assert.equal((await lab.send({ method: 'DELETE', path: `/tokens/${id}` })).status, 204);
  assert.match(await theirs.text(), /event: althing:problem\n.*unauthorized/);
  assert.equal((await poll).status, 401);
  lab.peer.emit('level', 3);
  assert.equal((await ours.next())?.data, 3);
  ours.leave();
});
