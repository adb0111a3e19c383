/**
 * Discovery on real networks: hosts on switches, in network namespaces, without a default route or the internet.
 * Relies on the network-namespace lab; without root and iproute2 every test here is skipped, and says so.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Host, Lab } from '../../src/testing/netns-lab.ts';
import { canUseNetns, createLab } from '../../src/testing/netns-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const fixture = fileURLToPath(new URL('./fixtures/discovery-peer.ts', import.meta.url));

interface Line {
  readonly event: 'up' | 'interfaces' | 'sighting' | 'status';
  readonly instance: string;
  readonly endpoints: string[];
  readonly added: string[];
  readonly removed: string[];
  readonly sightings: string[];
  readonly packets: number;
  readonly warnings: number;
  readonly dropped: number;
}

/** A discovery process on a host, and all that it has reported. */
class LabPeer {
  readonly lines: Line[] = [];
  readonly child: ChildProcess;
  readonly name: string;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    createInterface({ input: child.stdout! }).on('line', (line) => this.lines.push(JSON.parse(line) as Line));
  }

  static async start(host: Host, port: number): Promise<LabPeer> {
    const args = [fixture, host.name, String(port)];
    const peer = new LabPeer(
      host.name,
      host.spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    await peer.next('up');
    return peer;
  }

  get instance(): string {
    return this.lines.find(({ event }) => event === 'up')!.instance;
  }

  /** The first line of a kind, from line `after` on, that `matches`. */
  next(event: Line['event'], matches: (line: Line) => boolean = () => true, after = 0): Promise<Line> {
    return waitFor(
      () => {
        assert.equal(this.child.exitCode, null, `${this.name} ended`);
        return this.lines.slice(after).find((line) => line.event === event && matches(line));
      },
      { what: () => `"${event}" at ${this.name}; it said ${JSON.stringify(this.lines.slice(after))}` },
    );
  }

  sees(other: LabPeer, after = 0, matches: (line: Line) => boolean = () => true): Promise<Line> {
    return this.next('sighting', (line) => line.instance === other.instance && matches(line), after);
  }

  status(): Promise<Line> {
    const after = this.lines.length;
    this.child.stdin!.write('status\n');
    return this.next('status', () => true, after);
  }
}

const lab = async (t: TestContext, options: { nft?: boolean } = {}): Promise<Lab | undefined> => {
  const support = await canUseNetns(options);
  if (!support.ok) {
    console.error(`SKIPPED "${t.name}": ${support.reason}`);
    t.skip(support.reason);
    return undefined;
  }
  const made = await createLab();
  t.after(() => made.close());
  return made;
};

test('two hosts on one switch, without a default route, see each other', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const s1 = await net.switch('s1');
  const [a, b] = [await net.host('a'), await net.host('b')];
  await net.connect(a, s1, '10.1.0.1/24');
  await net.connect(b, s1, '10.1.0.2/24');
  const first = await LabPeer.start(a, 7001);
  const second = await LabPeer.start(b, 7002);
  const startedAt = performance.now();
  const [atFirst, atSecond] = await Promise.all([first.sees(second), second.sees(first)]);
  t.diagnostic(`both saw each other ${Math.round(performance.now() - startedAt)} ms after the second was up`);
  assert.deepEqual(atFirst.endpoints, ['10.1.0.2:7002']);
  assert.deepEqual(atSecond.endpoints, ['10.1.0.1:7001']);
  assert.deepEqual((await first.status()).sightings, [second.instance], 'nobody sees itself');

  second.child.stdin!.end();
  await waitFor(async () => (await first.status()).sightings.length === 0, {
    what: 'the goodbye to be heard',
  });
});

test('two peers on one host see each other', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const a = await net.host('a');
  await net.connect(a, await net.switch('s1'), '10.1.0.1/24');
  const [first, second] = [await LabPeer.start(a, 7001), await LabPeer.start(a, 7002)];
  assert.deepEqual((await first.sees(second)).endpoints, ['10.1.0.1:7002']);
  assert.deepEqual((await second.sees(first)).endpoints, ['10.1.0.1:7001']);
});

test('a host on two networks is seen on both, with its address on that network first', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const [s1, s2] = [await net.switch('s1'), await net.switch('s2')];
  const [a, both, c] = [await net.host('a'), await net.host('both'), await net.host('c')];
  await net.connect(a, s1, '10.1.0.1/24');
  await net.connect(both, s1, '10.1.0.9/24');
  await net.connect(both, s2, '192.168.7.9/24');
  await net.connect(c, s2, '192.168.7.1/24');
  const [atA, atBoth, atC] = [
    await LabPeer.start(a, 7001),
    await LabPeer.start(both, 7009),
    await LabPeer.start(c, 7003),
  ];
  assert.deepEqual((await atA.sees(atBoth)).endpoints, ['10.1.0.9:7009', '192.168.7.9:7009']);
  assert.deepEqual((await atC.sees(atBoth)).endpoints, ['192.168.7.9:7009', '10.1.0.9:7009']);
  assert.deepEqual((await atBoth.sees(atA)).endpoints, ['10.1.0.1:7001']);
  assert.deepEqual((await atBoth.sees(atC)).endpoints, ['192.168.7.1:7003']);
  assert.equal((await atA.status()).sightings.length, 1, 'networks stay apart');
});

test('a cable that is pulled and put back leads to a new sighting on both sides', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const s1 = await net.switch('s1');
  const [a, b] = [await net.host('a'), await net.host('b')];
  await net.connect(a, s1, '10.1.0.1/24');
  const cable = await net.connect(b, s1, '10.1.0.2/24');
  const [first, second] = [await LabPeer.start(a, 7001), await LabPeer.start(b, 7002)];
  await Promise.all([first.sees(second), second.sees(first)]);

  await cable.unplug();
  await second.next('interfaces', ({ removed }) => removed.includes('10.1.0.2'));
  const [heardByFirst, heardBySecond] = [first.lines.length, second.lines.length];
  const pluggedAt = performance.now();
  await cable.plug();
  await Promise.all([first.sees(second, heardByFirst), second.sees(first, heardBySecond)]);
  t.diagnostic(`both saw each other again ${Math.round(performance.now() - pluggedAt)} ms after the cable`);
});

test('a host that gets its first network only later is found then', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const s1 = await net.switch('s1');
  const [a, b] = [await net.host('a'), await net.host('b')];
  await net.connect(a, s1, '10.1.0.1/24');
  const [first, second] = [await LabPeer.start(a, 7001), await LabPeer.start(b, 7002)];
  await net.connect(b, s1, '10.1.0.2/24');
  await Promise.all([first.sees(second), second.sees(first)]);
});

test('a changed address is announced', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const s1 = await net.switch('s1');
  const [a, b] = [await net.host('a'), await net.host('b')];
  await net.connect(a, s1, '10.1.0.1/24');
  const cable = await net.connect(b, s1, '10.1.0.2/24');
  const [first, second] = [await LabPeer.start(a, 7001), await LabPeer.start(b, 7002)];
  await first.sees(second);
  await cable.changeAddress('10.1.0.77/24');
  await first.sees(second, 0, ({ endpoints }) => endpoints.join() === '10.1.0.77:7002');
});

test('where multicast is blocked nobody is seen, nothing crashes, and all is well when it is allowed again', async (t) => {
  const net = await lab(t, { nft: true });
  if (!net) return;
  const s1 = await net.switch('s1');
  const [a, b, c] = [await net.host('a'), await net.host('b'), await net.host('c')];
  await net.connect(a, s1, '10.1.0.1/24');
  await net.connect(b, s1, '10.1.0.2/24');
  await net.connect(c, s1, '10.1.0.3/24');
  await b.nft(`table inet block {
    chain in { type filter hook input priority 0; ip daddr 224.0.0.0/4 drop; }
    chain out { type filter hook output priority 0; ip daddr 224.0.0.0/4 drop; }
  }`);
  const blocked = await LabPeer.start(b, 7002);
  const [first, third] = [await LabPeer.start(a, 7001), await LabPeer.start(c, 7003)];
  await Promise.all([first.sees(third), third.sees(first)]);
  await waitFor(async () => (await blocked.status()).warnings > 0, { what: 'a send to be refused' });
  assert.deepEqual((await blocked.status()).sightings, []);
  assert.deepEqual((await first.status()).sightings, [third.instance]);

  await b.nft('delete table inet block');
  blocked.child.stdin!.write('probe\n');
  await Promise.all([blocked.sees(first), blocked.sees(third)]);
});

test('garbage on the multicast port does no harm', async (t) => {
  const net = await lab(t);
  if (!net) return;
  const s1 = await net.switch('s1');
  const [a, b, evil] = [await net.host('a'), await net.host('b'), await net.host('evil')];
  await net.connect(a, s1, '10.1.0.1/24');
  await net.connect(b, s1, '10.1.0.2/24');
  await net.connect(evil, s1, '10.1.0.66/24');
  const first = await LabPeer.start(a, 7001);
  const script = fileURLToPath(new URL('./fixtures/garbage.ts', import.meta.url));
  await evil.exec(process.execPath, [script, '10.1.0.66', String(0xa171)]);
  await waitFor(async () => (await first.status()).dropped > 0, { what: 'the flood to be cut off' });
  const { warnings, sightings } = await first.status();
  assert.ok(warnings > 0, 'undecodable packets were counted');
  assert.deepEqual(sightings, [], 'no malformed announcement became a sighting');

  const second = await LabPeer.start(b, 7002);
  await Promise.all([first.sees(second), second.sees(first)]);
});
