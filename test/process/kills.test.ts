/**
 * The promise of durability: whatever was acknowledged is still there after `kill -9` at any moment, and all goes on.
 * Relies on real processes on loopback; the moments come from a seed that a failure names (ALTHING_SEED repeats it).
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { toAlthingError } from '../../src/core/errors.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { randomFrom, seedOf } from '../../src/testing/seed.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
after(() => lab.close());

const long = process.env.ALTHING_TEST_LONG === '1';
const rounds = long ? 200 : 6;

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

/** Errors that a kill may leave a request with. */
const cutOff = new Set([
  'not-running',
  'connection-lost',
  'outcome-unknown',
  'protocol-error',
  'internal',
  'cancelled',
]);
/** Runs until the peer is gone; gives up what the kill cut off. */
const untilKilled = async (work: () => Promise<void>): Promise<void> => {
  try {
    for (;;) await work();
  } catch (thrown) {
    const { code, message } = toAlthingError(thrown);
    assert.ok(cutOff.has(code), `${code}: ${message}`);
  }
};

const lampScript = `export default async (wot) => {
  for (const title of ['Lamp', 'Fan']) {
    const thing = await wot.produce({ title, properties: { on: { type: 'boolean' } } });
    thing.setPropertyReadHandler('on', async () => true);
    await thing.expose();
  }
};`;

test(`tokens, members and Things outlive ${rounds} kills while they are written`, async (t) => {
  const random = randomFrom(seedOf(t));
  const script = join(await lab.makeHome(), 'things.mjs');
  await writeFile(script, lampScript);
  const peer = await lab.startPeer({ name: 'hall', args: ['--things', script] });
  const { fabric } = peer.ready;
  const things = (await clientOf(peer).things()).map(({ id }) => id).sort();
  assert.equal(things.length, 2);
  const tokens = new Set<string>();
  const revoked = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const client = clientOf(peer);
    const work = [
      untilKilled(async () => {
        tokens.add((await client.createToken('read')).id);
      }),
      untilKilled(async () => {
        const [id] = tokens;
        if (id === undefined || tokens.size < 20) return void (await client.tokens());
        // From now on it may be there or not, until that was acknowledged.
        tokens.delete(id);
        await client.revokeToken(id);
        revoked.add(id);
      }),
      untilKilled(async () => void (await client.invite({}))),
    ];
    await delay(random() * 150);
    await peer.kill('SIGKILL');
    await Promise.all(work);
    await peer.start();
    assert.equal(peer.ready.fabric, fabric, `round ${round}`);
    const listed = new Set((await clientOf(peer).tokens()).map(({ id }) => id));
    for (const id of tokens) assert.ok(listed.has(id), `round ${round}: the token ${id} is lost`);
    for (const id of revoked) assert.ok(!listed.has(id), `round ${round}: the token ${id} is back`);
    assert.deepEqual((await clientOf(peer).things()).map(({ id }) => id).sort(), things, `round ${round}`);
    // What was made but not acknowledged is swept away, so that their number stays in bounds.
    for (const id of listed) if (!tokens.has(id)) await clientOf(peer).revokeToken(id);
  }
  await peer.kill('SIGTERM');
});

test('joining survives kills of either side: a join that was acknowledged holds, one that was not can be repeated', async (t) => {
  const random = randomFrom(seedOf(t));
  const hall = await lab.startPeer({ name: 'hall' });
  const { fabric } = hall.ready;
  const members = new Set([hall.id]);
  for (let round = 0; round < (long ? 60 : 5); round++) {
    const joiner = await lab.startPeer({ name: `joiner-${round}` });
    const { ticket } = await clientOf(hall).invite({ uses: 1 });
    const victim = random() < 0.5 ? hall : joiner;
    const controller = new AbortController();
    let acknowledged = false;
    const joining = clientOf(joiner)
      .join(ticket, { signal: controller.signal })
      .then(
        () => {
          acknowledged = true;
        },
        (thrown: unknown) => {
          const { code, message } = toAlthingError(thrown);
          assert.ok(cutOff.has(code) || code === 'join-unreachable', `${code}: ${message}`);
        },
      );
    await delay(random() * 250);
    await victim.kill('SIGKILL');
    if (victim === joiner) controller.abort();
    await victim.start();
    await joining;
    const self = await clientOf(joiner).self();
    if (acknowledged) assert.equal(self.fabric, fabric, `round ${round}: the acknowledged join is lost`);
    // The one use of the invite is this joiner's, however often it asks.
    if (self.fabric !== fabric) await clientOf(joiner).join(ticket);
    members.add(joiner.id);
    await waitFor(
      async () => {
        const known = new Set((await clientOf(hall).peers()).map(({ peer }) => peer));
        return [...members].every((member) => known.has(member));
      },
      { what: () => hall.process.describe(`to know every member (round ${round})`) },
    );
    await joiner.kill('SIGTERM');
  }
  await hall.kill('SIGTERM');
});
