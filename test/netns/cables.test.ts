/**
 * What happens when networks fail under running peers: cables pulled and put back, addresses changed, switches split.
 * Relies on whole peers in network namespaces; without root and iproute2 every test is skipped, and says so.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AlthingError } from '../../src/core/errors.ts';
import type { Link, Trunk } from '../../src/testing/netns-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';
import { type NetPeer, type PeerNet, peerNet } from './peer-net.ts';

const noticedWithinMs = 2000;
const usedWithinMs = 1000;
const usedAfterMoveWithinMs = 3000;

interface Pair {
  readonly lab: PeerNet;
  readonly hall: NetPeer;
  readonly attic: NetPeer;
  readonly hallCable: Link;
  readonly atticCable: Link;
  /** The cable between the two switches, which no host sees. */
  readonly trunk: Trunk;
}

/** Two members, each with a lamp, on two switches with a cable between them. */
const pair = async (t: TestContext): Promise<Pair | undefined> => {
  const lab = await peerNet(t);
  if (!lab) return undefined;
  const [s1, s2] = [await lab.net.switch('s1'), await lab.net.switch('s2')];
  const [hallHost, atticHost] = [await lab.net.host('hall'), await lab.net.host('attic')];
  const hallCable = await lab.net.connect(hallHost, s1, '10.1.0.1/24');
  const atticCable = await lab.net.connect(atticHost, s2, '10.1.0.2/24');
  const trunk = await lab.net.trunk(s1, s2);
  const [hall, attic] = (await lab.fabricOn([hallHost, atticHost], {
    hall: { lamp: true },
    attic: { lamp: true },
  })) as [NetPeer, NetPeer];
  await Promise.all([hall.usedLampOf(attic), attic.usedLampOf(hall)]);
  return { lab, hall, attic, hallCable, atticCable, trunk };
};

/** Pulls a cable, waits until both have noticed and then `outMs` longer, puts it back, and checks the promises. */
const pullAndPlug = async (
  t: TestContext,
  { hall, attic }: Pair,
  cable: Link | Trunk,
  outMs = 0,
): Promise<void> => {
  const pulledAt = Date.now();
  await cable.unplug();
  const noticed = await Promise.all([
    hall.reported('session-down', attic, pulledAt),
    attic.reported('session-down', hall, pulledAt),
  ]);
  assert.equal(await hall.isOnline(attic), false);
  assert.equal(await attic.isOnline(hall), false);
  await waitFor(() => Date.now() - pulledAt >= outMs, { timeoutMs: outMs + 1000, what: 'the outage' });

  const pluggedAt = Date.now();
  await cable.plug();
  const used = await Promise.all([hall.usedLampOf(attic), attic.usedLampOf(hall)]);
  const said = (times: number[], since: number): string => times.map((time) => time - since).join(' and ');
  t.diagnostic(`noticed after ${said(noticed, pulledAt)} ms, used again after ${said(used, pluggedAt)} ms`);
  for (const time of noticed)
    assert.ok(time - pulledAt < noticedWithinMs, `noticed ${time - pulledAt} ms later`);
  for (const time of used)
    assert.ok(
      time - pluggedAt < usedWithinMs,
      `used ${time - pluggedAt} ms later; ${hall.describe()}\n${attic.describe()}`,
    );
};

for (const name of ['hallCable', 'atticCable'] as const)
  test(`a pulled ${name === 'hallCable' ? "founder's" : "member's"} cable is noticed by both within 2 s, and both use each other within 1 s of its return`, async (t) => {
    const made = await pair(t);
    if (made) await pullAndPlug(t, made, made[name]);
  });

test('a cable that no host sees is noticed within 2 s when pulled, and after 10 s without it used within 1 s of its return', async (t) => {
  const made = await pair(t);
  if (made) await pullAndPlug(t, made, made.trunk, 10_000);
});

test('a cable that is out too shortly for anyone to notice interrupts nothing', async (t) => {
  const made = await pair(t);
  if (!made) return;
  const { hall, attic, trunk } = made;
  const since = Date.now();
  await trunk.unplug();
  await waitFor(() => Date.now() - since > 500, { what: 'half a second' });
  await trunk.plug();
  await hall.client.writeProperty(attic.lamp, 'on', true);
  assert.equal(await attic.client.readProperty(attic.lamp, 'on'), true);
  assert.deepEqual(
    hall.activities.filter(({ kind }) => kind === 'session-down'),
    [],
  );
});

test('after a change of address a peer is used again within 3 s, and a subscription goes on with nothing twice and nothing lost', async (t) => {
  const made = await pair(t);
  if (!made) return;
  const { hall, attic, atticCable } = made;
  const log = new TickLog();
  const left = new AbortController();
  t.after(() => left.abort());
  const values = await hall.client.subscribeEvent(attic.lamp, 'tick', {
    signal: left.signal,
    onMissed: (error) => log.missed(error),
  });
  void log.follow(values);
  await log.goesOn();

  const movedAt = Date.now();
  await atticCable.changeAddress('10.1.0.77/24');
  const used = await Promise.all([hall.usedLampOf(attic), attic.usedLampOf(hall)]);
  await log.goesOn();
  t.diagnostic(
    `used again after ${used.map((time) => time - movedAt).join(' and ')} ms; the longest silence of the ` +
      `subscription was ${log.longestSilenceMs} ms; ${log.missedCount} of ${log.last} values reported missed`,
  );
  for (const time of used) assert.ok(time - movedAt < usedAfterMoveWithinMs);
  assert.deepEqual(log.faults, []);
});

/** Checks the ticks of a lamp as they come: each number once, in order, or said to be missed. */
class TickLog {
  readonly faults: string[] = [];
  last = 0;
  missedCount = 0;
  longestSilenceMs = 0;
  #missed = 0;
  #heardAt = 0;

  missed(error: AlthingError): void {
    const { missed } = (error.details ?? {}) as { missed?: number | null };
    if (typeof missed !== 'number') this.faults.push(`how many were missed after ${this.last} was not said`);
    else {
      this.#missed += missed;
      this.missedCount += missed;
    }
  }

  async follow(values: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const value of values) this.#take(value as number);
    } catch (error) {
      if (!(error instanceof AlthingError && error.code === 'cancelled')) this.faults.push(String(error));
    }
  }

  /** Resolves when ten more values have come. */
  async goesOn(): Promise<void> {
    const until = this.last + 10;
    await waitFor(() => this.last >= until, {
      what: () => `the subscription to go on after ${this.last}; ${this.faults}`,
    });
  }

  #take(value: number): void {
    const now = Date.now();
    if (this.last > 0) {
      this.longestSilenceMs = Math.max(this.longestSilenceMs, now - this.#heardAt);
      if (value !== this.last + 1 + this.#missed)
        this.faults.push(`${value} came after ${this.last}, with ${this.#missed} said to be missed`);
    }
    this.#heardAt = now;
    this.#missed = 0;
    this.last = value;
  }
}
