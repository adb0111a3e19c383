/**
 * The promises of a running peer as a program: it gets ready, serves its Things, keeps its identity, and ends well.
 * Relies on real processes on loopback.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { errorTable } from '../../src/core/errors.ts';
import { ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
let scripts = '';
before(async () => {
  scripts = await mkdtemp(join(tmpdir(), 'althing-scripts-'));
  await writeFile(join(scripts, 'lamp.mjs'), lampScript);
  await writeFile(join(scripts, 'broken.mjs'), `throw new Error('broken from the start');`);
});
after(async () => {
  await lab.close();
  await rm(scripts, { recursive: true, force: true });
});

const lampScript = `export default async (wot) => {
  let on = false;
  const lamp = await wot.produce({
    title: 'Lamp',
    '@type': 'Light',
    properties: { on: { type: 'boolean', observable: true } },
    actions: { toggle: { output: { type: 'boolean' } } },
  });
  lamp.setPropertyReadHandler('on', async () => on);
  lamp.setPropertyWriteHandler('on', async (input) => { on = await input.value(); });
  lamp.setActionHandler('toggle', async () => {
    on = !on;
    await lamp.emitPropertyChange('on');
    return on;
  });
  await lamp.expose();
};`;
const lampFile = () => join(scripts, 'lamp.mjs');

test('a peer says when it is ready, where it listens, and nothing else on stdout; its log is JSON, a line an entry', async () => {
  const peer = await lab.startPeer({ name: 'hall' });
  assert.equal(peer.ready.ready, true);
  assert.equal(peer.ready.name, 'hall');
  assert.match(peer.ready.peer, /^z6Mk/);
  assert.match(peer.ready.listen[0]!, /^127\.0\.0\.1:\d+$/);
  assert.equal(peer.ready.gateway.http, null);
  assert.ok(existsSync(peer.ready.gateway.socket));
  const peers = (await peer.cli('peers')) as { peer: string; state: string }[];
  assert.deepEqual(
    peers.map(({ peer: id, state }) => [id, state]),
    [[peer.id, 'self']],
  );
  await peer.kill('SIGTERM');
  assert.equal(peer.process.exitCode, 0);
  assert.equal(peer.process.lines.length, 1);
  assert.equal(existsSync(peer.ready.gateway.socket), false);
  const lines = peer.process.stderr.trimEnd().split('\n');
  for (const line of lines) assert.equal(typeof JSON.parse(line).msg, 'string', line);
});

test('a peer keeps its identity and its fabric over kills, and one home runs one peer', async () => {
  const peer = await lab.startPeer();
  const first = peer.ready;
  await peer.restart('SIGKILL');
  assert.deepEqual([peer.ready.peer, peer.ready.fabric], [first.peer, first.fabric]);
  const second = await peer.run('up', '--listen', '127.0.0.1:0', '--no-mdns', '--no-system');
  assert.equal(second.error?.code, 'home-in-use');
  assert.equal(second.exitCode, errorTable['home-in-use'].exit);
  assert.equal(((await peer.cli('peers')) as unknown[]).length, 1);
  await peer.kill('SIGINT');
  assert.equal(peer.process.exitCode, 0);
});

test('the gateway is on TCP where that was asked for, and a token opens it; the machine itself is a Thing', async () => {
  const peer = await lab.startPeer({ system: true, args: ['--http', '127.0.0.1:0'] });
  const { http } = peer.ready.gateway;
  assert.equal((await fetch(`${http}/things`)).status, 401);
  const { token } = (await peer.cli('token', '--scope', 'read')) as { token: string };
  const answer = await fetch(`${http}/things`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
  assert.equal(((await answer.json()) as unknown[]).length, 1);
});

test('a script’s Things are there when the peer is ready, and a broken script takes nothing along', async () => {
  const peer = await lab.startPeer({
    args: ['--things', join(scripts, 'broken.mjs'), '--things', lampFile()],
  });
  const things = (await peer.cli('things')) as { title: string }[];
  assert.deepEqual(
    things.map(({ title }) => title),
    ['Lamp'],
  );
  assert.equal(await peer.cli('write', 'lamp', 'on', 'true'), null);
  assert.equal(await peer.cli('read', 'lamp', 'on'), true);
  assert.equal(await peer.cli('invoke', 'lamp', 'toggle'), false);
  assert.match(peer.process.stderr, /broken from the start/);
});

test('a device joins by a ticket and uses the other’s Things', async () => {
  const hall = await lab.startPeer({ name: 'hall', args: ['--things', lampFile()] });
  const attic = await lab.startPeer({ name: 'attic' });
  const { ticket } = (await hall.cli('invite')) as { ticket: string };
  const joined = (await attic.cli('join', ticket)) as { fabric: string; role: string };
  assert.deepEqual([joined.fabric, joined.role], [hall.ready.fabric, 'member']);
  await waitFor(async () => ((await attic.cli('things')) as unknown[]).length === 1, {
    what: () => attic.process.describe('to see the Thing'),
  });
  assert.equal(await attic.cli('invoke', 'hall/lamp', 'toggle'), true);
  const observing = attic.stream('observe', 'lamp', 'on');
  // The first value proves that the observation stands: it is asked for until one arrives.
  await waitFor(
    async () => {
      await hall.cli('invoke', 'lamp', 'toggle');
      return observing.lines.length > 0;
    },
    { what: () => observing.describe('to show a value') },
  );
  assert.equal(typeof observing.values[0], 'boolean');
});

test('a device joins before its peer runs, and is a member when it does', async () => {
  const hall = await lab.startPeer({ name: 'hall' });
  const { ticket } = (await hall.cli('invite')) as { ticket: string };
  const home = await lab.makeHome();
  const { json, stderr } = await lab.run(home, ['join', ticket, '--name', 'attic']);
  assert.equal((json as { fabric: string } | undefined)?.fabric, hall.ready.fabric, stderr);
  const attic = await lab.startPeer({ home });
  assert.equal(attic.ready.fabric, hall.ready.fabric);
  assert.equal(attic.ready.name, 'attic');
  await waitFor(
    async () =>
      ((await hall.cli('peers')) as { name: string; state: string }[]).some(
        ({ name, state }) => name === 'attic' && state === 'online',
      ),
    { what: () => attic.process.describe('to be seen online') },
  );
});

test('a ticket that is none is refused, running or not', async () => {
  const home = await lab.makeHome();
  assert.equal((await lab.run(home, ['join', 'althing:nonsense'])).error?.code, 'ticket-invalid');
  const peer = await lab.startPeer({ home });
  assert.equal((await peer.run('join', 'althing:nonsense')).error?.code, 'ticket-invalid');
});

test('init makes identity and fabric, and recovery shows the words once', async () => {
  const home = await lab.makeHome();
  const { json } = await lab.run(home, ['init', '--fabric', 'home', '--name', 'hall']);
  const made = json as { peer: string; fabric: string };
  const words = await lab.run(home, ['recovery']);
  assert.equal((words.json as { words: string }).words.split(' ').length, 24);
  assert.equal((await lab.run(home, ['recovery'])).error?.code, 'recovery-shown');
  const peer = await lab.startPeer({ home });
  assert.deepEqual([peer.ready.peer, peer.ready.fabric, peer.ready.name], [made.peer, made.fabric, 'hall']);
});
