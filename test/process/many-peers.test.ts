/**
 * The promises of a fabric as a whole: twenty processes become one in seconds, and a command needs its two ends only.
 * Relies on real processes on loopback and on Linux's /proc for what their sockets are.
 */
import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import type { ThingInfo } from '../../src/core/api-shapes.ts';
import { toAlthingError } from '../../src/core/errors.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
after(() => lab.close());

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

const size = 20;
const startedAtOnce = 4;
/** On a machine that does nothing else. Elsewhere the time is only told. */
const formLimitMs = process.env.ALTHING_TEST_LONG === '1' ? 10_000 : Number.POSITIVE_INFINITY;
/** Asking costs the devices time, too, which they need for forming the fabric. */
const betweenLooksMs = 250;

/** Reads; again where a starved machine let a session break. */
const readUptime = (client: GatewayClient, thing: string): Promise<number> =>
  waitFor(
    async () => {
      try {
        return Number(await client.readProperty(thing, 'uptime'));
      } catch (thrown) {
        const { code } = toAlthingError(thrown);
        if (code === 'outcome-unknown' || code === 'peer-offline') return undefined;
        throw thrown;
      }
    },
    { what: `an answer of ${thing}` },
  );

test(`${size} peers in ${size} processes become one fabric from one ticket, and each reads of every other`, async (t) => {
  const started = performance.now();
  const peers: LabPeer[] = [];
  // A few at a time: twenty at once would only wait for each other's turn on the processor.
  for (let n = 0; n < size; n += startedAtOnce) {
    const names = Array.from({ length: startedAtOnce }, (_, k) => `device-${n + k}`);
    peers.push(...(await Promise.all(names.map((name) => lab.startPeer({ name, system: true })))));
  }
  const up = performance.now();
  const clients = peers.map(clientOf);
  const { ticket } = await clients[0]!.invite({ uses: size });
  await Promise.all(clients.slice(1).map((client) => client.join(ticket)));
  const joined = performance.now();

  const seen = await Promise.all(
    clients.map((client, n) =>
      waitFor(
        async () => {
          await delay(betweenLooksMs);
          const things = await client.things();
          return things.length === size && things.every(({ online }) => online) && things;
        },
        { timeoutMs: 60_000, what: () => peers[n]!.process.describe('to see every Thing online') },
      ),
    ),
  );
  const formed = performance.now();
  const uptimes = await Promise.all(
    clients.flatMap((client, n) => seen[n]!.map(({ id }: ThingInfo) => readUptime(client, id))),
  );
  const read = performance.now();
  assert.equal(uptimes.length, size * size);
  for (const uptime of uptimes) assert.ok(uptime > 0);
  for (const client of clients)
    assert.deepEqual((await client.peers()).map(({ state }) => state).sort(), [
      ...Array<string>(size - 1).fill('online'),
      'self',
    ]);
  const took = { up: up - started, join: joined - up, form: formed - joined, read: read - formed };
  t.diagnostic(JSON.stringify(took, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
  assert.ok(formed - up < formLimitMs, `the fabric took ${Math.round(formed - up)} ms to form`);
  await Promise.all(peers.map((peer) => peer.kill('SIGTERM')));
});

/** Socket inodes of a process. */
const socketsOf = async (pid: number): Promise<Set<string>> => {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
};

/** Established TCP connections of a process, as [local port, remote port]. */
const connectionsOf = async (pid: number): Promise<[number, number][]> => {
  const inodes = await socketsOf(pid);
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1);
  return lines.flatMap((line): [number, number][] => {
    const [, local = '', remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/);
    if (state !== '01' || !inodes.has(inode)) return [];
    return [[Number.parseInt(local.split(':')[1]!, 16), Number.parseInt(remote.split(':')[1]!, 16)]];
  });
};

test('a command goes from the device that asks to the device that does, with every other peer dead', async () => {
  const peers = await Promise.all(
    ['founder', 'lamp', 'speaker', 'other'].map((name) => lab.startPeer({ name, system: true })),
  );
  const [founder, lamp, speaker, other] = peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  const { ticket } = await clientOf(founder).invite({ uses: 3 });
  for (const peer of [lamp, speaker, other]) await clientOf(peer).join(ticket);
  const asking = clientOf(speaker);
  const find = async () => (await asking.things()).find(({ peer, online }) => peer === lamp.id && online);
  const thing = await waitFor(find, { what: () => speaker.process.describe('to see the lamp') });
  await Promise.all([founder.kill(), other.kill()]);
  assert.ok(Number(await asking.readProperty(thing.id, 'uptime')) > 0);

  // One hop: what is left are the two ends of one connection.
  const ends = await waitFor(
    async () => {
      const [mine, theirs] = await Promise.all([
        connectionsOf(speaker.process.pid),
        connectionsOf(lamp.process.pid),
      ]);
      return mine.length === 1 && theirs.length === 1 && { mine: mine[0]!, theirs: theirs[0]! };
    },
    { what: 'one connection between the two' },
  );
  assert.deepEqual(ends.mine, [ends.theirs[1], ends.theirs[0]]);
  for (let n = 0; n < 50; n++) assert.ok(Number(await asking.readProperty(thing.id, 'uptime')) > 0);
  assert.deepEqual(await connectionsOf(speaker.process.pid), [ends.mine]);
});

test('with the founder dead the others go on, and a new device joins through a member', async () => {
  const founder = await lab.startPeer({ name: 'founder', system: true });
  const { ticket } = await clientOf(founder).invite({ uses: 5 });
  const first = await lab.startPeer({ name: 'first', system: true });
  const second = await lab.startPeer({ name: 'second', system: true });
  await clientOf(first).join(ticket);
  // A ticket names the members that were in session when it was made.
  await waitFor(async () => (await clientOf(founder).peers()).some(({ state }) => state === 'online'), {
    what: () => founder.process.describe('to be in session with the first'),
  });
  const late = (await clientOf(founder).invite({ uses: 1 })).ticket;
  await clientOf(second).join(ticket);
  // Whoever knows of the second, whom the founder let in after that, knows of that invite, too.
  await waitFor(async () => (await clientOf(first).peers()).length === 3, {
    what: () => first.process.describe('to know of the second'),
  });
  await founder.kill();

  const third = await lab.startPeer({ name: 'third', system: true });
  const joined = await clientOf(third).join(late);
  assert.equal(joined.fabric, founder.ready.fabric);
  const everybody = async (peer: LabPeer) => {
    const things = (await clientOf(peer).things()).filter(({ peer: owner }) => owner !== founder.id);
    return things.length === 3 && things.every(({ online }) => online) && things;
  };
  for (const peer of [first, second, third]) {
    const things = await waitFor(() => everybody(peer), {
      what: () => peer.process.describe('to see the three that live'),
    });
    for (const { id } of things) assert.ok((await readUptime(clientOf(peer), id)) > 0);
  }
  // Started again, with no admin awake, they find each other and still belong.
  for (const peer of [first, second, third]) await peer.kill();
  for (const peer of [first, second, third]) await peer.start();
  for (const peer of [first, second, third])
    await waitFor(() => everybody(peer), { what: () => peer.process.describe('to be in session again') });
});
