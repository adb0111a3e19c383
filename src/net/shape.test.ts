/**
 * A fabric above the size of a mesh: few sessions each, news for everybody, any device on demand, and nobody left alone.
 * Relies on supervisors over channels in memory; keys come from a seed (ALTHING_SEED repeats them).
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { PeerId } from '../core/ids.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import { type NetPeer, SupervisorNet } from '../testing/supervisor-net.ts';
import { waitFor } from '../testing/wait-for.ts';
import { FrameChannel } from './frame-channel.ts';
import { greet } from './handshake.ts';
import { maxNeighbours, Neighbourhood } from './neighbours.ts';
import type { SupervisorOptions } from './supervisor.ts';

const netOf = (t: TestContext, count: number, options: Partial<SupervisorOptions> = {}): SupervisorNet => {
  const net = new SupervisorNet(count, randomFrom(seedOf(t)), options);
  t.after(() => net.close());
  net.start();
  return net;
};

const heardAll = (peers: readonly NetPeer[], all: readonly NetPeer[]): boolean =>
  peers.every(({ heard }) => all.every(({ id }) => heard.has(id)));

/** A peer, and another one that is not its neighbour. */
const strangersOf = ({ peers }: SupervisorNet): [NetPeer, NetPeer] => {
  const neighbours = new Neighbourhood(peers.map(({ id }) => id)).of(peers[0]!.id);
  return [peers[0]!, peers.find(({ id }) => id !== peers[0]!.id && !neighbours.has(id))!];
};

const call = (input: number) => ({ thing: 't', op: 'invokeaction', name: 'a', input }) as const;

test('of 48 members each keeps a few sessions, everybody hears of everybody, and each can ask each', async (t) => {
  const net = netOf(t, 48);
  await waitFor(() => heardAll(net.peers, net.peers), {
    what: () => `everybody to hear of 48; one of ${Math.min(...net.peers.map(({ heard }) => heard.size))}`,
  });
  // Twice as many where somebody was slow, and others stood in.
  for (const { supervisor } of net.peers) assert.ok(supervisor.sessions().length <= 2 * maxNeighbours);
  const [asker] = net.peers;
  const answers = await Promise.all(
    net.peers.slice(1).map(async ({ id }, index) => {
      const session = await asker!.supervisor.reach(id, { timeoutMs: 5000 });
      return [id, await session.request(call(index))];
    }),
  );
  answers.forEach(([id, answer], index) => {
    assert.deepEqual(answer, [id, index]);
  });
});

test('up to 32 members everybody keeps a session with everybody', async (t) => {
  const net = netOf(t, 32);
  await waitFor(() => net.peers.every(({ supervisor }) => supervisor.sessions().length === 31), {
    what: 'a full mesh',
  });
});

test('with half of the members off, news still gets to all others', async (t) => {
  const net = netOf(t, 48);
  await waitFor(() => heardAll(net.peers, net.peers), { what: 'everybody to hear of everybody' });
  const [off, on] = [net.peers.slice(0, 24), net.peers.slice(24)];
  for (const peer of off) net.unplug(peer);
  const news = strangeId(net);
  on[0]!.hear(news);
  await waitFor(() => on.every(({ heard }) => heard.has(news)), {
    timeoutMs: 20_000,
    what: () => `the news to get to all; ${on.filter(({ heard }) => !heard.has(news)).length} are left out`,
  });
  for (const peer of off) peer.isOff = false;
  await waitFor(() => off.every(({ heard }) => heard.has(news)), {
    timeoutMs: 20_000,
    what: 'those who come back to hear it, too',
  });
});

/** The id of nobody: what news is about. */
const strangeId = (net: SupervisorNet): PeerId => {
  const [{ id }] = new SupervisorNet(1, () => 0.5).peers as [NetPeer];
  assert.ok(net.peers.every((peer) => peer.id !== id));
  return id;
};

test('a member that is off is said to be, and one that nobody seeks is not', async (t) => {
  const net = netOf(t, 40);
  const [one, other] = strangersOf(net);
  assert.ok(!one.supervisor.seeks(other.id));
  net.unplug(other);
  const reached = one.supervisor.reach(other.id, { timeoutMs: 5000 });
  assert.ok(one.supervisor.seeks(other.id));
  await assert.rejects(reached, { code: 'peer-offline' });
});

test('a caller that gives up while a session is made is told so at once', async (t) => {
  const net = netOf(t, 40, { dial: () => new Promise(() => {}) });
  const [one, other] = strangersOf(net);
  const giveUp = new AbortController();
  const reached = one.supervisor.reach(other.id, { timeoutMs: 5000, signal: giveUp.signal });
  giveUp.abort();
  await assert.rejects(reached, { code: 'cancelled' });
});

test('a session that neither side needs is let go, and nobody dials anew; a needed one stays', async (t) => {
  const net = netOf(t, 40, { restAfterMs: 300 });
  const [one, other] = strangersOf(net);
  const ended = await one.supervisor.reach(other.id, { timeoutMs: 2000 });
  await ended.request(call(1));
  await waitFor(() => ended.closed && net.between(one, other) === 0, { what: 'the session to end' });
  const dialled = net.channels.length;
  one.followed.add(other.id);
  await waitFor(() => one.supervisor.seeks(other.id) && net.between(one, other) === 1, { what: 'a session' });
  for (const { from, to, end } of net.channels) if (from === one && to === other) end.close({ abrupt: true });
  await waitFor(() => one.supervisor.session(other.id)?.usable && net.channels.length >= dialled + 2, {
    what: 'the session of a peer whose values are followed to come back by itself',
  });
});

/** A channel that `from` opens to `to`, with its handshake done but nobody who uses it. */
const double = async (net: SupervisorNet, from: NetPeer, to: NetPeer): Promise<FrameChannel> => {
  const frames = new FrameChannel(net.connect(from, net.portOf(to.id)));
  await greet(frames, from.gate);
  return frames;
};

test('who is out loses its sessions at once, those that drain and handshakes that have begun included', async (t) => {
  const net = netOf(t, 40);
  const [one, other] = strangersOf(net);
  await one.supervisor.reach(other.id, { timeoutMs: 5000 });
  const doubles = [await double(net, other, one), await double(net, other, one)];
  const pending = new FrameChannel(net.connect(other, net.portOf(one.id)));
  await waitFor(() => net.between(one, other) === 4, { what: 'two doubles and one that has said nothing' });
  one.gone.add(other.id);
  one.supervisor.want(net.peers.map(({ id }) => id).filter((id) => id !== other.id));
  await waitFor(() => doubles.every(({ closed }) => closed) && net.between(one, other) === 1, {
    timeoutMs: 500,
    what: 'all of them to be closed',
  });
  assert.equal(one.supervisor.session(other.id), undefined);
  await assert.rejects(greet(pending, other.gate), { code: 'not-a-member' });
  await assert.rejects(one.supervisor.reach(other.id, { timeoutMs: 500 }), { code: 'peer-offline' });
});

test('who is out while it is being dialled is dialled no more', async (t) => {
  const signals: AbortSignal[] = [];
  const net = new SupervisorNet(2, randomFrom(seedOf(t)), {
    dial: (_, { signal }) => new Promise(() => signals.push(signal)),
  });
  t.after(() => net.close());
  net.start();
  await waitFor(() => signals.length > 0, { what: 'a dial' });
  for (const peer of net.peers) {
    peer.supervisor.want([peer.id]);
    assert.ok(!net.peers.some(({ id }) => peer.supervisor.seeks(id)));
  }
  assert.ok(signals.every(({ aborted }) => aborted));
});
