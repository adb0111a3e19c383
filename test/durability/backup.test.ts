/**
 * A backup holds all of a peer and opens with its passphrase alone; what is restored never contradicts what was said since.
 * Relies on the program itself, and on a witness that holds every record it is shown against every other.
 */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';
import { Witness } from './witness.ts';

const lab = new ProcessLab();
after(() => lab.close());

const env = { ALTHING_PASSPHRASE: 'correct horse battery' };

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

const lampScript = `export default async (wot) => {
  for (const title of ['Lamp', 'Lamp']) {
    const thing = await wot.produce({ title, properties: { on: { type: 'boolean' } } });
    thing.setPropertyReadHandler('on', async () => true);
    await thing.expose();
  }
};`;

const startLamp = async (home?: string): Promise<LabPeer> => {
  const script = join(await lab.makeHome(), 'lamp.mjs');
  await writeFile(script, lampScript);
  return lab.startPeer({ name: 'lamp', args: ['--things', script], ...(home !== undefined && { home }) });
};

const backup = async (home: string, file: string): Promise<string[]> => {
  const { json, error } = await lab.run(home, ['backup', file], { env });
  assert.equal(error, undefined);
  return (json as { files: string[] }).files;
};

test('a lost device comes back out of its backup, made while it ran, and out of nothing else: key, fabric, Things, tokens, words', async () => {
  const lamp = await startLamp();
  const file = join(await lab.makeHome(), 'lamp.age');
  const { id: token } = await clientOf(lamp).createToken('use');
  const things = (await clientOf(lamp).things()).map(({ id }) => id).sort();
  const files = await backup(lamp.home, file);
  assert.deepEqual(files, ['state.db', 'identity.key', 'membership', 'config.yaml', 'recovery.key']);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const bytes = await readFile(file);
  assert.equal(bytes.toString('latin1', 0, 22), 'age-encryption.org/v1\n');
  assert.equal(bytes.indexOf(await readFile(join(lamp.home, 'identity.key'))), -1);
  const words = ((await lamp.cli('recovery')) as { words: string }).words;
  await lamp.kill('SIGKILL');

  const home = await lab.makeHome();
  const wrong = await lab.run(home, ['restore', file], { env: { ALTHING_PASSPHRASE: 'another one' } });
  assert.equal(wrong.error?.code, 'backup-invalid');
  const none = await lab.run(home, ['restore', file], { env: { ALTHING_PASSPHRASE: '' } });
  assert.equal(none.error?.code, 'bad-input');
  const damaged = Buffer.from(bytes);
  damaged[damaged.length - 100]! ^= 1;
  for (const content of [damaged, Buffer.from('no backup')]) {
    const other = join(await lab.makeHome(), 'other.age');
    await writeFile(other, content);
    assert.equal((await lab.run(home, ['restore', other], { env })).error?.code, 'backup-invalid');
  }
  const restored = await lab.run(home, ['restore', file], { env });
  assert.deepEqual(restored.json, { peer: lamp.id, isNew: true, movedTo: null });
  const again = await startLamp(home);
  assert.equal(again.id, lamp.id);
  assert.equal(again.ready.fabric, lamp.ready.fabric);
  assert.deepEqual(
    (await clientOf(again).tokens()).map(({ id }) => id),
    [token],
  );
  assert.deepEqual((await clientOf(again).things()).map(({ id }) => id).sort(), things);
  assert.equal(((await again.cli('recovery')) as { words: string }).words, words);
  assert.equal((await lab.run(home, ['restore', file], { env })).error?.code, 'home-in-use');

  // Into its own home: only the state, and what was there is kept.
  await again.kill('SIGTERM');
  const back = await lab.run(home, ['restore', file], { env });
  const { isNew, movedTo } = back.json as { isNew: boolean; movedTo: string };
  assert.equal(isNew, false);
  assert.ok((await stat(movedTo)).size > 0);
  // Into that of another peer: never.
  const other = await lab.makeHome();
  await lab.run(other, ['init']);
  assert.equal((await lab.run(other, ['restore', file], { env })).error?.code, 'already-in-fabric');
});

test('an original and its clone, both running, never contradict themselves, and a witness sees all that both write', async (t) => {
  const hall = await lab.startPeer({ name: 'hall' });
  const lamp = await startLamp();
  await clientOf(lamp).join((await clientOf(hall).invite({})).ticket);
  const witness = new Witness();
  t.after(() => witness.close());
  await witness.join(hall.ready, (await clientOf(hall).invite({})).ticket);
  await witness.connect(hall.ready);
  const file = join(await lab.makeHome(), 'lamp.age');
  await backup(lamp.home, file);
  const home = await lab.makeHome();
  await lab.run(home, ['restore', file], { env });
  // Each listens on a port of its own, and so writes its addresses, and they see each other's through the hall.
  const clone = await startLamp(home);
  assert.equal(clone.id, lamp.id);
  const epochs = (): number => witness.epochsOf(lamp.id, 'data').size;
  // One writes again where it has heard, by its start, of what the other wrote.
  for (let round = 0; round < 6 && epochs() < 3; round++) {
    await lamp.restart();
    await clone.restart();
  }
  await waitFor(() => epochs() >= 3, {
    what: () => `records of three epochs of the lamp, of ${[...witness.seen.keys()].join(', ')}`,
  });
  assert.deepEqual(witness.contradictions, []);
});
