/**
 * The promises of one attempt to reach a peer: whom it speaks to, how often, and what good news does to it.
 * Relies on channels in memory with the real handshake on both ends.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { asker, device } from '../testing/session-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { Channel, Endpoint } from './channel.ts';
import { Attempt } from './dialler.ts';
import { FrameChannel } from './frame-channel.ts';
import { answerDoor, type Gatekeeper, greet } from './handshake.ts';

const gate: Gatekeeper = {
  fabric: new Uint8Array(32),
  proof: () => [],
  isPlain: () => true,
  check: () => {},
  farewell: () => [],
  dismissed: () => {},
  admit: async () => [],
};
const at = (host: string): Endpoint => ({ host, port: 7421 });

/** A network with peers at some addresses; others are silent until the dialler gives up. */
class Neighbourhood {
  readonly dialled: string[] = [];
  /** Channels that were greeted, and are in use at the other side. */
  readonly greeted: Channel[] = [];
  /** Called at the other side when the first word has arrived, before it is answered. */
  onHello: () => void = () => {};
  readonly #answering = new Map<string, { peer: PeerId; after: Promise<void> }>();
  readonly #opened: Channel[] = [];

  put(host: string, peer: PeerId = device, after: Promise<void> = Promise.resolve()): void {
    this.#answering.set(host, { peer, after });
  }

  /** Channels at the other side that heard nothing and are still open. */
  get unspoken(): number {
    return this.#opened.length - this.greeted.length;
  }

  readonly dial = (endpoint: Endpoint, { signal }: { signal: AbortSignal }): Promise<Channel> =>
    new Promise((resolve, reject) => {
      this.dialled.push(endpoint.host);
      const give = (): void => reject(new AlthingError('cancelled', 'given up'));
      signal.addEventListener('abort', give, { once: true });
      const there = this.#answering.get(endpoint.host);
      void there?.after.then(() => {
        const [mine, theirs] = memoryChannelPair(asker, there.peer);
        this.#opened.push(theirs);
        answerDoor(new FrameChannel(theirs), { ...gate, check: () => this.onHello() }).then(
          () => this.greeted.push(theirs),
          () => this.#opened.splice(this.#opened.indexOf(theirs), 1),
        );
        resolve(mine);
      });
    });

  attempt(hosts: string[], meant: PeerId = device): Attempt {
    const endpoints = () => hosts.map(at);
    return new Attempt({
      endpoints,
      dial: this.dial,
      greet: (frames) => greet(frames, gate),
      meant: (peer) => peer === meant,
    });
  }
}

test('of several addresses that answer one is greeted, and the others hear nothing', async () => {
  const net = new Neighbourhood();
  const together = Promise.withResolvers<void>();
  for (const host of ['one', 'two', 'three']) net.put(host, device, together.promise);
  const attempt = net.attempt(['one', 'two', 'three']);
  await waitFor(() => net.dialled.length === 3, { what: 'all to be dialled' });
  together.resolve();
  const frames = await attempt.result;
  assert.equal(frames.closed, false);
  await waitFor(() => net.unspoken === 0, { what: 'the others to be closed' });
  assert.equal(net.greeted.length, 1);
});

test('nothing is said to a key that was not meant', async () => {
  const net = new Neighbourhood();
  net.put('one', asker);
  await assert.rejects(net.attempt(['one']).result, { code: 'wrong-peer' });
  await waitFor(() => net.unspoken === 0, { what: 'the channel to be closed' });
  assert.equal(net.greeted.length, 0);
});

test('good news reaches an attempt that hangs on an old address', async () => {
  const net = new Neighbourhood();
  const hosts = ['old'];
  const attempt = net.attempt(hosts);
  net.put('new');
  hosts.push('new');
  attempt.again();
  await attempt.result;
  assert.equal(net.greeted.length, 1);
});

test('an attempt that is given up before it found anybody says so', async () => {
  const net = new Neighbourhood();
  const attempt = net.attempt(['silent']);
  attempt.cancel();
  await assert.rejects(attempt.result, { code: 'cancelled' });
});

test('a greeting that has begun is not given up, since the other side may have taken the channel into use', async () => {
  const net = new Neighbourhood();
  net.put('one');
  const attempt = net.attempt(['one']);
  net.onHello = () => attempt.cancel();
  assert.equal((await attempt.result).closed, false);
  assert.equal(net.greeted.length, 1);
});

test('an attempt without any address fails at once', async () => {
  await assert.rejects(new Neighbourhood().attempt([]).result, { code: 'peer-offline' });
});
