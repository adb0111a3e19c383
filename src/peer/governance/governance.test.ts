import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../core/bytes.ts';
import { publicKeyOf } from '../../core/ids.ts';
import { adminSetId } from '../../fabric/admin-sets.ts';
import { wordsOf } from '../../fabric/recovery.ts';
import type { Draft } from '../../replica/draft.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import { labFabric, peerId, peerSigner } from '../../testing/control-lab.ts';
import { governanceAt, governedLab, rolesAt, tend } from '../../testing/governance-lab.ts';
import { inviteDraft, type LabPeer } from '../../testing/replica-lab.ts';
import { seedOf } from '../../testing/seed.ts';

const roleOf = (at: LabPeer, peer: LabPeer): string | undefined =>
  at.replica.authority.members.get(peer.id)?.role;
const howGone = (at: LabPeer, peer: LabPeer): string | undefined =>
  at.replica.authority.gone.get(peer.id)?.how;

/** All of these peers say the same of everybody. */
const agree = (...peers: readonly LabPeer[]): void => {
  for (const peer of peers) assert.deepEqual(rolesAt(peer), rolesAt(peers[0]!));
};

test('the first admin makes a second one alone; a third needs more than half, and each says whom it waits for', async (t) => {
  const lab = await governedLab(4, 1, seedOf(t));
  const [a, b, c, d] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  const second = await governanceAt(lab, a).setRole(b.id, 'admin');
  assert.deepEqual([second.inForce, second.needs], [true, 0]);
  await lab.settle();
  const proposed = await governanceAt(lab, b).setRole(c.id, 'admin');
  assert.deepEqual([proposed.inForce, proposed.needs, proposed.waitingFor], [false, 1, [a.id]]);
  // Asked again it says the same, and makes no second proposal.
  assert.deepEqual(await governanceAt(lab, b).setRole(c.id, 'admin'), proposed);
  await lab.settle();
  assert.deepEqual(
    governanceAt(lab, a)
      .members()
      .find(({ peer }) => peer === c.id)?.proposed,
    [{ set: a.replica.authority.adminSets.open[0]!.id, role: 'admin', by: [b.id], needs: 1 }],
  );
  const approved = await governanceAt(lab, a).setRole(c.id, 'admin');
  assert.equal(approved.inForce, true);
  await lab.settle();
  agree(a, b, c, d);
  assert.equal(roleOf(d, c), 'admin');
});

test('one of three admins is removed by the two others, and what he wrote for the fabric stays', async (t) => {
  const lab = await governedLab(5, 3, seedOf(t));
  const [a, b, c, , e] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  await c.write({ collection: 'label', key: 'lamp', value: { room: 'hall' } });
  await c.write({ collection: 'rule', key: 'r1', value: 'a rule' });
  await a.write({ collection: 'label', key: 'heater', value: 'old' });
  await lab.settle();
  await c.write({ collection: 'label', key: 'heater', value: null, deleted: true });
  await lab.settle();
  const proposal = await governanceAt(lab, a).revoke(c.id);
  assert.deepEqual([proposal.inForce, proposal.waitingFor.toSorted()], [false, [b.id, c.id].sort()]);
  await lab.settle();
  assert.equal(roleOf(e, c), 'admin');
  const approval = await governanceAt(lab, b).revoke(c.id);
  assert.equal(approval.inForce, true);
  await lab.settle();
  agree(a, b, e);
  assert.equal(howGone(e, c), 'revoked');
  for (const peer of [a, b, e]) {
    assert.ok(peer.replica.get('label', 'lamp'));
    assert.ok(peer.replica.get('rule', 'r1'));
    assert.equal(peer.replica.get('label', 'heater'), undefined);
  }
});

test('an admin who is demoted stays a member, and comes back with all that he said before and says after', async (t) => {
  const lab = await governedLab(5, 3, seedOf(t));
  const [a, b, c, d, e] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  await governanceAt(lab, c).restrict('urn:lamp', true);
  await lab.settle();
  for (const admin of [a, b]) {
    await governanceAt(lab, admin).setRole(c.id, 'member');
    await lab.settle();
  }
  assert.equal(roleOf(e, c), 'member');
  assert.equal(e.replica.authority.restrictions.get('urn:lamp'), true);
  await assert.rejects(governanceAt(lab, c).restrict('urn:lamp', false), { code: 'not-admin' });
  // What a modified peer says all the same counts neither now nor when it is an admin again.
  await c.write({
    collection: 'restriction',
    key: 'urn:lamp',
    value: { type: 'restriction', thing: 'urn:lamp', restricted: false },
  });
  await lab.settle();
  for (const admin of [a, b]) {
    await governanceAt(lab, admin).setRole(c.id, 'admin');
    await lab.settle();
  }
  assert.equal(roleOf(e, c), 'admin');
  assert.equal(e.replica.authority.restrictions.get('urn:lamp'), true);
  await governanceAt(lab, c).restrict('urn:door', true);
  await lab.settle();
  assert.equal(d.replica.authority.restrictions.get('urn:door'), true);
  agree(a, b, c, d, e);
});

test('with two admins neither removes the other, save that the other agreed first', async (t) => {
  const lab = await governedLab(3, 2, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  await assert.rejects(governanceAt(lab, a).revoke(b.id), { code: 'admins-too-few', message: /24 words/ });
  await assert.rejects(governanceAt(lab, a).setRole(b.id, 'member'), { code: 'admins-too-few' });
  assert.equal((await governanceAt(lab, b).setRole(b.id, 'member')).inForce, false);
  await lab.settle();
  assert.equal((await governanceAt(lab, a).setRole(b.id, 'member')).inForce, true);
  await lab.settle();
  agree(a, b, c);
  assert.equal(roleOf(c, b), 'member');
  await assert.rejects(governanceAt(lab, a).setRole(a.id, 'member'), { code: 'admins-too-few' });
});

test('proposals that cross in a partition end in one of them or none, never in a fabric without admins', async (t) => {
  for (let round = 0; round < 4; round++) {
    const lab = await governedLab(4, 2, seedOf(t) + round);
    const [a, b, c, d] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
    lab.cut();
    await governanceAt(lab, a).setRole(c.id, 'admin');
    await governanceAt(lab, b).setRole(d.id, 'admin');
    lab.connectAll();
    await lab.settle();
    // Each is asked for the other's: one of them may go over, the one with the higher id.
    const outcomes = await Promise.allSettled([
      governanceAt(lab, a).setRole(d.id, 'admin'),
      governanceAt(lab, b).setRole(c.id, 'admin'),
    ]);
    const [went] = outcomes.filter(({ status }) => status === 'fulfilled');
    const [stayed] = outcomes.filter((one) => one.status === 'rejected');
    assert.equal(went?.status, 'fulfilled');
    assert.equal((stayed?.reason as { code: string } | undefined)?.code, 'proposal-open');
    await lab.settle();
    agree(a, b, c, d);
    assert.equal(a.replica.authority.admins.size, 3);
  }
});

test('revocations that cross in a partition end alike everywhere', async (t) => {
  const lab = await governedLab(5, 3, seedOf(t));
  const [a, b, c, d, e] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  lab.cut();
  await governanceAt(lab, a).revoke(d.id);
  await governanceAt(lab, b).revoke(d.id);
  await governanceAt(lab, b).revoke(e.id);
  await governanceAt(lab, c).setRole(e.id, 'guest');
  lab.connectAll();
  await lab.settle();
  agree(a, b, c);
  assert.equal(howGone(a, d), 'revoked');
  assert.equal(howGone(c, e), 'revoked');
});

test('a stolen admin key is cut: what it said before stands, what the thief says after falls, his friends are put out', async (t) => {
  const lab = await governedLab(5, 3, seedOf(t));
  const [a, b, thief, d, e] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  const { id: before } = await governanceAt(lab, thief).grant({ subject: 'role:guest', all: true });
  await lab.settle();
  // The thief's device goes on by itself, unheard of, while the others cut it.
  lab.cut(thief);
  const after = await governanceAt(lab, thief).grant({ subject: 'role:member', all: true });
  await thief.write(inviteDraft(6, { uses: 5, expires: lab.clock.now() + 1e9 }));
  await lab.admit(thief, 7, 6);
  await governanceAt(lab, thief).revoke(d.id);
  await governanceAt(lab, a).revoke(thief.id);
  await lab.settle();
  // One of the others hears the thief before it hears of the cut, and confirms his friend.
  lab.connect(thief, b);
  await lab.settle();
  await tend(lab, b);
  lab.connectAll();
  await lab.settle();
  assert.equal(a.replica.authority.members.get(peerId(7))?.role, 'member');
  assert.equal((await governanceAt(lab, b).revoke(thief.id)).inForce, true);
  await lab.settle();
  await tend(lab, a, b);
  await lab.settle();
  agree(a, b, d, e);
  for (const peer of [a, b, d, e]) {
    const ids = peer.replica.authority.grants.map(({ id }) => id);
    assert.deepEqual([ids.includes(before), ids.includes(after.id)], [true, false]);
    assert.equal(roleOf(peer, d), 'member');
    assert.equal(peer.replica.authority.members.size, 4);
    assert.equal(peer.replica.authority.gone.get(peerId(7))?.how, 'revoked');
  }
});

const words = (): Promise<string> => wordsOf(new Uint8Array(32).fill(3, 4));

test('the words replace the only admin from a member’s device, again and again', async (t) => {
  const lab = await governedLab(4, 1, seedOf(t));
  const [lost, b, c, d] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  await lost.write({ collection: 'label', key: 'lamp', value: 'Lamp' });
  await lab.settle();
  lab.cut(lost);
  const recovered = await governanceAt(lab, c).recover({ words: await words(), revoke: [lost.id] });
  assert.deepEqual(recovered, { admins: [c.id], removed: [lost.id], revoked: [lost.id] });
  await lab.settle();
  agree(b, c, d);
  assert.equal(roleOf(b, c), 'admin');
  assert.equal(howGone(b, lost), 'revoked');
  assert.ok(d.replica.get('label', 'lamp'));
  // Members whom only the lost one confirmed are confirmed anew.
  await tend(lab, c);
  await lab.settle();
  assert.equal(d.replica.authority.unconfirmed.length, 0);
  // What the lost one says from now on changes nothing, were it found by somebody else.
  await governanceAt(lab, lost).revoke(d.id);
  lab.connectAll();
  await lab.settle();
  assert.equal(roleOf(b, d), 'member');
  // The second loss.
  lab.cut(c);
  await governanceAt(lab, d).recover({ words: await words() });
  await lab.settle();
  assert.deepEqual([roleOf(b, d), roleOf(b, c)], ['admin', 'member']);
});

test('words that are mistyped, of another fabric, or used by a guest are refused with what is wrong', async (t) => {
  const lab = await governedLab(3, 1, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const right = (await words()).split(' ');
  const refused = (text: string, message: RegExp) =>
    assert.rejects(governanceAt(lab, b).recover({ words: text }), { code: 'bad-input', message });
  await refused('', /0 were given/);
  await refused(right.slice(1).join(' '), /23 were given/);
  await refused(right.with(4, 'lampp').join(' '), /Word 5 .*"lampp"/);
  await refused(right.with(0, right[0] === 'zoo' ? 'abandon' : 'zoo').join(' '), /do not belong together/);
  await refused(await wordsOf(new Uint8Array(32).fill(9)), /another fabric/);
  await governanceAt(lab, a).setRole(c.id, 'guest');
  await lab.settle();
  await assert.rejects(governanceAt(lab, c).recover({ words: right.join(' ') }), { code: 'forbidden' });
  assert.equal(
    (await governanceAt(lab, b).recover({ words: `  ${right.join('\n').toUpperCase()} ` })).admins.length,
    1,
  );
});

test('a new device takes the place of an old one, and an admin is not replaced by one word', async (t) => {
  const lab = await governedLab(4, 1, seedOf(t));
  const [a, b, c, d] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  await assert.rejects(governanceAt(lab, c).replace(b.id), {
    code: 'not-admin',
    message: new RegExp(`replace ${b.id} --with ${c.id}`),
  });
  await assert.rejects(governanceAt(lab, a).replace(a.id, b.id), { code: 'bad-input' });
  await assert.rejects(governanceAt(lab, a).replace(b.id, b.id), { code: 'bad-input' });
  assert.deepEqual(await governanceAt(lab, a).replace(b.id, c.id), { old: b.id, new: c.id });
  await lab.settle();
  agree(a, c, d);
  assert.equal(howGone(d, b), 'replaced');
  assert.equal(d.replica.authority.speakerOf(b.id), c.id);
});

test('who joins by an invite that replaces takes the place as soon as an admin’s peer hears of it', async (t) => {
  const lab = await governedLab(3, 1, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const invite = inviteDraft(5, { uses: 1, expires: lab.clock.now() + 1e9 });
  await a.write({ ...invite, value: { ...(invite.value as object), replaces: peerSigner(1).publicKey } });
  await lab.settle();
  lab.cut(a);
  await lab.admit(c, 6, 5);
  await lab.settle();
  assert.equal(roleOf(c, b), 'member');
  lab.connectAll();
  await lab.settle();
  await tend(lab, a);
  await lab.settle();
  assert.equal(howGone(c, b), 'replaced');
});

test('grants name whom, what and when; ended ones are gone', async (t) => {
  const lab = await governedLab(3, 1, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const govern = governanceAt(lab, a);
  const grant = await govern.grant({
    subject: b.id,
    things: ['urn:lamp'],
    operations: ['read', 'write'],
    affordances: ['on'],
    forMs: 7_200_000,
  });
  assert.deepEqual(
    { ...grant, id: '' },
    {
      id: '',
      subject: b.id,
      things: ['urn:lamp'],
      types: [],
      all: false,
      operations: ['read', 'write'],
      affordances: ['on'],
      notBefore: null,
      expires: new Date(lab.clock.now() + 7_200_000).toISOString(),
      by: a.id,
    },
  );
  await lab.settle();
  assert.deepEqual(governanceAt(lab, c).grants(), [grant]);
  for (const wrong of [
    { subject: b.id },
    { subject: b.id, all: true, type: 'Lock' },
    { subject: 'role:admin', all: true },
    { subject: b.id, all: true, operations: [] },
    { subject: b.id, all: true, from: 'soon' },
    { subject: b.id, all: true, forMs: -1 },
  ])
    await assert.rejects(govern.grant(wrong), { code: 'bad-input' }, JSON.stringify(wrong));
  await assert.rejects(govern.grant({ subject: 'nobody', all: true }), { code: 'peer-unknown' });
  const ended = await govern.revoke(grant.id.slice(0, 12));
  assert.deepEqual([ended.what, ended.id], ['grant', grant.id]);
  await lab.settle();
  assert.deepEqual(governanceAt(lab, c).grants(), []);
});

test('invites are listed while they let somebody in, and a pass that nobody knows can be ended', async (t) => {
  const lab = await governedLab(2, 1, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  const govern = governanceAt(lab, a);
  const open = govern.invites().length;
  const draft = inviteDraft(9, { uses: 2, expires: lab.clock.now() + 1000, role: 'guest' });
  await a.write(draft);
  const [listed] = govern.invites();
  assert.deepEqual([listed?.id, listed?.role, listed?.uses, listed?.used], [draft.key, 'guest', 2, 0]);
  assert.deepEqual((await govern.revoke(draft.key)).what, 'invite');
  assert.equal(govern.invites().length, open);
  const pass = inviteDraft(11, { uses: 1, expires: 1 }).key;
  assert.deepEqual((await govern.revoke(pass)).what, 'pass');
  assert.equal(a.replica.authority.endedPasses.size, 1);
  await assert.rejects(governanceAt(lab, b).revoke(pass), { code: 'not-admin' });
});

test('after as many changes of admins in a row as may stand the words are asked for, and after them all goes on', async (t) => {
  const lab = await governedLab(2, 1, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  await a.replica.write(() => {
    const drafts: Draft[] = [];
    let previous = labFabric.id;
    for (let count = 0; count < 128; count++) {
      const content = { previous, admins: [publicKeyOf(a.id)], removed: [], returned: [] };
      const key = adminSetId(content, nodeCrypto);
      drafts.push({ collection: 'adminset', key, value: { type: 'proposal', ...content, recovery: null } });
      previous = fromHex(key);
    }
    return drafts;
  });
  const held = a.replica.control.length;
  await assert.rejects(governanceAt(lab, a).setRole(b.id, 'admin'), { code: 'admin-sets-exhausted' });
  assert.equal(a.replica.control.length, held, 'nothing was written in vain');
  await governanceAt(lab, a).recover({ words: await words() });
  assert.equal((await governanceAt(lab, a).setRole(b.id, 'admin')).inForce, true);
});
