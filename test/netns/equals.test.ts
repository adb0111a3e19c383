/**
 * That no peer is special: whichever is killed, the others go on; whoever is left lets others in; the path is one hop.
 * Relies on whole peers in network namespaces; without root and iproute2 every test is skipped, and says so.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../src/testing/wait-for.ts';
import { blockMulticast, everybodyOnline, type NetPeer, peerNet } from './peer-net.ts';

const usedWithinMs = 1000;

for (const [index, who] of ['the founder', 'a member'].entries())
  test(`${who} is killed and started again: the others never stop working with each other, and it is in use within 1 s`, async (t) => {
    const lab = await peerNet(t);
    if (!lab) return;
    const hosts = await lab.hostsOnOneSwitch('hall', 'attic', 'cellar');
    const lamp = { lamp: true };
    const peers = await lab.fabricOn(hosts, { hall: lamp, attic: lamp, cellar: lamp });
    const victim = peers[index] as NetPeer;
    const [one, other] = peers.filter((peer) => peer !== victim) as [NetPeer, NetPeer];
    await Promise.all(peers.flatMap((a) => peers.map((b) => a !== b && a.usedLampOf(b))));

    const commands = new CommandStream(one, other);
    await commands.goesOn();
    const killedAt = Date.now();
    await victim.kill();
    await Promise.all([one, other].map((peer) => peer.reported('session-down', victim, killedAt)));
    await commands.goesOn();
    await victim.startAgain();
    const readyAt = Date.now();
    const used = await Promise.all([one, other].map((peer) => peer.usedLampOf(victim)));
    await everybodyOnline(peers);
    await commands.goesOn();
    await commands.stop();
    t.diagnostic(
      `in use ${used.map((time) => time - readyAt).join(' and ')} ms after it was ready; ${commands.count} commands ` +
        `between the others, none failed, the slowest took ${Math.round(commands.slowestMs)} ms`,
    );
    assert.deepEqual(commands.failures, []);
    for (const time of used) assert.ok(time - readyAt < usedWithinMs);
  });

test('with every admin off and multicast blocked, a device joins through another member with a ticket made before', async (t) => {
  const lab = await peerNet(t, { nft: true });
  if (!lab) return;
  const hosts = await lab.hostsOnOneSwitch('hall', 'attic', 'porch');
  for (const host of hosts) await host.nft(blockMulticast);
  const [hall, attic] = (await lab.fabricOn(hosts.slice(0, 2), { attic: { lamp: true } })) as [
    NetPeer,
    NetPeer,
  ];
  // What the attic says of itself has arrived: the ticket names it, too.
  await hall.usedLampOf(attic);
  const { ticket } = await hall.client.invite();
  const porch = await lab.start(hosts[2]!, { lamp: true });
  await hall.kill();
  const askedAt = Date.now();
  const { fabric } = await porch.client.join(ticket);
  const joinedAt = Date.now();
  assert.equal(fabric, hall.process.ready.fabric);
  const used = await Promise.all([porch.usedLampOf(attic), attic.usedLampOf(porch)]);
  t.diagnostic(
    `joined after ${joinedAt - askedAt} ms; used ${used.map((time) => time - joinedAt).join(' and ')} ms later`,
  );
  await hall.startAgain();
  await everybodyOnline([hall, attic, porch]);
});

test('a speaker commands a lamp with every other peer off, over one connection between the two', async (t) => {
  const lab = await peerNet(t);
  if (!lab) return;
  const hosts = await lab.hostsOnOneSwitch('hall', 'speaker', 'lamp', 'attic');
  const [hall, speaker, lamp, attic] = (await lab.fabricOn(hosts, { lamp: { lamp: true } })) as [
    NetPeer,
    NetPeer,
    NetPeer,
    NetPeer,
  ];
  await speaker.usedLampOf(lamp);
  const killedAt = Date.now();
  await Promise.all([hall.kill(), attic.kill()]);
  await Promise.all(
    [hall, attic].flatMap((gone) =>
      [speaker, lamp].map((left) => left.reported('session-down', gone, killedAt)),
    ),
  );
  await speaker.client.writeProperty(lamp.lamp, 'on', true);
  assert.equal(await speaker.client.invokeAction(lamp.lamp, 'toggle'), false);
  assert.equal(await speaker.client.readProperty(lamp.lamp, 'on'), false);

  const [atSpeaker, atLamp] = [await connectionsOf(speaker), await connectionsOf(lamp)];
  t.diagnostic(`the speaker's connections: ${atSpeaker.join('; ')}`);
  assert.equal(atSpeaker.length, 1);
  assert.match(atSpeaker[0]!, /^10\.1\.0\.2:\d+ 10\.1\.0\.3:\d+$/);
  assert.deepEqual(atLamp, [atSpeaker[0]!.split(' ').reverse().join(' ')]);
});

/** The established TCP connections of a host, each `local remote`. */
const connectionsOf = async ({ host }: NetPeer): Promise<string[]> => {
  const { stdout } = await host.exec('ss', ['-tnH', 'state', 'established']);
  const lines = stdout.split('\n').filter(Boolean);
  return lines.map((line) => line.trim().split(/\s+/).slice(2, 4).join(' '));
};

/** Commands from one peer to another's lamp, one after the other without a pause. */
class CommandStream {
  readonly failures: string[] = [];
  count = 0;
  slowestMs = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(from: NetPeer, to: NetPeer) {
    this.#done = this.#run(from, to);
  }

  /** Resolves when twenty more have been answered. */
  async goesOn(): Promise<void> {
    const until = this.count + 20;
    await waitFor(() => this.count >= until, { what: () => `more commands; ${this.failures}` });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(from: NetPeer, to: NetPeer): Promise<void> {
    while (!this.#stopped && this.failures.length === 0) {
      const began = performance.now();
      try {
        await from.client.writeProperty(to.lamp, 'on', this.count % 2 === 0, { timeoutMs: 2000 });
      } catch (error) {
        this.failures.push(String(error));
      }
      this.count += 1;
      this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
    }
  }
}
