/**
 * How peers find each other on networks as they are: without a router, without addresses, on several networks at once.
 * Relies on whole peers in network namespaces; without root and iproute2 every test is skipped, and says so.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockMulticast, everybodyOnline, type NetPeer, peerNet } from './peer-net.ts';

test('two members on one switch, without a default route, are in session within 1 s of the start of the second', async (t) => {
  const lab = await peerNet(t);
  if (!lab) return;
  const hosts = await lab.hostsOnOneSwitch('hall', 'attic');
  const [hall, attic] = (await lab.fabricOn(hosts, { hall: { lamp: true } })) as [NetPeer, NetPeer];
  assert.equal(await hall.host.ip('route', 'show', 'default'), '');

  await attic.kill();
  const spawnedAt = Date.now();
  await attic.startAgain();
  const readyAt = Date.now();
  const upAt = await hall.reported('session-up', attic, spawnedAt);
  const usedAt = await attic.usedLampOf(hall);
  t.diagnostic(
    `in session ${upAt - spawnedAt} ms after the process began, ${upAt - readyAt} ms after it was ready; ` +
      `used ${usedAt - spawnedAt} ms after the process began`,
  );
  assert.ok(upAt - readyAt < 1000);
});

test('a joiner whose ticket names no address that works finds a member by itself', async (t) => {
  const lab = await peerNet(t);
  if (!lab) return;
  const s1 = await lab.net.switch('s1');
  const [hallHost, atticHost] = [await lab.net.host('hall'), await lab.net.host('attic')];
  const cable = await lab.net.connect(hallHost, s1, '10.1.0.1/24');
  await lab.net.connect(atticHost, s1, '10.1.0.2/24');
  const [hall, attic] = await Promise.all([lab.start(hallHost), lab.start(atticHost, { lamp: true })]);
  const { ticket } = await hall.client.invite();
  await cable.changeAddress('10.1.0.77/24');
  const askedAt = Date.now();
  const { fabric } = await attic.client.join(ticket);
  t.diagnostic(`joined after ${Date.now() - askedAt} ms`);
  assert.equal(fabric, hall.process.ready.fabric);
  await hall.usedLampOf(attic);
});

test('a peer on two networks is found on both, and a member on each uses its Thing', async (t) => {
  const lab = await peerNet(t);
  if (!lab) return;
  const [s1, s2] = [await lab.net.switch('s1'), await lab.net.switch('s2')];
  const [hallHost, atticHost, cellarHost] = [
    await lab.net.host('hall'),
    await lab.net.host('attic'),
    await lab.net.host('cellar'),
  ];
  await lab.net.connect(atticHost, s1, '10.1.0.2/24');
  await lab.net.connect(cellarHost, s2, '192.168.7.3/24');
  const [hall, attic, cellar] = await Promise.all([
    lab.start(hallHost, { lamp: true }),
    lab.start(atticHost),
    lab.start(cellarHost),
  ]);
  // Made before there was a network, the ticket can name no address on either.
  const { ticket } = await hall.client.invite({ uses: 2 });
  await lab.net.connect(hallHost, s1, '10.1.0.1/24');
  await lab.net.connect(hallHost, s2, '192.168.7.1/24');
  await Promise.all([attic.client.join(ticket), cellar.client.join(ticket)]);
  await Promise.all([attic.usedLampOf(hall), cellar.usedLampOf(hall)]);
  const own = (address: string | null): string => address?.split('.')[0] ?? '';
  assert.equal(own(await attic.addressOf(hall)), '10');
  assert.equal(own(await cellar.addressOf(hall)), '192');
});

test('with multicast blocked, a ticket that names one peer is enough to learn of all', async (t) => {
  const lab = await peerNet(t, { nft: true });
  if (!lab) return;
  const hosts = await lab.hostsOnOneSwitch('hall', 'attic', 'cellar', 'porch');
  for (const host of hosts) await host.nft(blockMulticast);
  const startedAt = Date.now();
  await lab.fabricOn(hosts);
  t.diagnostic(`four peers in session with each other ${Date.now() - startedAt} ms after the first start`);
});

test('with multicast blocked and every address changed, one bootstrap address is enough to learn of all', async (t) => {
  const lab = await peerNet(t, { nft: true });
  if (!lab) return;
  const s1 = await lab.net.switch('s1');
  const names = ['hall', 'attic', 'cellar'];
  const hosts = await Promise.all(names.map((name) => lab.net.host(name)));
  const cables = [];
  for (const [index, host] of hosts.entries()) {
    await host.nft(blockMulticast);
    cables.push(await lab.net.connect(host, s1, `10.1.0.${index + 1}/24`));
  }
  const bootstrap = { bootstrap: ['10.1.0.101:7421'] };
  const peers = await lab.fabricOn(hosts, { attic: bootstrap, cellar: bootstrap });
  await Promise.all(peers.map((peer) => peer.kill()));
  for (const [index, cable] of cables.entries()) await cable.changeAddress(`10.1.0.${index + 101}/24`);
  const startedAt = Date.now();
  await Promise.all(peers.map((peer) => peer.startAgain()));
  await everybodyOnline(peers);
  t.diagnostic(
    `three peers in session with each other ${Date.now() - startedAt} ms after their processes began`,
  );
});

test('members in two subnets, with a router between them, use each other by one bootstrap address', async (t) => {
  const lab = await peerNet(t);
  if (!lab) return;
  const [s1, s2] = [await lab.net.switch('s1'), await lab.net.switch('s2')];
  const [hallHost, atticHost, router] = [
    await lab.net.host('hall'),
    await lab.net.host('attic'),
    await lab.net.router('router'),
  ];
  const hallCable = await lab.net.connect(hallHost, s1, '10.1.0.1/24');
  const atticCable = await lab.net.connect(atticHost, s2, '10.2.0.1/24');
  await lab.net.connect(router, s1, '10.1.0.254/24');
  await lab.net.connect(router, s2, '10.2.0.254/24');
  await hallHost.defaultRoute('10.1.0.254');
  await atticHost.defaultRoute('10.2.0.254');
  const [hall, attic] = (await lab.fabricOn([hallHost, atticHost], {
    hall: { lamp: true },
    attic: { lamp: true, bootstrap: ['10.1.0.101:7421'] },
  })) as [NetPeer, NetPeer];
  // With both moved while they were off, the bootstrap address is the only one that leads anywhere.
  await Promise.all([hall.kill(), attic.kill()]);
  await hallCable.changeAddress('10.1.0.101/24');
  await hallHost.defaultRoute('10.1.0.254');
  await atticCable.changeAddress('10.2.0.101/24');
  await atticHost.defaultRoute('10.2.0.254');
  await Promise.all([hall.startAgain(), attic.startAgain()]);
  await Promise.all([hall.usedLampOf(attic), attic.usedLampOf(hall)]);
});

test('a peer behind a NAT dials out, and the peer outside uses it over that session', async (t) => {
  const lab = await peerNet(t, { nft: true });
  if (!lab) return;
  const [home, internet] = [await lab.net.switch('home'), await lab.net.switch('internet')];
  const [hallHost, farHost, nat] = [
    await lab.net.host('hall'),
    await lab.net.host('far'),
    await lab.net.router('nat'),
  ];
  await lab.net.connect(hallHost, home, '192.168.1.2/24');
  await lab.net.connect(nat, home, '192.168.1.1/24');
  const outside = await lab.net.connect(nat, internet, '203.0.113.1/24');
  await lab.net.connect(farHost, internet, '203.0.113.9/24');
  await nat.nat(outside);
  await hallHost.defaultRoute('192.168.1.1');
  await farHost.defaultRoute('203.0.113.1');
  const [far, hall] = (await lab.fabricOn([farHost, hallHost], { hall: { lamp: true } })) as [
    NetPeer,
    NetPeer,
  ];
  await far.usedLampOf(hall);
  assert.match((await far.addressOf(hall)) ?? '', /^203\.0\.113\.1:/);

  await hall.kill();
  await hall.startAgain();
  const readyAt = Date.now();
  t.diagnostic(`used again ${(await far.usedLampOf(hall)) - readyAt} ms after it was ready`);
});
