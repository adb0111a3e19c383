/**
 * What is promised of discovery, on a network in memory with a clock of the test; test/netns has it on real ones.
 * Relies on mocked timers, so that two minutes pass at once.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Sighting } from './discovery-api.ts';
import { DnsSd } from './dns-sd.ts';
import type { DnsPacket } from './dns-sd-packet.ts';
import { announcementPacket, serviceName } from './dns-sd-packet.ts';
import type { NetworkInterface } from './interfaces.ts';
import { InterfaceWatch } from './interfaces.ts';
import type { MulticastSocketEvents, OpenMulticastSocket } from './multicast-socket.ts';

interface Sent {
  readonly packet: DnsPacket;
  readonly source: string;
}

/** A link that carries each packet at once to every socket, the sender's included. */
class MemoryLink {
  readonly sent: Sent[] = [];
  readonly sockets = new Map<MulticastSocketEvents, string>();

  readonly open: OpenMulticastSocket = (address, events) => {
    this.sockets.set(events, address);
    return {
      send: async (packet) => this.inject(packet, address),
      close: async () => {
        this.sockets.delete(events);
      },
    };
  };

  inject(packet: DnsPacket, source: string): void {
    this.sent.push({ packet, source });
    const datagram = Buffer.concat([Buffer.alloc(12), Buffer.from('_althing')]);
    for (const events of [...this.sockets.keys()])
      if (events.admit(datagram, source)) events.onPacket(packet, source);
  }

  responses(source: string): DnsPacket[] {
    return this.sent
      .filter((one) => one.source === source && one.packet.type === 'response')
      .map((one) => one.packet);
  }

  queries(source: string): number {
    return this.sent.filter((one) => one.source === source && one.packet.type === 'query').length;
  }
}

const eth = (address: string, name = 'eth0'): NetworkInterface => ({
  name,
  address,
  family: 'IPv4',
  netmask: '255.255.255.0',
  internal: false,
});

const startPeer = (t: TestContext, link: MemoryLink, interfaces: NetworkInterface[], open = link.open) => {
  const machine = { interfaces };
  const watch = new InterfaceWatch({ read: () => machine.interfaces, every: () => () => {} });
  const discovery = new DnsSd(watch, { openSocket: open, now: () => Date.now(), random: () => 0.5 });
  const seen: Sighting[] = [];
  discovery.onSighting = (sighting) => seen.push(sighting);
  t.after(() => discovery.close());
  const move = (to: NetworkInterface[]): void => {
    machine.interfaces = to;
    watch.refresh();
  };
  return { discovery, seen, move };
};

const clock = (t: TestContext) => t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
/** Lets time go by in small steps: within one step a mocked clock stands at the step's end already. */
const pass = (t: TestContext, ms: number): void => {
  for (let left = ms; left > 0; left -= 10) t.mock.timers.tick(Math.min(left, 10));
  if (ms === 0) t.mock.timers.tick(0);
};
const announcement = { salt: new Uint8Array(16).fill(1), tag: new Uint8Array(32).fill(2), port: 7421 };
const stranger = (instance: string, addresses = ['10.0.0.9'], ttl?: number): DnsPacket =>
  announcementPacket({ instance, host: `althing-${instance}.local` }, announcement, addresses, ttl);

test('a new announcement goes out twice, a second apart, with all there is to know', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery } = startPeer(t, link, [eth('10.0.0.1')]);
  discovery.announce(announcement);
  assert.equal(link.responses('10.0.0.1').length, 1);
  pass(t, 1000);
  const [first, second] = link.responses('10.0.0.1');
  assert.deepEqual(first, second);
  const records = [...first!.answers!, ...first!.additionals!].map(({ type, ttl }) => `${type} ${ttl}`);
  assert.deepEqual(records, ['PTR 120', 'SRV 120', 'TXT 120', 'A 120']);
});

test('a peer asks at once, after 250 ms and after another second, and then only once in a while', (t) => {
  clock(t);
  const link = new MemoryLink();
  startPeer(t, link, [eth('10.0.0.1')]);
  const asked: number[] = [];
  for (const ms of [0, 250, 1000, 3000, 30_000, 25_000]) {
    pass(t, ms);
    asked.push(link.queries('10.0.0.1'));
  }
  assert.deepEqual(asked, [1, 2, 3, 4, 4, 5]);
});

test('while one peer asks the others keep silent, and all the same everybody stays known to everybody', (t) => {
  clock(t);
  const link = new MemoryLink();
  const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const peers = hosts.map((address) => startPeer(t, link, [eth(address)]));
  for (const { discovery } of peers) discovery.announce(announcement);
  pass(t, 10_000);
  const before = link.sent.length;
  pass(t, 600_000);
  for (const { discovery } of peers) assert.equal(discovery.sightings().length, 2);
  const packets = link.sent.length - before;
  assert.ok(packets <= 15 * 4, `${packets} packets in ten minutes of three peers`);
  assert.ok(packets >= 10 * 4, `${packets} packets in ten minutes of three peers`);
});

test('questions are answered together, not at once, and at most once a second', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery } = startPeer(t, link, [eth('10.0.0.1')]);
  discovery.announce(announcement);
  pass(t, 60_000);
  const before = link.responses('10.0.0.1').length;
  const ask = () =>
    link.inject({ type: 'query', questions: [{ name: serviceName, type: 'PTR' }] }, '10.0.0.7');
  const answers = () => link.responses('10.0.0.1').length - before;
  ask();
  ask();
  assert.equal(answers(), 0);
  pass(t, 120);
  assert.equal(answers(), 1);
  ask();
  pass(t, 800);
  assert.equal(answers(), 1);
  pass(t, 200);
  assert.equal(answers(), 2);
});

test('probe asks at most once in 500 ms', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery } = startPeer(t, link, [eth('10.0.0.1')]);
  pass(t, 10_000);
  const before = link.queries('10.0.0.1');
  discovery.probe();
  discovery.probe();
  pass(t, 499);
  discovery.probe();
  assert.equal(link.queries('10.0.0.1') - before, 1);
  pass(t, 1);
  discovery.probe();
  assert.equal(link.queries('10.0.0.1') - before, 2);
});

test('a sighting is reported when new, when changed, and when heard again, but not for each copy', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { seen } = startPeer(t, link, [eth('10.0.0.1')]);
  const hear = (packet: DnsPacket): number => {
    link.inject(packet, '10.0.0.9');
    return seen.length;
  };
  assert.equal(hear(stranger('x')), 1);
  assert.equal(hear(stranger('x')), 1);
  assert.equal(hear(stranger('x', ['10.0.0.9', '10.5.0.9'])), 2);
  assert.equal(hear(stranger('x', ['10.5.0.9', '10.0.0.9'])), 2, 'another order is no change');
  pass(t, 1000);
  assert.equal(hear(stranger('x', ['10.0.0.9', '10.5.0.9'])), 3);
});

test('after a change of our own networks everybody heard is news', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { seen, move } = startPeer(t, link, [eth('10.0.0.1')]);
  link.inject(stranger('x'), '10.0.0.9');
  move([]);
  move([eth('10.0.0.1')]);
  link.inject(stranger('x'), '10.0.0.9');
  assert.equal(seen.length, 2);
});

test('a sighting is forgotten after its time to live, and at once on a goodbye', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery } = startPeer(t, link, [eth('10.0.0.1')]);
  const known = () => discovery.sightings().map(({ instance }) => instance);
  link.inject(stranger('x'), '10.0.0.9');
  link.inject(stranger('y', ['10.0.0.9'], 1_000_000), '10.0.0.9');
  link.inject(stranger('z'), '10.0.0.9');
  link.inject(stranger('z', ['10.0.0.9'], 0), '10.0.0.9');
  assert.deepEqual(known(), ['x', 'y']);
  pass(t, 119_999);
  assert.deepEqual(known(), ['x', 'y']);
  pass(t, 1);
  assert.deepEqual(known(), []);
});

test('however many are announced, 1024 are kept: those heard last', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery, seen } = startPeer(t, link, [eth('10.0.0.1')]);
  for (let i = 0; i < 1100; i++) {
    link.inject(stranger(`n${i}`), `10.0.0.${2 + (i % 50)}`);
    pass(t, 10);
  }
  assert.equal(seen.length, 1100);
  assert.equal(discovery.sightings().length, 1024);
  assert.equal(discovery.sightings()[0]?.instance, 'n76');
});

test('the address that an announcement came from leads; a reflector that repeats it does not', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { seen } = startPeer(t, link, [eth('10.0.0.1')]);
  const hosts = () => seen.at(-1)!.endpoints.map(({ host }) => host);
  link.inject(stranger('x', ['192.168.5.5', '10.0.0.8', '10.0.0.9']), '10.0.0.9');
  assert.deepEqual(hosts(), ['10.0.0.9', '10.0.0.8', '192.168.5.5']);
  link.inject(stranger('y', ['192.168.5.5']), '10.0.0.9');
  assert.deepEqual(hosts(), ['192.168.5.5', '10.0.0.9']);
  link.inject(stranger('z', []), '10.0.0.9');
  assert.deepEqual(hosts(), ['10.0.0.9']);
});

test('a peer never sees itself and never announces loopback', (t) => {
  clock(t);
  const link = new MemoryLink();
  const lo = { ...eth('127.0.0.1', 'lo'), internal: true };
  const { discovery, seen } = startPeer(t, link, [lo, eth('10.0.0.1')]);
  discovery.announce(announcement);
  assert.deepEqual([...link.sockets.values()], ['10.0.0.1']);
  assert.deepEqual(
    link.responses('10.0.0.1')[0]?.additionals?.map(({ data }) => data),
    ['10.0.0.1'],
  );
  assert.deepEqual(seen, []);
});

test('each interface is told its own address first, and all are told of a change', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery, move } = startPeer(t, link, [eth('10.0.0.1')]);
  discovery.announce(announcement);
  pass(t, 5000);
  move([eth('10.0.0.1'), eth('10.0.1.1', 'wlan0')]);
  const last = (source: string) =>
    link
      .responses(source)
      .at(-1)
      ?.additionals?.map(({ data }) => data);
  assert.deepEqual(last('10.0.0.1'), ['10.0.0.1', '10.0.1.1']);
  assert.deepEqual(last('10.0.1.1'), ['10.0.1.1', '10.0.0.1']);
  move([eth('10.0.0.1')]);
  assert.deepEqual([...link.sockets.values()], ['10.0.0.1']);
  assert.deepEqual(last('10.0.0.1'), ['10.0.0.1']);
});

test('a packet that reaches several sockets is taken once', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery } = startPeer(t, link, [eth('10.0.0.1'), eth('10.0.1.1', 'wlan0')]);
  const before = discovery.counters.packets;
  link.inject(stranger('x'), '10.0.1.9');
  assert.equal(discovery.counters.packets - before, 1);
  link.inject(stranger('x'), '172.31.0.9');
  assert.equal(discovery.counters.packets - before, 3, 'one from nowhere may have come in anywhere');
});

test('closing says goodbye and leaves nothing open', async (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery } = startPeer(t, link, [eth('10.0.0.1')]);
  discovery.announce(announcement);
  await discovery.close();
  assert.ok(
    link
      .responses('10.0.0.1')
      .at(-1)
      ?.answers?.every(({ ttl }) => ttl === 0),
  );
  assert.equal(link.sockets.size, 0);
  const sent = link.sent.length;
  pass(t, 200_000);
  assert.equal(link.sent.length, sent);
});

test('without any interface nothing is sent and nothing fails', (t) => {
  clock(t);
  const link = new MemoryLink();
  const { discovery, move } = startPeer(t, link, []);
  discovery.announce(announcement);
  discovery.probe();
  pass(t, 5000);
  assert.equal(link.sent.length, 0);
  move([eth('10.0.0.1')]);
  assert.equal(link.responses('10.0.0.1').length, 1);
});

test('a socket that fails is opened again after a while', (t) => {
  clock(t);
  const link = new MemoryLink();
  let failures = 1;
  const { discovery } = startPeer(t, link, [eth('10.0.0.1')], (address, events) => {
    if (failures-- > 0) setTimeout(() => events.onFailure(new Error('bind EADDRINUSE')), 1);
    return link.open(address, events);
  });
  discovery.announce(announcement);
  pass(t, 1);
  assert.equal(link.sockets.size, 0);
  pass(t, 5000);
  assert.equal(link.sockets.size, 1);
});
