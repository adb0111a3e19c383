/**
 * A home whose database is damaged or gone says so, is made anew, and gets everything back from the other members.
 * Relies on peers in this process on loopback; the last test runs the program itself.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { Peer } from '../../src/peer/peer.ts';
import { rebuildHome } from '../../src/peer/rebuild.ts';
import { PeerLab } from '../../src/testing/peer-lab.ts';
import { ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const pageBytes = 4096;

/** What may happen to a database. */
const damages: Record<string, (whole: Buffer, path: string) => Promise<Buffer | undefined>> = {
  'a flipped page': async (whole, path) => {
    const pages = rootPages(path);
    const end = pages.get('records')! * pageBytes;
    return Buffer.from(whole).fill(0xa5, end - pageBytes, end);
  },
  'half of it cut off': async (whole) => whole.subarray(0, whole.length / 2),
  garbage: async (whole) => Buffer.alloc(whole.length, 'garbage '),
  'nothing left': async () => undefined,
};

const rootPages = (path: string): Map<string, number> => {
  const db = new DatabaseSync(path, { readOnly: true });
  const all = db.prepare("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'").all();
  db.close();
  return new Map(all.map(({ name, rootpage }) => [String(name), Number(rootpage)]));
};

const homeIn = async (t: TestContext): Promise<string> => {
  const home = await mkdtemp(join(tmpdir(), 'althing-rebuild-'));
  t.after(() => rm(home, { recursive: true }));
  return home;
};

const tds = [{ title: 'Lamp' }, { title: 'Lamp' }, { title: 'Fan', id: 'urn:example:fan' }];

/** Exposes the Things in this order; gives their ids. */
const expose = async (peer: Peer, order = [0, 1, 2]): Promise<string[]> => {
  const ids: string[] = [];
  for (const at of order) {
    const thing = await peer.wot.produce({ ...tds[at]!, properties: { on: { type: 'boolean' } } });
    thing.setPropertyReadHandler('on', async () => true);
    await thing.expose();
    ids.push(thing.getThingDescription().id!);
  }
  return ids;
};

const thingsOf = (peer: Peer): string[] =>
  peer
    .things()
    .map(({ id }) => id)
    .sort();

for (const [name, damage] of Object.entries(damages))
  test(`after ${name} a member is itself again, with its Things and all that the others hold`, async (t) => {
    const lab = new PeerLab();
    t.after(() => lab.close());
    const home = await homeIn(t);
    const hall = await lab.start('hall');
    let porch = await lab.start('porch', { home });
    await lab.join(hall, porch);
    await expose(hall);
    const own = await expose(porch);
    const { id, fabric } = { id: porch.id, fabric: porch.self().fabric };
    await waitFor(() => thingsOf(hall).length === 6 && thingsOf(porch).length === 6, { what: 'all Things' });
    const things = thingsOf(hall);
    await porch.stop();

    const path = join(home, 'state.db');
    const broken = await damage(await readFile(path), path);
    if (broken) await writeFile(path, broken);
    else await rm(path);
    if (broken) {
      await assert.rejects(lab.start('porch', { home }), {
        code: 'store-corrupt',
        message: /althing rebuild/,
      });
      const { movedTo, damage: told } = await rebuildHome(home);
      assert.ok(told, 'the damage is told');
      assert.deepEqual(await readFile(movedTo!), broken, 'the damaged file is kept as it was');
    }

    porch = await lab.start('porch', { home });
    assert.deepEqual({ id: porch.id, fabric: porch.self().fabric }, { id, fabric });
    assert.deepEqual(thingsOf(porch), things, 'what the others hold is back when the peer is up');
    // In the order of the former start: who has the plain name of two is the one that was exposed first.
    assert.deepEqual(await expose(porch), own);
    await porch.forgetUnexposed();
    await waitFor(() => hall.things().every(({ online }) => online), { what: 'all Things online' });
    assert.deepEqual(thingsOf(hall), things);
    await porch.stop();
    porch = await lab.start('porch', { home });
    assert.deepEqual(thingsOf(porch), things);
  });

test('a founder alone keeps its fabric, its notes and its own records as far as they can be read', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const home = await homeIn(t);
  let hall = await lab.start('hall', { home });
  const own = await expose(hall);
  const { id: token } = await hall.tokens.create('use');
  const { fabric } = hall.self();
  await hall.stop();
  const path = join(home, 'state.db');
  const bytes = await readFile(path);
  // The index of the records is lost, the table is not.
  const index = new DatabaseSync(path, { readOnly: true });
  const { rootpage } = index
    .prepare("SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'records'")
    .get()!;
  index.close();
  bytes.fill(0xa5, (Number(rootpage) - 1) * pageBytes, Number(rootpage) * pageBytes);
  await writeFile(path, bytes);
  const { records } = await rebuildHome(home);
  assert.ok(records >= 4, `${records} records`);
  hall = await lab.start('hall', { home });
  assert.equal(hall.self().fabric, fabric);
  assert.equal(hall.self().role, 'admin');
  assert.deepEqual(
    hall.tokens.list().map(({ id }) => id),
    [token],
  );
  assert.deepEqual(thingsOf(hall), own.toSorted());
});

test('a home of which nothing says what fabric it was is left as it is', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const home = await homeIn(t);
  await (await lab.start('hall', { home })).stop();
  await writeFile(join(home, 'state.db'), 'garbage');
  await writeFile(join(home, 'membership'), 'garbage');
  const before = (await readdir(home)).sort();
  await assert.rejects(rebuildHome(home), { code: 'store-corrupt', message: /althing restore/ });
  assert.deepEqual((await readdir(home)).sort(), before);
});

test('`althing up` says what to run, and `althing rebuild` does it, but never beside a running peer', async (t) => {
  const lab = new ProcessLab();
  t.after(() => lab.close());
  const peer = await lab.startPeer({ name: 'hall' });
  const { fabric } = peer.ready;
  const refused = await peer.run('rebuild');
  assert.equal(refused.error?.code, 'home-in-use');
  await peer.kill('SIGTERM');
  await writeFile(join(peer.home, 'state.db'), 'garbage');
  const up = await peer.run('up');
  assert.equal(up.error?.code, 'store-corrupt');
  assert.match(`${up.error?.message} ${up.error?.hint}`, /althing rebuild/);
  const rebuilt = (await peer.cli('rebuild')) as { movedTo: string; damage: string };
  assert.equal(await readFile(rebuilt.movedTo, 'utf8'), 'garbage');
  await peer.start();
  assert.equal(peer.ready.fabric, fabric);
});
