/**
 * That the later word of an admin counts, however far ahead the clock of the one who spoke before.
 * Relies on the lab of replicas in which admins govern.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stampMs, stampOf } from '../core/clock.ts';
import { publicKeyOf } from '../core/ids.ts';
import { governanceAt, governedLab } from '../testing/governance-lab.ts';
import { type LabPeer, signedBy } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import type { Draft } from './draft.ts';
import { origin } from './record.ts';

const yearsMs = 5 * 365 * 86_400_000;

const restriction = (thing: string, restricted: boolean): Draft => ({
  collection: 'restriction',
  key: thing,
  value: { type: 'restriction', thing, restricted },
});

const replacement = (old: LabPeer, by: LabPeer): Draft => ({
  collection: 'replacement',
  key: old.id,
  value: { type: 'replacement', old: publicKeyOf(old.id), new: publicKeyOf(by.id) },
});

test('a word of an admin whose clock was years ahead is overridden by the next one of any admin', async (t) => {
  const lab = await governedLab(5, 2, seedOf(t));
  const [a, b, c, d, e] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  b.wall = () => lab.clock.now() + yearsMs;
  await governanceAt(lab, b).setRole(c.id, 'guest');
  await b.write(restriction('urn:lamp', true), replacement(d, b));
  await lab.settle();
  const saidBy = (peer: LabPeer) => ({
    role: peer.replica.authority.members.get(c.id)?.role,
    restricted: peer.replica.authority.restrictions.get('urn:lamp'),
    speaker: peer.replica.authority.speakerOf(d.id),
  });
  assert.deepEqual(saidBy(e), { role: 'guest', restricted: true, speaker: b.id });

  await governanceAt(lab, a).setRole(c.id, 'member');
  // Of two in one commit the second counts.
  await a.write(restriction('urn:lamp', true), restriction('urn:lamp', false), replacement(d, a));
  await lab.settle();
  for (const peer of [a, b, c, e])
    assert.deepEqual(saidBy(peer), { role: 'member', restricted: false, speaker: a.id });
});

test('who overrides such a word is not dragged ahead by it: neither now nor after a restart', async (t) => {
  const lab = await governedLab(3, 2, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  b.wall = () => lab.clock.now() + yearsMs;
  await governanceAt(lab, b).setRole(c.id, 'guest');
  await lab.settle();
  await governanceAt(lab, a).setRole(c.id, 'member');
  for (const start of [async () => {}, () => a.restart()]) {
    await start();
    await a.write({ collection: 'value', key: 'k', value: 1 });
    const { hlc } = a.replica.get('value', 'k')!;
    assert.ok(stampMs(hlc) <= lab.clock.now() + 1000);
    await governanceAt(lab, a).grant({ subject: c.id, things: ['urn:lamp'], operations: ['read'] });
    assert.ok(stampMs(a.replica.control.at(-1)!.hlc) <= lab.clock.now() + 1000);
  }
});

test('what a member who is no admin says of it moves nobody, and beyond the last stamp nothing can be said', async (t) => {
  const lab = await governedLab(3, 2, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const last = (by: LabPeer) => {
    const { epoch } = a.replica.position('control', by.id);
    return signedBy(lab, by.number, {
      collection: 'restriction',
      epoch: epoch + 1,
      hlc: Number.MAX_SAFE_INTEGER,
      value: { ...(restriction('urn:lamp', true).value as object), prev: null },
    });
  };
  const give = ({ author, raw, epoch }: ReturnType<typeof last>) =>
    a.replica.receive(
      { stream: 'control', author, from: origin, to: { epoch, seq: 1 }, records: [raw] },
      { reach: 'all' },
    );
  assert.equal(await give(last(c)), 'applied');
  await a.write(restriction('urn:lamp', false));
  assert.ok(a.replica.control.at(-1)!.hlc <= stampOf(lab.clock.now() + 1000));
  assert.equal(await give(last(b)), 'applied');
  await assert.rejects(a.write(restriction('urn:lamp', false)), { code: 'forbidden' });
});
