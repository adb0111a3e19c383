/**
 * `kill -9` at any moment under load: nothing acknowledged is lost, and nobody ever sees two bodies for one position.
 * Relies on the program itself and on a witness in session with it; the moments come from a seed (ALTHING_SEED).
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { toHex } from '../../src/core/bytes.ts';
import { toAlthingError } from '../../src/core/errors.ts';
import type { PeerId } from '../../src/core/ids.ts';
import { openTicket } from '../../src/peer/join.ts';
import { comparePositions, recordValue, type SignedRecord } from '../../src/replica/record.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { ProcessLab } from '../../src/testing/process-lab.ts';
import { randomFrom, seedOf } from '../../src/testing/seed.ts';
import { waitFor } from '../../src/testing/wait-for.ts';
import { Witness } from './witness.ts';

const lab = new ProcessLab();
after(() => lab.close());

const long = process.env.ALTHING_TEST_LONG === '1';
const rounds = long ? 1000 : 20;
/** A machine that is busy with other things does fewer: a test of durability is none of speed. */
const longestMs = long ? Number.POSITIVE_INFINITY : 75_000;
const loadMs = 120;
/** What one round asks the gateway for: enough to be at work, little enough for a thousand rounds. */
const perRound = 3;

/** Things that come and go as fast as they can. */
const churn = `export default async (wot) => {
  const next = async (n) => {
    const thing = await wot.produce({ title: 'Thing ' + (n % 5), properties: { n: { type: 'number', const: n } } });
    thing.setPropertyReadHandler('n', async () => n);
    await thing.expose();
    await thing.destroy();
    setImmediate(next, n + 1);
  };
  setTimeout(next, 1, Date.now());
};`;

const untilKilled = async (work: () => Promise<void>): Promise<void> => {
  try {
    for (let i = 0; i < perRound; i++) await work();
  } catch (thrown) {
    const { code, message } = toAlthingError(thrown);
    const cutOff = [
      'not-running',
      'connection-lost',
      'outcome-unknown',
      'protocol-error',
      'internal',
      'cancelled',
    ];
    assert.ok(cutOff.includes(code), `${code}: ${message}`);
  }
};

/** The newest data record of each slot, of one author's records. */
const newestOf = (records: readonly SignedRecord[]): Map<string, SignedRecord> => {
  const newest = new Map<string, SignedRecord>();
  for (const record of records) {
    if (record.stream !== 'data') continue;
    const slot = `${record.authorId} ${record.collection} ${record.key}`;
    const known = newest.get(slot);
    if (!known || comparePositions(known, record) < 0) newest.set(slot, record);
  }
  return newest;
};

test(`after ${rounds} kills under load all that was acknowledged is there, and nothing was said twice`, async (t) => {
  const random = randomFrom(seedOf(t));
  const script = join(await lab.makeHome(), 'churn.mjs');
  await writeFile(script, churn);
  const peer = await lab.startPeer({ name: 'hall', args: ['--things', script] });
  const client = new GatewayClient(unixTransport({ socketPath: peer.ready.gateway.socket, home: peer.home }));
  const witness = new Witness();
  t.after(() => witness.close());
  await witness.join(peer.ready, (await client.invite({})).ticket);
  const invites = new Set<string>();
  const startsMs: number[] = [];
  await witness.connect(peer.ready);
  const until = performance.now() + longestMs;
  for (let round = 0; round < rounds && performance.now() < until; round++) {
    const tokens = new Set<string>();
    const work = [
      untilKilled(async () => {
        const { ticket } = await client.invite({});
        invites.add(toHex(openTicket(ticket, nodeCrypto).invite.publicKey));
      }),
      untilKilled(async () => {
        tokens.add((await client.createToken('read')).id);
      }),
    ];
    await delay(random() * loadMs);
    await peer.kill('SIGKILL');
    await Promise.all(work);
    witness.close();
    const begun = performance.now();
    await peer.start();
    startsMs.push(performance.now() - begun);

    const before = [...witness.seen.values()].filter(({ authorId }) => authorId === peer.id);
    await witness.connect(peer.ready);
    const held = await witness.fetch(peer.id as PeerId);
    const hashes = new Set(held.map(({ hash }) => hash));
    for (const { stream, hash, key } of before)
      if (stream === 'control') assert.ok(hashes.has(hash), `round ${round}: ${key} is lost`);
    // The slots are written while they are looked at: what is newer comes by itself.
    let lost: string | undefined;
    await waitFor(
      () => {
        const slots = newestOf(witness.shown);
        lost = [...newestOf(before)].find(([slot, record]) => {
          const now = slots.get(slot);
          return !now || comparePositions(now, record) < 0;
        })?.[0];
        return lost === undefined;
      },
      { timeoutMs: 60_000, what: () => `round ${round}: ${lost} to be there again` },
    );
    const inviteKeys = new Set(
      held
        .filter(({ collection }) => collection === 'member')
        .map((record) => recordValue(record) as { type?: string; invite?: Uint8Array })
        .flatMap(({ type, invite }) => (type === 'invite' && invite ? [toHex(invite)] : [])),
    );
    for (const invite of invites) assert.ok(inviteKeys.has(invite), `round ${round}: an invite is lost`);
    const known = (await client.tokens()).map(({ id }) => id);
    for (const id of tokens) assert.ok(known.includes(id), `round ${round}: the token ${id} is lost`);
    for (const id of known) await client.revokeToken(id);
    assert.deepEqual(witness.contradictions, [], `round ${round}`);
  }
  const sorted = startsMs.toSorted((a, b) => a - b);
  t.diagnostic(
    `${startsMs.length} rounds; start to ready: median ${Math.round(sorted[sorted.length >> 1]!)} ms, most ${Math.round(sorted.at(-1)!)} ms; ` +
      `${invites.size} invites, ${witness.seen.size} records seen`,
  );
  assert.ok(
    startsMs.length >= 5 && witness.seen.size > startsMs.length,
    `${witness.seen.size} records were seen`,
  );
});
