/**
 * The promises of exposing: names that last and never collide, and one Thing that fails takes no other along.
 * Relies on a real replica over a store in memory.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HybridClock } from '../core/clock.ts';
import { AlthingError, type ErrorCode } from '../core/errors.ts';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { createFabric } from '../fabric/genesis.ts';
import { Replica } from '../replica/replica.ts';
import { LocalNotes } from '../store/local-notes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { MemoryDisk, MemoryStateStore } from '../testing/memory-store.ts';
import { labThing } from '../testing/thing-lab.ts';
import type { ExposedThing } from '../thing/exposed-thing.ts';
import type { PartialThingDescription } from '../thing/thing-description.ts';
import { ExposedThings } from './exposed-things.ts';

const signer = nodeCrypto.signer(new Uint8Array(32).fill(1));
const self = peerIdOf(signer.publicKey);
const fabric = createFabric(
  { name: 'home', founder: signer.publicKey, recovery: new Uint8Array(32), created: 1 },
  nodeCrypto,
);
const code = (expected: ErrorCode) => (error: unknown) =>
  error instanceof AlthingError && error.code === expected;

/** One run of a peer on a disk. */
const start = async (disk: MemoryDisk) => {
  const store = new MemoryStateStore(disk);
  const stored = await store.load();
  const replica = new Replica(stored.records, {
    fabric,
    signer,
    crypto: nodeCrypto,
    clock: new HybridClock(Date.now),
    now: Date.now,
    store,
    yieldTurn: () => Promise.resolve(),
    logger: silentLogger,
  });
  const exposed = new ExposedThings({
    self,
    notes: new LocalNotes(store, stored.local),
    replica: () => replica,
    validate: async () => {},
    changed: () => {},
    now: Date.now,
    logger: silentLogger,
  });
  const listed = () =>
    replica
      .list('thing')
      .map(({ key }) => key)
      .sort();
  const expose = async (td: PartialThingDescription): Promise<ExposedThing> => {
    const thing = labThing(td, {
      onExpose: (one) => exposed.expose(one, one.getThingDescription()),
      onDestroy: (one) => exposed.retract(one),
    });
    await thing.expose();
    return thing;
  };
  return { exposed, expose, listed, stop: () => store.close() };
};

test('a Thing keeps its id over restarts, whatever order they come in', async () => {
  const disk = new MemoryDisk();
  const first = await start(disk);
  const [hall, attic] = [await first.expose({ title: 'Lamp' }), await first.expose({ title: 'lamp!' })];
  assert.deepEqual([hall.id, attic.id], [thingIdOf(self, 'lamp'), thingIdOf(self, 'lamp-2')]);
  await first.stop();
  const second = await start(disk);
  assert.equal((await second.expose({ title: 'lamp!' })).id, attic.id);
  assert.equal((await second.expose({ title: 'Lamp' })).id, hall.id);
  await second.stop();
});

test('Things that are exposed in the same moment never get the same id', async () => {
  const run = await start(new MemoryDisk());
  const titles = ['Lamp', 'lamp', 'LAMP', 'Lamp', 'Lamp', 'lämp'];
  const things = await Promise.all(titles.map((title) => run.expose({ title })));
  assert.equal(new Set(things.map(({ id }) => id)).size, titles.length);
  for (const thing of things) assert.equal(run.exposed.get(thing.id), thing);
  assert.equal(run.listed().length, titles.length);
  await run.stop();
});

test('a hundred Things of one long title all have ids that are ids', async () => {
  const run = await start(new MemoryDisk());
  const title = 'l'.repeat(80);
  const ids = new Set<string>();
  for (let n = 0; n < 120; n++) ids.add((await run.expose({ title })).id);
  assert.equal(ids.size, 120);
  for (const id of ids) assert.match(id, /^urn:althing:z6Mk[1-9A-Za-z]+:[a-z0-9][a-z0-9-]{0,62}$/);
  await run.stop();
});

test('a Thing that cannot be told of is not exposed, and takes no other along', async () => {
  const run = await start(new MemoryDisk());
  const large = { title: 'Large', description: 'x'.repeat(100_000) };
  const [, lamp] = await Promise.all([
    assert.rejects(run.expose(large), code('value-too-large')),
    run.expose({ title: 'Lamp' }),
  ]);
  assert.equal(run.exposed.has(thingIdOf(self, 'large')), false);
  assert.deepEqual(run.listed(), [lamp.id]);
  const smaller = await run.expose({ title: 'Large' });
  assert.equal(smaller.id, thingIdOf(self, 'large'));
  await run.stop();
});

test('a title is needed', async () => {
  const run = await start(new MemoryDisk());
  await assert.rejects(
    run.exposed.expose(labThing(), { title: '' } as PartialThingDescription),
    code('td-invalid'),
  );
  await run.stop();
});

test('a Thing that is taken back is forgotten, and gets its id again', async () => {
  const run = await start(new MemoryDisk());
  const lamp = await run.expose({ title: 'Lamp' });
  await lamp.destroy();
  assert.deepEqual(run.listed(), []);
  assert.equal((await run.expose({ title: 'Lamp' })).id, lamp.id);
  await run.stop();
});

test('what an earlier run exposed and this one does not is forgotten when told so, and not before', async () => {
  const disk = new MemoryDisk();
  const first = await start(disk);
  const [kept, gone] = [await first.expose({ title: 'Kept' }), await first.expose({ title: 'Gone' })];
  await first.stop();
  const second = await start(disk);
  await second.expose({ title: 'Kept' });
  assert.deepEqual(second.listed(), [gone.id, kept.id].sort());
  await second.exposed.forgetOthers();
  assert.deepEqual(second.listed(), [kept.id]);
  await second.stop();
});
