/**
 * The law of doubles: two peers that dial each other at once, with any timing, agree on one channel, and no request that
 * was under way on the other one fails.
 * Relies on supervisors over channels in memory whose delays come from a seed (ALTHING_SEED repeats them).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { PeerId } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { type MemoryChannel, memoryChannelPair } from '../testing/memory-channel.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import { asker, device, noServer } from '../testing/session-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import { answerDoor, type Gatekeeper, greet } from './handshake.ts';
import { Supervisor } from './supervisor.ts';

const gate: Gatekeeper = {
  fabric: new Uint8Array(32),
  proof: () => [],
  isPlain: () => true,
  check: () => {},
  farewell: () => [],
  dismissed: () => {},
  admit: async () => [],
};
const longestDelayMs = 150;

/** Two peers, each of whom dials the other, over channels with random delays. */
class Couple {
  readonly pairs: [MemoryChannel, MemoryChannel][] = [];
  readonly one: Supervisor;
  readonly two: Supervisor;
  readonly #random: () => number;
  /** How long the first word on a channel that the higher key dialled is held up; undefined for the usual delays. */
  readonly #stallMs: number | undefined;

  constructor(random: () => number, options: { stallMs?: number } = {}) {
    this.#random = random;
    this.#stallMs = options.stallMs;
    this.one = this.#supervisor(asker, device, () => this.two);
    this.two = this.#supervisor(device, asker, () => this.one);
  }

  #delayMs(): number {
    return this.#random() * (this.#stallMs === undefined ? longestDelayMs : 20);
  }

  #supervisor(self: PeerId, other: PeerId, their: () => Supervisor): Supervisor {
    return new Supervisor({
      self,
      greet: (frames) => greet(frames, gate),
      answer: (frames) => answerDoor(frames, gate),
      belongs: () => true,
      dial: async () => {
        await delay(this.#delayMs());
        // Each channel has a delay of its own: bytes of one keep their order.
        let stallMs = self > other ? (this.#stallMs ?? 0) : 0;
        const latencyMs = this.#delayMs();
        const schedule = (deliver: () => void): void => {
          setTimeout(deliver, latencyMs + stallMs);
          stallMs = 0;
        };
        const pair = memoryChannelPair(self, other, { schedule });
        this.pairs.push(pair);
        void their().accept(pair[1], () => {});
        return pair[0];
      },
      host: {
        serverFor: () => ({
          ...noServer,
          request: async ({ input }) => {
            await delay(this.#delayMs());
            return input;
          },
        }),
        sync: async () => {},
      },
      endpointsOf: () => [{ host: '127.0.0.1', port: 7421 }],
      followed: () => [],
      random: this.#random,
      logger: silentLogger,
      opened: () => {},
      neighbour: () => {},
      closed: () => {},
      fruitless: () => {},
    });
  }

  start(): void {
    setTimeout(() => this.one.want([device]), this.#delayMs());
    setTimeout(() => {
      this.two.want([asker]);
      // Without the courtesy that lets the other one dial first.
      this.two.kick(asker);
    }, this.#delayMs());
  }

  /** The higher key dials first. */
  startInTurn(): void {
    const [higher, lower] = asker > device ? [this.one, this.two] : [this.two, this.one];
    higher.want([asker, device]);
    higher.kick();
    setTimeout(() => lower.want([asker, device]), 100);
  }

  get open(): [MemoryChannel, MemoryChannel][] {
    return this.pairs.filter(([mine, theirs]) => !mine.closed || !theirs.closed);
  }

  /** Asks all the time over whatever session is there, until told to stop; every request must be answered. */
  async ask(from: Supervisor, to: PeerId, stop: AbortSignal): Promise<number> {
    let answered = 0;
    while (!stop.aborted) {
      const session = from.session(to);
      if (session) {
        const call = { thing: 't', op: 'invokeaction', name: 'a', input: answered } as const;
        assert.equal(await session.request(call), answered);
        answered += 1;
      } else
        await waitFor(() => stop.aborted || from.session(to) !== undefined, {
          what: 'a session to ask over',
        });
    }
    return answered;
  }

  close(): void {
    this.one.close();
    this.two.close();
  }
}

test('two peers that dial each other at once agree on one channel, whatever the timing; no request fails', async (t) => {
  const random = randomFrom(seedOf(t));
  const couples = Array.from({ length: 40 }, () => new Couple(random));
  const stop = new AbortController();
  const asking = couples.flatMap((couple) => [
    couple.ask(couple.one, device, stop.signal),
    couple.ask(couple.two, asker, stop.signal),
  ]);
  for (const couple of couples) couple.start();
  await waitFor(() => couples.every(({ one, two }) => one.session(device) && two.session(asker)), {
    what: 'every couple to be in session',
  });
  await waitFor(() => couples.every(({ open }) => open.length === 1), {
    what: () => `one channel each; there were ${couples.map(({ open }) => open.length)}`,
  });
  for (const couple of couples) {
    const [mine, theirs] = [couple.one.session(device), couple.two.session(asker)];
    assert.ok(mine && theirs, 'both are in session');
    assert.notEqual(mine.dialled, theirs.dialled, 'both mean the same channel');
  }
  stop.abort();
  const answered = await Promise.all(asking);
  assert.ok(answered.every((count) => count > 0));
  assert.ok(couples.filter(({ pairs }) => pairs.length > 1).length >= 10, 'there were many doubles');
  for (const couple of couples) couple.close();
  await waitFor(() => couples.every(({ open }) => open.length === 0), { what: 'the end' });
});

test('two that one end sees completed within 2 s of each other, and the other not, are settled alike', async (t) => {
  const random = randomFrom(seedOf(t));
  const couples = Array.from({ length: 40 }, () => new Couple(random, { stallMs: 1950 + random() * 250 }));
  t.after(() => {
    for (const couple of couples) couple.close();
  });
  for (const couple of couples) couple.startInTurn();
  await waitFor(() => couples.every(({ pairs }) => pairs.length > 1), { what: 'doubles' });
  await waitFor(() => couples.every(({ open }) => open.length === 1), {
    what: () => `one channel each; there were ${couples.map(({ open }) => open.length)}`,
  });
  for (const couple of couples) {
    assert.ok(couple.one.session(device) && couple.two.session(asker), 'both are in session');
    assert.equal(couple.pairs.length, 2, 'nobody had to dial anew');
  }
});
