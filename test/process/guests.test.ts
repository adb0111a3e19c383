/**
 * The promises to guests and strangers: they see and use what was granted or shared, for as long as it was, and no more.
 * Relies on real processes on loopback; the strangers belong to fabrics of their own.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import type { JoinInfo, ShareEntry, ShareInfo } from '../../src/core/api-shapes.ts';
import { toAlthingError } from '../../src/core/errors.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
after(() => lab.close());

const clientOf = ({ home, ready }: LabPeer): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: ready.gateway.socket, home }));

/** A device that exposes Things with these titles, each with a switch and a level that can be observed. */
const startDevice = async (name: string, ...titles: string[]): Promise<LabPeer> => {
  const home = await lab.makeHome();
  const script = join(home, 'things.js');
  await writeFile(
    script,
    `export default async (wot) => {
      for (const title of ${JSON.stringify(titles)}) {
        const thing = await wot.produce({ title, properties: {
          on: { type: 'boolean', observable: true }, level: { type: 'integer', observable: true } },
          actions: { toggle: {} } });
        let on = false;
        thing.setPropertyReadHandler('on', async () => on);
        thing.setPropertyWriteHandler('on', async (input) => {
          on = await input.value();
          await thing.emitPropertyChange('on');
        });
        thing.setPropertyReadHandler('level', async () => 7);
        thing.setPropertyWriteHandler('level', async () => {});
        thing.setActionHandler('toggle', async () => { on = !on; });
        await thing.expose();
      }
    };\n`,
  );
  return lab.startPeer({ home, name, args: ['--things', script] });
};

const titles = async (peer: LabPeer): Promise<string[]> =>
  (await clientOf(peer).things()).map(({ title }) => title).sort();

/** The code with which something is refused. */
const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return toAlthingError(error).code;
  }
};

/** Observes over the peer's gateway; resolves with the code that ended it. */
const observe = async (
  peer: LabPeer,
  thing: string,
): Promise<{ values: unknown[]; ended: Promise<string> }> => {
  const stream = await clientOf(peer).observeProperty(thing, 'on');
  const values: unknown[] = [];
  const read = async (): Promise<void> => {
    for await (const value of stream) values.push(value);
  };
  return { values, ended: codeOf(read()) };
};

let hall: LabPeer;
let lamp: string;
let heater: string;
before(async () => {
  hall = await startDevice('hall', 'Lamp', 'Heater');
  lamp = (await clientOf(hall).resolve('lamp')).id;
  heater = (await clientOf(hall).resolve('heater')).id;
});

test('a stranger uses what a guest pass shares at once, nothing else, and stays in its own fabric', async () => {
  const stranger = await startDevice('phone', 'Torch');
  const second = await lab.startPeer({ name: 'second' });
  const pass = (await hall.cli('share', 'lamp', '--ops', 'read,write', '--for', '1h')) as ShareInfo;
  const joined = (await stranger.cli('join', pass.ticket)) as JoinInfo;
  assert.deepEqual([joined.role, joined.fabric], ['guest', hall.ready.fabric]);
  assert.deepEqual(joined.things, [lamp]);
  assert.deepEqual(await titles(stranger), ['Lamp', 'Torch']);
  const client = clientOf(stranger);
  assert.equal((await client.self()).fabric, stranger.ready.fabric);

  assert.equal(await stranger.cli('write', 'hall/lamp', 'on', 'true'), null);
  assert.equal(await client.readProperty(lamp, 'on'), true);
  assert.equal(await codeOf(client.invokeAction(lamp, 'toggle')), 'affordance-unknown');
  assert.equal(await codeOf(client.readProperty(heater, 'on')), 'thing-unknown');
  const td = await client.thingDescription(lamp);
  assert.deepEqual([Object.keys(td.properties ?? {}), td.actions], [['on', 'level'], undefined]);
  const { values } = await observe(stranger, lamp);
  await client.writeProperty(lamp, 'on', false);
  await waitFor(() => values.includes(false), { what: 'the change to be observed' });
  assert.equal(await codeOf(clientOf(second).join(pass.ticket)), 'pass-used-up');
  assert.deepEqual(await titles(second), []);

  // The device and the stranger start anew: the pass holds, for the same stranger only.
  await Promise.all([hall.restart(), stranger.restart()]);
  await waitFor(async () => (await codeOf(clientOf(stranger).readProperty(lamp, 'level'))) === 'none', {
    what: 'the lamp to be there again',
  });
  assert.equal(await codeOf(clientOf(second).join(pass.ticket)), 'pass-used-up');
});

test('a pass that expires takes its Things away by itself, and an open observation ends as forbidden', async () => {
  const stranger = await lab.startPeer({ name: 'visitor' });
  const pass = await clientOf(hall).share({ things: ['lamp'], operations: ['read'], forMs: 3000 });
  await clientOf(stranger).join(pass.ticket);
  const { ended } = await observe(stranger, lamp);
  assert.equal(await ended, 'forbidden');
  await waitFor(async () => (await titles(stranger)).length === 0, { what: 'the lamp to vanish' });
  assert.equal(await codeOf(clientOf(stranger).join(pass.ticket)), 'pass-expired');
});

test('what was shared is listed where it was, and only an admin shares', async () => {
  const pass = await clientOf(hall).share({ things: [lamp], affordances: ['on'], uses: 3 });
  const listed = (await hall.cli('shares')) as ShareEntry[];
  const { ticket: _, ...said } = pass;
  assert.deepEqual(
    listed.find(({ id }) => id === pass.id),
    { ...said, affordances: ['on'], ended: false },
  );
  const member = await lab.startPeer({ name: 'member' });
  const client = clientOf(member);
  await client.join((await clientOf(hall).invite({})).ticket);
  assert.equal(await codeOf(client.share({ things: [lamp] })), 'not-admin');
  assert.equal(await codeOf(client.join(pass.ticket)), 'bad-input');
  const strange = clientOf(hall).share({ things: ['lamp'], affordances: ['nothing'] });
  assert.equal(await codeOf(strange), 'affordance-unknown');
});

test('a guest sees and uses its grant and nothing else, and ending a pass or a grant is felt at once', async () => {
  const guest = await lab.startPeer({ name: 'guest' });
  const client = clientOf(guest);
  await client.join((await clientOf(hall).invite({ role: 'guest' })).ticket);
  assert.deepEqual(await titles(guest), []);
  const admin = clientOf(hall);
  const grant = await admin.governance.grant({ subject: guest.id, things: ['lamp'], operations: ['read'] });
  await waitFor(async () => (await titles(guest)).join() === 'Lamp', { what: 'the lamp to be seen' });
  const td = await client.thingDescription(lamp);
  assert.deepEqual([td.properties?.on?.readOnly, td.actions], [true, undefined]);
  assert.equal(await codeOf(client.readProperty(lamp, 'on')), 'none');
  assert.equal(await codeOf(client.readProperty(heater, 'on')), 'thing-unknown');
  const { ended } = await observe(guest, lamp);
  await admin.governance.revoke(grant.id);
  assert.equal(await ended, 'forbidden');
  await waitFor(async () => (await titles(guest)).length === 0, { what: 'the lamp to be gone' });

  const stranger = await lab.startPeer({ name: 'passer-by' });
  const pass = await admin.share({ things: ['lamp'] });
  await clientOf(stranger).join(pass.ticket);
  await admin.governance.revoke(pass.id);
  await waitFor(async () => (await titles(stranger)).length === 0, { what: 'the shared lamp to be gone' });
  assert.equal(await codeOf(clientOf(stranger).join(pass.ticket)), 'pass-ended');
});
