import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOnline, PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';

test('a thief with the only admin’s key puts everybody out: the words, from a device that is out, bring all back', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const [admin, phone, lamp] = await Promise.all(['admin', 'phone', 'lamp'].map((name) => lab.start(name)));
  await lab.join(admin!, phone!);
  await lab.join(admin!, lamp!);
  await waitFor(() => isOnline(phone!, lamp!.id), { what: 'phone and lamp to be in session' });
  const produced = await lamp!.wot.produce({ title: 'Lamp', properties: { on: { type: 'boolean' } } });
  produced.setPropertyReadHandler('on', async () => true);
  await produced.expose();
  const words = await admin!.recoveryWords();
  await waitFor(() => admin!.governance.members().every(({ confirmed }) => confirmed), {
    what: 'both to be confirmed',
  });
  const before = new Date(Date.now() + 1).toISOString();
  await waitFor(() => Date.now() > Date.parse(before), { what: 'a moment to pass' });

  await admin!.governance.revoke(phone!.id);
  await admin!.governance.revoke(lamp!.id);
  for (const peer of [phone!, lamp!])
    await waitFor(() => peer.self().gone?.how === 'revoked', { what: 'the revoked to know it' });

  const { admins } = await phone!.governance.recover({ words, revoke: [admin!.id], before });
  assert.deepEqual(admins, [phone!.id]);
  for (const peer of [phone!, lamp!])
    await waitFor(() => peer.self().gone === null, { what: 'both to belong again' });
  await waitFor(() => isOnline(phone!, lamp!.id) && isOnline(lamp!, phone!.id), {
    what: 'phone and lamp to be in session again',
  });
  assert.equal(phone!.self().role, 'admin');
  assert.equal(lamp!.self().role, 'member');
  assert.equal(isOnline(lamp!, admin!.id), false);
  // What the lamp exposes was forgotten everywhere, and is there again.
  const thing = await waitFor(() => phone!.things().find(({ title }) => title === 'Lamp'), {
    what: 'the lamp to be listed again',
  });
  assert.equal(await phone!.request({ thing: thing.id, op: 'readproperty', name: 'on' }), true);
});
