/**
 * What is promised of the interface watch and of the order of addresses.
 * Relies on a reader and a timer passed in; the machine's own interfaces do not matter.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import type { InterfaceChange, NetworkInterface } from './interfaces.ts';
import { InterfaceWatch, inSubnets, lanAddresses, sortEndpoints, subnetsOf } from './interfaces.ts';

const v4 = (name: string, address: string, netmask = '255.255.255.0'): NetworkInterface => ({
  name,
  address,
  family: 'IPv4',
  netmask,
  internal: address.startsWith('127.'),
});
const v6 = (name: string, address: string): NetworkInterface => ({
  name,
  address,
  family: 'IPv6',
  netmask: 'ffff:ffff:ffff:ffff::',
  internal: address === '::1',
});
const loopback = v4('lo', '127.0.0.1', '255.0.0.0');

const watchOf = (read: () => readonly NetworkInterface[]) => {
  let tick = (): void => {};
  let stopped = false;
  const every = (_ms: number, call: () => void) => {
    tick = call;
    return () => {
      stopped = true;
    };
  };
  const watch = new InterfaceWatch({ read, every });
  return { watch, tick: () => tick(), stopped: () => stopped };
};

test('a change of interfaces is told once, with what came and what went', () => {
  let list = [loopback, v4('eth0', '10.0.0.1')];
  const { watch, tick } = watchOf(() => list);
  const changes: InterfaceChange[] = [];
  watch.subscribe((change) => changes.push(change));
  tick();
  assert.deepEqual(changes, []);
  list = [loopback, v4('eth0', '10.0.0.2')];
  tick();
  tick();
  assert.deepEqual(changes, [{ added: [v4('eth0', '10.0.0.2')], removed: [v4('eth0', '10.0.0.1')] }]);
  assert.deepEqual(watch.current, list);
});

test('a changed netmask is a change, another order is none', () => {
  let list = [v4('eth0', '10.0.0.1'), v4('eth1', '10.0.1.1')];
  const { watch, tick } = watchOf(() => list);
  let told = 0;
  watch.subscribe(() => told++);
  list = list.toReversed();
  tick();
  assert.equal(told, 0);
  list = [v4('eth0', '10.0.0.1', '255.255.0.0'), v4('eth1', '10.0.1.1')];
  tick();
  assert.equal(told, 1);
});

test('a system that refuses the list has no interfaces, and recovers', () => {
  let refuses = true;
  const { watch, tick } = watchOf(() => {
    if (refuses) throw new Error('uv_interface_addresses returned Unknown system error 13');
    return [loopback];
  });
  assert.deepEqual(watch.current, []);
  refuses = false;
  tick();
  assert.deepEqual(watch.current, [loopback]);
});

test('a closed watch stops its timer and forgets its listeners; a leaving listener is not called', () => {
  let list = [loopback];
  const { watch, tick, stopped } = watchOf(() => list);
  let told = 0;
  const leave = watch.subscribe(() => told++);
  leave();
  list = [];
  tick();
  assert.equal(told, 0);
  watch.close();
  assert.ok(stopped());
});

test('the watch takes no more than 16 listeners', () => {
  const { watch } = watchOf(() => []);
  for (let i = 0; i < 16; i++) watch.subscribe(() => {});
  assert.throws(
    () => watch.subscribe(() => {}),
    (error) => error instanceof AlthingError && error.code === 'too-many',
  );
});

test('addresses for others are IPv4 first, then routable IPv6, never loopback', () => {
  const list = [
    loopback,
    v6('lo', '::1'),
    v6('eth0', 'fe80::1'),
    v6('eth0', 'fd00::1'),
    v4('eth2', '169.254.3.4', '255.255.0.0'),
    v4('eth0', '10.0.0.1'),
    v4('eth1', '192.168.1.1'),
  ];
  assert.deepEqual(lanAddresses(list), ['10.0.0.1', '192.168.1.1', '169.254.3.4', 'fd00::1']);
  assert.deepEqual(lanAddresses([]), []);
});

test('endpoints on our own subnets are tried first, then private, then public ones, then names', () => {
  const at = (...hosts: string[]) => hosts.map((host) => ({ host, port: 1 }));
  const ours = [v4('eth0', '203.0.113.9', '255.255.255.128'), v6('eth0', '2001:db8:1:2::9')];
  const given = at(
    'home.example',
    '8.8.8.8',
    '10.1.1.1',
    '203.0.113.200',
    '203.0.113.5',
    '2001:db8:1:3::1',
    'fd00::1',
    '2001:db8:1:2::1',
  );
  assert.deepEqual(
    sortEndpoints(given, ours),
    at(
      '203.0.113.5',
      '2001:db8:1:2::1',
      '10.1.1.1',
      'fd00::1',
      '8.8.8.8',
      '203.0.113.200',
      '2001:db8:1:3::1',
      'home.example',
    ),
  );
});

test('what is no IP address is in no subnet', () => {
  assert.equal(inSubnets(subnetsOf([loopback]), 'localhost'), false);
  assert.equal(inSubnets(subnetsOf([loopback]), '127.8.8.8'), true);
});
