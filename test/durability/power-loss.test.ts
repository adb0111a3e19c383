/**
 * The promise of durability when the power goes: all that was acknowledged is there, and batches are whole or absent.
 * Relies on `power-cut.ts`; the moments and what is left of unsynced writes come from a seed that a failure names.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { toHex } from '../../src/core/bytes.ts';
import { createPeer } from '../../src/peer/create-peer.ts';
import { openTicket } from '../../src/peer/join.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { openStateStore } from '../../src/store/state-store.ts';
import { ProcessLab } from '../../src/testing/process-lab.ts';
import { randomFrom, seedOf } from '../../src/testing/seed.ts';
import { waitFor } from '../../src/testing/wait-for.ts';
import { type Journal, PowerLab, whyNot } from './power-cut.ts';

const skip = whyNot;
const long = process.env.ALTHING_TEST_LONG === '1';
const batches = long ? 600 : 150;

const powerLab = (t: TestContext): PowerLab => {
  const lab = new PowerLab();
  t.after(() => lab.close());
  return lab;
};

/** Runs the writer to its end. */
const written = async (lab: PowerLab, mode: 'full' | 'off'): Promise<Journal> => {
  const writer = fileURLToPath(new URL('power-writer.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', writer, lab.dir, String(batches), mode],
    {
      env: { ...process.env, ...lab.env },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  return lab.journal();
};

/** What is wrong with a store after a cut; undefined where nothing is. */
const lossAfter = async (
  dir: string,
  acknowledged: readonly number[],
  each: number,
): Promise<string | undefined> => {
  const counts = new Map<number, number>();
  try {
    const store = await openStateStore(join(dir, 'state.db'));
    const { records, local } = await store.load().finally(() => store.close());
    for (const bytes of [...records, ...local.values()]) {
      const n = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      counts.set(n, (counts.get(n) ?? 0) + 1);
    }
  } catch (error) {
    return String(error);
  }
  const lost = acknowledged.find((n) => !counts.has(n));
  if (lost !== undefined) return `batch ${lost} of ${acknowledged.length} acknowledged is lost`;
  const [part] = [...counts].filter(([, count]) => count !== each);
  return part && `batch ${part[0]} is there in part`;
};

const cutsOf = async (
  lab: PowerLab,
  journal: Journal,
  { seed, rounds, each }: { seed: number; rounds: number; each: number },
): Promise<string | undefined> => {
  const random = randomFrom(seed);
  for (let round = 0; round < rounds; round++) {
    const cut = Math.floor(random() * (journal.operations.length + 1));
    const dir = lab.newDir();
    journal.rebuild(dir, cut, random);
    const acknowledged = journal.written('acks', cut).split('\n').slice(0, -1).map(Number);
    const loss = await lossAfter(dir, acknowledged, each);
    rmSync(dir, { recursive: true });
    if (loss !== undefined)
      return `round ${round}, cut after ${cut} of ${journal.operations.length}: ${loss}`;
  }
  return undefined;
};

test('whenever the power goes, the store has all that it said is durable, and no batch in part', {
  skip,
}, async (t) => {
  const lab = powerLab(t);
  const journal = await written(lab, 'full');
  assert.ok(journal.operations.length > batches, `${journal.operations.length} operations were journalled`);
  t.diagnostic(`${journal.operations.length} operations`);
  assert.equal(journal.written('acks', journal.operations.length).split('\n').length, batches + 1);
  const loss = await cutsOf(lab, journal, { seed: seedOf(t), rounds: long ? 2000 : 12, each: 3 });
  assert.equal(loss, undefined);
});

test('the cut is sharp: without SQLite waiting for the disk it finds a loss', { skip }, async (t) => {
  const lab = powerLab(t);
  const journal = await written(lab, 'off');
  const loss = await cutsOf(lab, journal, { seed: seedOf(t), rounds: 12, each: 1 });
  t.diagnostic(loss ?? 'none');
  assert.notEqual(loss, undefined);
});

test('a disk that fails under a running peer is told once, Things go on, and it stores again by itself', {
  skip,
}, async (t) => {
  const power = powerLab(t);
  const processes = new ProcessLab();
  t.after(() => processes.close());
  const peer = await processes.startPeer({ home: power.dir, name: 'hall', env: power.env });
  const client = new GatewayClient(unixTransport({ socketPath: peer.ready.gateway.socket, home: power.dir }));
  for (const [errno, code] of [
    [5, 'disk-failed'],
    [30, 'disk-failed'],
    [28, 'disk-full'],
  ] as const) {
    const before = peer.process.stderr.length;
    power.failWith(errno);
    for (let i = 0; i < 5; i++) await assert.rejects(client.createToken('read'), { code });
    await assert.rejects(client.invite({}), { code });
    assert.equal((await client.self()).fabric, peer.ready.fabric);
    power.failWith(null);
    await waitFor(() => client.createToken('read').then(Boolean, () => false), { what: 'a disk that works' });
    const told = peer.process.stderr.slice(before).split('\n');
    // At most the database and the small file, and at the end that all is well.
    assert.ok(
      told.filter((line) => line.includes('"code"')).length <= 2 && told.length <= 5,
      told.join('\n'),
    );
  }
  const tokens = (await client.tokens()).length;
  await peer.restart();
  assert.equal((await client.tokens()).length, tokens);
});

test('a peer whose power goes keeps its key, its fabric and all that was acknowledged', {
  skip,
}, async (t) => {
  const random = randomFrom(seedOf(t));
  const processes = new ProcessLab();
  t.after(() => processes.close());
  for (let run = 0; run < (long ? 20 : 2); run++) {
    const power = powerLab(t);
    const peer = await processes.startPeer({ home: power.dir, name: 'hall', env: power.env });
    const client = new GatewayClient(
      unixTransport({ socketPath: peer.ready.gateway.socket, home: power.dir }),
    );
    const tokens = new Set<string>();
    for (let n = Math.floor(random() * 15); n >= 0; n--) tokens.add((await client.createToken('read')).id);
    const { ticket } = await client.invite({});
    await peer.kill('SIGKILL');
    const journal = power.journal();
    for (let round = 0; round < (long ? 20 : 2); round++) {
      const home = power.newDir();
      journal.rebuild(home, journal.operations.length, random);
      const again = await createPeer({ home, offline: true });
      const known = new Set(again.tokens.list().map(({ id }) => id));
      const { fabric, role, name } = again.self();
      await again.stop();
      assert.deepEqual(
        { peer: again.id, fabric, role, name },
        {
          peer: peer.id,
          fabric: peer.ready.fabric,
          role: 'admin',
          name: 'hall',
        },
      );
      assert.deepEqual(known, tokens);
      const invite = toHex(openTicket(ticket, nodeCrypto).invite.publicKey);
      const store = await openStateStore(join(home, 'state.db'));
      const { records } = await store.load().finally(() => store.close());
      assert.ok(
        records.some((raw) => toHex(raw).includes(invite)),
        'the invite is there',
      );
    }
  }
});
