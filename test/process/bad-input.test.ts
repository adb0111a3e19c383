/**
 * The promise about everything that can be wrong from outside: one clear error with its code and what to do, no more.
 * Relies on real processes on loopback; what needs a file system of its own runs as root in a private mount namespace.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { type ErrorCode, errorTable } from '../../src/core/errors.ts';
import { decodeTicket, encodeTicket } from '../../src/fabric/ticket.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import {
  type CommandResult,
  type LabPeer,
  ProcessLab,
  type SpawnOptions,
} from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
after(() => lab.close());

const lampScript = `export default async (wot) => {
  const lamp = await wot.produce({
    title: 'Lamp',
    properties: { level: { type: 'integer', minimum: 0, maximum: 100 } },
    actions: { fade: { input: { type: 'object', properties: { to: { type: 'integer' } }, required: ['to'] } } },
  });
  let level = 7;
  lamp.setPropertyReadHandler('level', async () => level);
  lamp.setPropertyWriteHandler('level', async (input) => { level = await input.value(); });
  lamp.setActionHandler('fade', async () => null);
  await lamp.expose();
};`;

let scripts = '';
let hall: LabPeer;
before(async () => {
  scripts = await lab.makeHome();
  await writeFile(join(scripts, 'lamp.mjs'), lampScript);
  hall = await lab.startPeer({ name: 'hall', args: ['--things', join(scripts, 'lamp.mjs')] });
});

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

/** Exactly one error, of this code, with its hint and exit code, and nothing on stdout. */
const oneError = ({ error, exitCode, stdout, stderr }: CommandResult, code: ErrorCode): void => {
  assert.equal(error?.code, code, stderr);
  assert.equal(error?.hint, errorTable[code].hint);
  assert.equal(exitCode, errorTable[code].exit);
  assert.equal(stdout, '');
  assert.equal(stderr.split('\n').filter((line) => line.startsWith('{"error":')).length, 1, stderr);
  assert.doesNotMatch(stderr, /\n\s+at /, 'a stack trace');
};

const up = ['up', '--listen', '127.0.0.1:0', '--no-mdns', '--no-system'];

test('tickets: forged, cut short, of a tampered invite, or none at all', async () => {
  const { ticket } = await clientOf(hall).invite({});
  const parts = decodeTicket(ticket, nodeCrypto);
  const seed = nodeCrypto.randomBytes(32);
  const flipped = parts.permit.slice();
  flipped[flipped.length - 1]! ^= 1;
  const forgeries = [
    ticket.slice(0, -10),
    ticket.replace(/.(.{20})$/, (_, end: string) => `${ticket.at(-21) === 'A' ? 'B' : 'A'}${end}`),
    'althing:',
    'https://example.org/',
    encodeTicket({ ...parts, seed }, nodeCrypto),
    encodeTicket({ ...parts, permit: flipped }, nodeCrypto),
    encodeTicket({ ...parts, genesis: parts.genesis.slice(1) }, nodeCrypto),
  ];
  const attic = await lab.startPeer({ name: 'attic' });
  for (const forged of forgeries) oneError(await attic.run('join', forged), 'ticket-invalid');
  // Nothing was lost by trying.
  assert.equal((await clientOf(attic).self()).fabric, attic.ready.fabric);
  assert.equal((await clientOf(hall).peers()).length, 1);
  await attic.kill('SIGTERM');
});

test('invites: expired, used up; and a peer that has others in its fabric does not leave it', async () => {
  const admin = clientOf(hall);
  const [one, two] = await Promise.all([lab.startPeer({ name: 'one' }), lab.startPeer({ name: 'two' })]);
  const expired = await admin.invite({ expiresMs: 1 });
  await waitFor(() => Date.now() > Date.parse(expired.expires) + 5, { what: 'the invite to expire' });
  oneError(await one.run('join', expired.ticket), 'invite-expired');
  const once = await admin.invite({ uses: 1 });
  await one.cli('join', once.ticket);
  oneError(await two.run('join', once.ticket), 'invite-used-up');
  const other = await clientOf(two).invite({});
  oneError(await one.run('join', other.ticket), 'already-in-fabric');
  oneError(await one.run('invite'), 'not-admin');
  assert.equal((await clientOf(one).self()).fabric, hall.ready.fabric);
  assert.equal((await clientOf(two).self()).fabric, two.ready.fabric);
  await Promise.all([one.kill('SIGTERM'), two.kill('SIGTERM')]);
});

// The first of them waits for devices that are away: the others go on meanwhile.
describe('what the outside does wrong', { concurrency: 2 }, () => {
  test('a ticket whose members are all away says so, and nothing hangs', async () => {
    const away = await lab.startPeer({ name: 'away' });
    const { ticket } = await clientOf(away).invite({});
    await away.kill();
    const home = await lab.makeHome();
    oneError(await lab.run(home, ['join', ticket]), 'join-unreachable');
  });

  test('Things, affordances, values and inputs that do not exist or do not fit', async () => {
    oneError(await hall.run('read', 'nothing', 'level'), 'thing-unknown');
    oneError(await hall.run('read', 'lamp', 'nothing'), 'affordance-unknown');
    oneError(await hall.run('read', 'lamp', 'n'.repeat(2000)), 'affordance-unknown');
    oneError(await hall.run('invoke', 'lamp', 'nothing'), 'affordance-unknown');
    oneError(await hall.run('write', 'lamp', 'level', '101'), 'value-invalid');
    oneError(await hall.run('write', 'lamp', 'level', '"bright"'), 'value-invalid');
    oneError(await hall.run('invoke', 'lamp', 'fade', '{"to":"dark"}'), 'value-invalid');
    oneError(await hall.run('observe', 'lamp', 'level'), 'operation-unsupported');
    assert.equal(await hall.cli('read', 'lamp', 'level'), 7);
  });

  test('a Thing Description that is invalid is told with where it is, and the peer is up all the same', async () => {
    const file = join(scripts, 'invalid.mjs');
    await writeFile(
      file,
      `export default async (wot) => {
      const thing = await wot.produce({ title: 'Bad', properties: { level: { type: 'colour' } } });
      await thing.expose();
    };`,
    );
    const peer = await lab.startPeer({ args: ['--things', file, '--things', join(scripts, 'lamp.mjs')] });
    assert.match(peer.process.stderr, /td-invalid/);
    assert.match(peer.process.stderr, /The script failed: .*The property .*level.* of .*Bad/);
    assert.deepEqual(
      (await clientOf(peer).things()).map(({ title }) => title),
      ['Lamp'],
    );
    await peer.kill('SIGTERM');
  });

  test('a port that is in use, an address that is not ours', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const home = await lab.makeHome();
    const flags = ['--no-mdns', '--no-system'];
    oneError(await lab.run(home, ['up', '--listen', `127.0.0.1:${port}`, ...flags]), 'port-in-use');
    oneError(await lab.run(home, [...up, '--http', `127.0.0.1:${port}`]), 'port-in-use');
    oneError(await lab.run(home, ['up', '--listen', '192.0.2.1:0', ...flags]), 'listen-failed');
    server.close();
    await (await lab.startPeer({ home })).kill('SIGTERM');
  });

  test('a damaged home is left as it is, and each damage has its own error', async () => {
    const home = await lab.makeHome();
    const made = await lab.run(home, ['init', '--name', 'attic']);
    const peerId = (made.json as { peer: string }).peer;
    const config = join(home, 'config.yaml');
    const key = join(home, 'identity.key');
    const state = join(home, 'state.db');
    const damages: [file: string, damage: (good: Buffer) => Buffer, code: ErrorCode][] = [
      [config, () => Buffer.from('listen: [unclosed'), 'config-invalid'],
      [config, () => Buffer.from('listen: 17\n'), 'config-invalid'],
      [key, (good) => good.subarray(0, 10), 'key-corrupt'],
      [key, () => Buffer.alloc(0), 'key-corrupt'],
      [
        key,
        (good) => Buffer.from(good.toString('latin1').replace(/[a-zA-Z0-9]{8}/, '!!!!!!!!'), 'latin1'),
        'key-corrupt',
      ],
      [
        state,
        (good) => Buffer.concat([Buffer.from('not a database at all'), good.subarray(21)]),
        'store-corrupt',
      ],
      [
        state,
        (good) => Buffer.concat([good.subarray(0, 4096), Buffer.alloc(good.length - 4096, 0x5a)]),
        'store-corrupt',
      ],
    ];
    for (const [file, damage, code] of damages) {
      const good = await readFile(file);
      const bad = damage(good);
      await writeFile(file, bad);
      oneError(await lab.run(home, up), code);
      assert.deepEqual(await readFile(file), bad, `${file} was changed`);
      await writeFile(file, good);
    }
    const peer = await lab.startPeer({ home });
    assert.equal(peer.id, peerId);
    await peer.kill('SIGTERM');
  });
});

/** Commands run so see a home on a small file system of their own. */
const mounts = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const ownMount = {
  skip: !mounts && 'NOT TESTED: a private mount namespace needs root and unshare(1)',
};
const mounted = (home: string, options: string): SpawnOptions => ({
  prefix: ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o ${options} tmpfs '${home}' && exec "$@"`, 'sh'],
});

test('a home that cannot be written to', ownMount, async () => {
  const home = await lab.makeHome();
  oneError(await lab.run(home, up, mounted(home, 'ro')), 'home-read-only');
  oneError(await lab.run(home, ['init'], mounted(home, 'ro')), 'home-read-only');
  const below = join(home, 'below');
  oneError(await lab.run(below, up, mounted(home, 'ro')), 'home-read-only');
});

test(
  'a disk that is full from the start, and one that fills up: nothing acknowledged is lost',
  ownMount,
  async () => {
    const home = await lab.makeHome();
    const none = await lab.run(home, up, mounted(home, 'size=8k'));
    oneError(none, 'disk-full');

    const peer = await lab.startPeer({ home, listen: '127.0.0.1:0', ...mounted(home, 'size=4m') });
    const inside: SpawnOptions = { prefix: ['nsenter', '-t', String(peer.process.pid), '-m'] };
    const run = (...args: string[]) => lab.run(home, args, inside);
    const socketPath = `/proc/${peer.process.pid}/root${peer.ready.gateway.socket}`;
    const client = new GatewayClient(unixTransport({ socketPath, home }));
    const shell = (...command: string[]) =>
      spawnSync('nsenter', ['-t', String(peer.process.pid), '-m', ...command], { encoding: 'utf8' });
    const first = (await run('token')).json as { id: string };
    shell('sh', '-c', `cat /dev/zero > '${home}/filler'`);
    const made: string[] = [first.id];
    // What is left of the last page may still take a few.
    const filling = async () => {
      for (let n = 0; n < 200; n++) made.push((await client.createToken('read')).id);
    };
    await assert.rejects(filling(), { code: 'disk-full' });
    oneError(await run('token'), 'disk-full');
    const listed = async () => (await client.tokens()).map(({ id }) => id).sort();
    assert.deepEqual(await listed(), made.toSorted());
    shell('rm', `${home}/filler`);
    const more = await run('token');
    assert.equal(more.exitCode, 0, more.stderr);
    made.push((more.json as { id: string }).id);
    assert.deepEqual(await listed(), made.toSorted());
    await peer.kill('SIGTERM');
  },
);

test('a state.db that was cut off is told, not taken for an empty one', async () => {
  const home = await lab.makeHome();
  await lab.run(home, ['init']);
  const state = join(home, 'state.db');
  const { size } = await stat(state);
  await truncate(state, Math.floor(size / 2));
  oneError(await lab.run(home, up), 'store-corrupt');
});
