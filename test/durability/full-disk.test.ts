/**
 * A disk that is full or read-only is told clearly, stops nothing that needs no disk, and is used again when it can be.
 * Relies on tmpfs in mount namespaces of the tests (root); skipped elsewhere.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';
import { TinyDisk, whyNot } from './tiny-disk.ts';

const skip = whyNot;
const diskBytes = 2 * 1024 * 1024;

const lampScript = `export default async (wot) => {
  let on = false;
  const lamp = await wot.produce({ title: 'Lamp', properties: { on: { type: 'boolean', observable: true } } });
  lamp.setPropertyReadHandler('on', async () => on);
  lamp.setPropertyWriteHandler('on', async (input) => { on = await input.value(); });
  await lamp.expose();
};`;

/** A peer with a lamp whose home is a tiny disk. */
const makeLamp = async (t: TestContext) => {
  const lab = new ProcessLab();
  const disk = await TinyDisk.make(diskBytes);
  t.after(async () => {
    await lab.close();
    await disk.close();
  });
  const script = join(await lab.makeHome(), 'lamp.mjs');
  await writeFile(script, lampScript);
  const options = { prefix: disk.prefix, home: disk.home, name: 'lamp', args: ['--things', script] };
  const peer = await lab.startPeer(options);
  const client = new GatewayClient(unixTransport({ socketPath: disk.path('gateway.sock'), home: disk.home }));
  return { lab, disk, peer, client };
};

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

/** Log lines that say that the disk fails, and that it works again. */
const told = ({ process }: LabPeer): { failing: number; working: number; lines: number } => {
  const lines = process.stderr.split('\n');
  return {
    failing: lines.filter((line) => line.includes('disk-full')).length,
    working: lines.filter((line) => line.includes('takes what is stored again')).length,
    lines: lines.length,
  };
};

test('a peer whose disk is full says so once, goes on with its Things and sessions, and stores again by itself', {
  skip,
}, async (t) => {
  const { lab, disk, peer, client } = await makeLamp(t);
  const other = await lab.startPeer({ name: 'other' });
  const { ticket } = await client.invite({});
  await clientOf(other).join(ticket);
  const lamp = `urn:althing:${peer.id}:lamp`;
  await clientOf(other).writeProperty(lamp, 'on', true);

  disk.fill();
  for (let i = 0; i < 20; i++) await assert.rejects(client.createToken('read'), { code: 'disk-full' });
  await assert.rejects(client.invite({}), { code: 'disk-full' });
  await clientOf(other).writeProperty(lamp, 'on', false);
  assert.equal(await clientOf(other).readProperty(lamp, 'on'), false);
  // News that cannot be kept is asked for again, and not told again and again.
  const token = await clientOf(other).createToken('read');
  assert.ok(token);
  await waitFor(() => told(peer).failing > 0, { what: 'the failure in the log' });
  assert.equal(told(peer).failing, 1, peer.process.stderr);
  assert.equal((await client.peers()).filter(({ state }) => state === 'online').length, 1);

  disk.free();
  await waitFor(() => told(peer).working === 1, { what: () => peer.process.describe('to store again') });
  const { id } = await client.createToken('read');
  await peer.restart();
  assert.ok((await client.tokens()).some((one) => one.id === id));
});

test('a peer starts on a full disk, and serves', { skip }, async (t) => {
  const { disk, peer, client } = await makeLamp(t);
  await peer.kill('SIGTERM');
  disk.fill();
  await peer.start();
  assert.equal(await client.readProperty(`urn:althing:${peer.id}:lamp`, 'on'), false);
  await assert.rejects(client.createToken('read'), { code: 'disk-full' });
});

test('a disk that is full when a join is to be written leaves the peer in its fabric, and the ticket good', {
  skip,
}, async (t) => {
  const { lab, disk, peer, client } = await makeLamp(t);
  const hall = await lab.startPeer({ name: 'hall' });
  const { ticket } = await clientOf(hall).invite({ uses: 1 });
  const { fabric } = await client.self();
  disk.fill();
  await assert.rejects(client.join(ticket), { code: 'disk-full' });
  const self = await client.self();
  assert.equal(self.fabric, fabric);
  assert.equal(self.role, 'admin');
  assert.equal(await client.readProperty(`urn:althing:${peer.id}:lamp`, 'on'), false);
  assert.equal((await client.things()).length, 1);
  disk.free();
  await client.join(ticket);
  await waitFor(async () => (await clientOf(hall).things()).length === 1, {
    what: 'the lamp in the new fabric',
  });
  await peer.restart();
  assert.equal(peer.ready.fabric, hall.ready.fabric);
});

test('a home on a read-only disk is home-read-only, and starts when the disk is writable again', {
  skip,
}, async (t) => {
  const { disk, peer } = await makeLamp(t);
  await peer.kill('SIGTERM');
  disk.remount('ro');
  const { error } = await peer.run('up');
  assert.equal(error?.code, 'home-read-only');
  disk.remount('rw');
  await peer.start();
});
