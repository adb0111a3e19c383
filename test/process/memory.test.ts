/**
 * The promise to small devices that run for years: neither requests nor reconnects leave anything behind.
 * Relies on real TLS on loopback within this process, whose memory is measured after garbage collection. The long form
 * (ALTHING_TEST_LONG=1) makes a million requests and ten thousand reconnects.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { peerIdOf } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { answerDoor, type Gatekeeper, greet } from '../../src/net/handshake.ts';
import { Supervisor } from '../../src/net/supervisor.ts';
import { createTlsContext, dialTls, listenTls } from '../../src/net/tls-channel.ts';
import { tlsIdentityOf } from '../../src/store/certificate.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { PeerLab } from '../../src/testing/peer-lab.ts';
import { noServer } from '../../src/testing/session-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const long = process.env.ALTHING_TEST_LONG === '1';
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const lab = new PeerLab();
after(() => lab.close());

/** Memory in use, in MiB, once what is no longer needed is gone. */
const measure = async (): Promise<{ heap: number; outside: number; rss: number; resources: number }> => {
  for (let round = 0; round < 5; round++) {
    collect();
    await new Promise(setImmediate);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const mib = (bytes: number): number => Math.round((bytes / 2 ** 20) * 10) / 10;
  return {
    heap: mib(heapUsed),
    outside: mib(external),
    rss: mib(rss),
    resources: process.getActiveResourcesInfo().length,
  };
};

const grewLittle = (
  before: Awaited<ReturnType<typeof measure>>,
  after: typeof before,
  what: string,
): void => {
  const said = `${what}: ${JSON.stringify(before)} before, ${JSON.stringify(after)} after`;
  assert.ok(after.heap - before.heap < 4, said);
  assert.ok(after.outside - before.outside < 4, said);
  assert.ok(after.resources <= before.resources + 4, said);
  // The allocator keeps pages for later: only the long form shows a slope in them.
  if (long) assert.ok(after.rss - before.rss < 30, said);
};

test('requests leave nothing behind', async (t) => {
  const device = await lab.start('device');
  const asker = await lab.start('asker');
  await lab.join(device, asker);
  const thing = await device.wot.produce({
    title: 'Lamp',
    properties: { level: { type: 'integer', observable: true } },
    actions: { fail: {} },
  });
  let level = 0;
  thing.setPropertyReadHandler('level', async () => level);
  thing.setPropertyWriteHandler('level', async (input) => {
    level = (await input.value()) as number;
  });
  thing.setActionHandler('fail', async () => {
    throw new Error('as always');
  });
  await thing.expose();
  const { id } = thing.getThingDescription();
  await waitFor(() => asker.things().length === 1, { what: 'the asker to know the lamp' });

  const round = async (count: number): Promise<void> => {
    const one = async (n: number): Promise<void> => {
      await asker.request({ thing: id, op: 'writeproperty', name: 'level', input: n });
      await asker.request({ thing: id, op: 'readproperty', name: 'level' });
      await asker.request({ thing: id, op: 'invokeaction', name: 'fail' }).catch(() => {});
      const controller = new AbortController();
      const given = asker.request(
        { thing: id, op: 'readproperty', name: 'level' },
        { signal: controller.signal },
      );
      controller.abort();
      await given.catch(() => {});
      if (n % 10 > 0) return;
      const stream = await asker.stream(
        { thing: id, op: 'observeproperty', name: 'level' },
        { next: () => {}, error: () => {} },
      );
      stream.stop();
    };
    for (let n = 0; n < count / 4; n += 50)
      await Promise.all(Array.from({ length: 50 }, (_, k) => one(n + k)));
  };
  // The collector takes its time to find out how much room it wants.
  await round(long ? 200_000 : 10_000);
  const before = await measure();
  await round(long ? 1_000_000 : 30_000);
  const now = await measure();
  t.diagnostic(`${JSON.stringify(before)} -> ${JSON.stringify(now)}`);
  grewLittle(before, now, 'requests');
});

test('reconnects leave nothing behind, on neither side', async (t) => {
  const seeds = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const idOf = (seed: Uint8Array) => peerIdOf(nodeCrypto.signer(seed).publicKey);
  // The lower key dials at once.
  const [dialler, listener] = seeds.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1)) as [
    Uint8Array,
    Uint8Array,
  ];
  const gate: Gatekeeper = {
    fabric: new Uint8Array(32),
    proof: () => [],
    isPlain: () => true,
    check: () => {},
    farewell: () => [],
    dismissed: () => {},
    admit: async () => [],
  };
  let opened = 0;
  let target = 0;
  const supervise = (seed: Uint8Array, endpoint: { host: string; port: number } | undefined): Supervisor => {
    const context = createTlsContext(tlsIdentityOf(seed));
    return new Supervisor({
      self: idOf(seed),
      dial: (to, how) => dialTls(to, context, how),
      greet: (frames) => greet(frames, gate),
      answer: (frames) => answerDoor(frames, gate),
      belongs: () => true,
      host: { serverFor: () => noServer, sync: async () => {} },
      endpointsOf: () => (endpoint ? [endpoint] : []),
      random: Math.random,
      logger: silentLogger,
      neighbour: () => {},
      followed: () => [],
      opened: (session) => {
        if (endpoint) return;
        opened += 1;
        if (opened < target) setImmediate(() => session.close(undefined, { abrupt: opened % 2 === 0 }));
      },
      closed: () => {},
      fruitless: () => {},
    });
  };
  const theirs = supervise(listener, undefined);
  const door = await listenTls({ host: '127.0.0.1', port: 0 }, tlsIdentityOf(listener), {
    logger: silentLogger,
    onChannel: (channel, accepted) => void theirs.accept(channel, accepted),
  });
  const mine = supervise(dialler, door.endpoint);
  const round = async (count: number): Promise<void> => {
    target = opened + count;
    mine.session(idOf(listener))?.close();
    await waitFor(() => opened >= target, {
      timeoutMs: long ? 600_000 : 60_000,
      what: () => `${target} sessions, there were ${opened}`,
    });
  };
  target = 1;
  mine.want([idOf(listener)]);
  await waitFor(() => mine.session(idOf(listener)), { what: 'the first session' });
  await round(100);
  const before = await measure();
  await round(long ? 10_000 : 300);
  await waitFor(() => mine.session(idOf(listener)) && theirs.session(idOf(dialler)), {
    what: 'the last session',
  });
  const now = await measure();
  t.diagnostic(`${JSON.stringify(before)} -> ${JSON.stringify(now)}`);
  grewLittle(before, now, 'reconnects');
  mine.close();
  theirs.close();
  await door.close();
});
