/**
 * Homes that earlier versions have written are opened for ever, and nothing in them is lost.
 * Relies on `homes/VERSION`, made by the program as it was when that version of the store was the newest; never changed.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../src/core/bytes.ts';
import { createPeer } from '../../src/peer/create-peer.ts';
import { loadConfig, updateConfig } from '../../src/store/config.ts';
import { openStateStore } from '../../src/store/state-store.ts';

const homes = fileURLToPath(new URL('homes/', import.meta.url));

/** What was true of a home when it was written. */
interface Facts {
  readonly peer: string;
  readonly fabric: string;
  readonly name: string;
  readonly role: string;
  readonly members: readonly (readonly [peer: string, name: string, role: string])[];
  readonly things: readonly (readonly [id: string, title: string])[];
  readonly token: { readonly token: string; readonly id: string; readonly scope: string };
}

const copyOf = async (t: TestContext, home: string): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-old-'));
  t.after(() => rm(dir, { recursive: true }));
  await cp(join(homes, home), dir, { recursive: true });
  return dir;
};

const factsOf = async (version: string): Promise<Record<string, Facts>> =>
  JSON.parse(await readFile(join(homes, version, 'facts.json'), 'utf8'));

/** Members and Things as a peer without a network knows them. */
const seenBy = async (home: string) => {
  const peer = await createPeer({ home, offline: true });
  try {
    const { fabric, name, role } = peer.self();
    return {
      self: { peer: peer.id, fabric, name, role },
      members: peer.peers().map(({ peer: id, name, role }) => [id, name, role]),
      things: peer.things().map(({ id, title }) => [id, title]),
      tokens: peer.tokens.list(),
    };
  } finally {
    await peer.stop();
  }
};

for (const version of ['1'])
  for (const who of ['founder', 'joiner'])
    test(`the home of version ${version}, ${who}, is opened with all that it held, twice`, async (t) => {
      const { peer, fabric, name, role, members, things, token } = (await factsOf(version))[who]!;
      const home = await copyOf(t, `${version}/${who}`);
      for (let opening = 1; opening <= 2; opening++) {
        const seen = await seenBy(home);
        assert.deepEqual(seen.self, { peer, fabric, name, role });
        assert.deepEqual(seen.members.sort(), [...members].sort());
        assert.deepEqual(seen.things.sort(), [...things].sort());
        assert.deepEqual(
          seen.tokens.map(({ id, scope }) => ({ id, scope })),
          [{ id: token.id, scope: token.scope }],
        );
      }
    });

test('a token of version 1 still opens the gateway, and a Thing of version 1 keeps its id', async (t) => {
  const { founder } = await factsOf('1');
  const peer = await createPeer({ home: await copyOf(t, '1/founder'), offline: true });
  t.after(() => peer.stop());
  assert.equal(peer.tokens.check(founder!.token.token), founder!.token.scope);
  const ids: string[] = [];
  for (const td of [{ title: 'Lamp' }, { title: 'Lamp' }, { title: 'Fan', id: 'urn:example:fan' }]) {
    const thing = await peer.wot.produce(td);
    await thing.expose();
    ids.push(thing.getThingDescription().id!);
  }
  const own = founder!.things.map(([id]) => id).filter((id) => id.includes(founder!.peer));
  assert.deepEqual(ids.sort(), own.sort());
});

test('the store of version 1 gives back every byte that was put into it', async (t) => {
  const home = await copyOf(t, '1/joiner');
  const store = await openStateStore(join(home, 'state.db'));
  const { records, local } = await store.load();
  await store.close();
  const all = [...records.map(toHex), ...[...local].map(([key, value]) => `${key}=${toHex(value)}`)].sort();
  assert.equal(all.length, 16);
  assert.equal(
    hash('sha256', all.join('\n')),
    'af971121995989e79d597150312fd94c1c7f656c15bdf00e633e978d091d06e6',
  );
});

test('the configuration of version 1 is read, and changing it leaves what people wrote', async (t) => {
  const home = await copyOf(t, '1');
  const path = join(home, 'config.yaml');
  assert.deepEqual(await loadConfig(path), {
    name: 'hall',
    port: 7421,
    listen: '[::]:7421',
    http: '127.0.0.1:7420',
    bootstrap: ['192.168.1.5:7421', 'box.local:7421'],
    mdns: false,
  });
  await updateConfig(path, { port: 7500 });
  const text = await readFile(path, 'utf8');
  assert.match(text, /# for people[\s\S]*port: 7500[\s\S]*futureKey: kept/);
});
