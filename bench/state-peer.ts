/**
 * One peer of the state bench in a process of its own: does what its parent says and measures itself.
 * Relies on the channel that `fork` opens; HOME is its argument.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createPeer } from '../src/peer/create-peer.ts';
import { tdOf, titleOf } from './state-home.ts';

const [home = ''] = process.argv.slice(2);
const spawnedAt = Number(process.env.ALTHING_BENCH_SPAWNED);
const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();

/** Bytes of every connection that was let in, as far as they were seen before it closed. */
const sockets = new Map<Socket, number>();
subscribe('net.server.socket', (message) => sockets.set((message as { socket: Socket }).socket, 0));
const wireBytes = (): number => {
  for (const [socket, before] of sockets)
    sockets.set(socket, Math.max(before, socket.bytesRead + socket.bytesWritten));
  return [...sockets.values()].reduce((sum, bytes) => sum + bytes, 0);
};
setInterval(wireBytes, 50).unref();

const say = (message: object): void => {
  process.send?.(message);
};
const measure = () => ({
  atMs: Date.now() - spawnedAt,
  rssMb: process.memoryUsage().rss / 1e6,
  longestDelayMs: delays.max / 1e6,
  wireMb: wireBytes() / 1e6,
});

const peer = await createPeer({ home, listen: '127.0.0.1:0', mdns: false });
say({ ...measure(), things: peer.things().length });
delays.reset();

interface Order {
  readonly op: 'invite' | 'join' | 'wait' | 'change' | 'measure' | 'stop';
  readonly ticket?: string;
  readonly things?: number;
  readonly round?: number;
  readonly changed?: number;
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Things that came, and those that say they are of the second round. */
let arrived = 0;
let newer = 0;
peer.onDirectoryChange(({ kind, td }) => {
  if (kind === 'thing_created') arrived += 1;
  if (String(td.description).startsWith('round 1 ')) newer += 1;
});

const obey = async ({ op, ticket = '', things = 0, round = 0, changed = 0 }: Order): Promise<object> => {
  if (op === 'invite') return { ticket: (await peer.invite({})).ticket };
  if (op === 'join') {
    delays.reset();
    const begun = performance.now();
    await peer.join(ticket);
    const joinedMs = performance.now() - begun;
    await until(() => arrived >= things);
    return { joinedMs, allMs: performance.now() - begun };
  }
  if (op === 'wait') {
    await until(() => newer >= changed);
    return {};
  }
  if (op === 'change') {
    const wot = peer.wotFor('program', { trusted: true });
    const all = Array.from({ length: changed }, async (_, n) =>
      (await wot.produce(tdOf(titleOf(n), round))).expose(),
    );
    await Promise.all(all);
    return {};
  }
  if (op === 'measure') {
    const result = measure();
    delays.reset();
    return result;
  }
  await peer.stop();
  return {};
};

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => {
      say(result);
      if (order.op === 'stop') process.disconnect();
    },
    (error: unknown) => say({ error: String(error) }),
  );
});
