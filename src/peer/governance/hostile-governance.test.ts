/**
 * Governing from a hacked bulb's point of view: it has its own real key, a modified program, and all that a member holds.
 * Relies on the replica lab for what it writes, on real peers and bare channels for what it does at doors.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fromHex } from '../../core/bytes.ts';
import { publicKeyOf } from '../../core/ids.ts';
import { adminSetId, recoveryBytes } from '../../fabric/admin-sets.ts';
import { frameType } from '../../net/frames.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import { inviteSigner, peerSigner } from '../../testing/control-lab.ts';
import { governanceAt, governedLab, rolesAt } from '../../testing/governance-lab.ts';
import { isOnline, PeerLab } from '../../testing/peer-lab.ts';
import { inviteDraft, type LabPeer } from '../../testing/replica-lab.ts';
import { seedOf } from '../../testing/seed.ts';
import { waitFor } from '../../testing/wait-for.ts';

const lab = new PeerLab();
after(() => lab.close());

const openScope = { operations: ['read'], affordances: null, notBefore: null, expires: null };

test('invites, roles, grants, revocations, replacements and admin sets by a bulb change nothing anywhere', async (t) => {
  const net = await governedLab(5, 2, seedOf(t));
  const [a, b, bulb, d, e] = net.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  await governanceAt(net, a).restrict('urn:lock', true);
  const grant = await governanceAt(net, b).grant({ subject: d.id, all: true });
  await net.settle();
  const said = ({ replica }: LabPeer) => {
    const { authority } = replica;
    return {
      roles: rolesAt({ replica } as LabPeer),
      admins: [...authority.admins].sort(),
      sets: authority.adminSets.path.map(({ id }) => id),
      open: authority.adminSets.open.length,
      invites: [...authority.invites.keys()].sort(),
      grants: authority.grants.map(({ id }) => id).sort(),
      restrictions: [...authority.restrictions],
      speakers: net.peers.map((peer) => authority.speakerOf(peer.id)),
    };
  };
  const before = [a, b, d, e].map(said);

  const [own, founder, other] = [bulb, a, d].map(({ id }) => publicKeyOf(id));
  const write = (collection: string, value: Record<string, unknown>) =>
    bulb.write({ collection, key: 'k', value });
  const invite = inviteDraft(20, { uses: 100, expires: net.clock.now() + 1e9 });
  await bulb.write(invite);
  await bulb.write({
    ...invite,
    value: { ...(invite.value as object), invite: inviteSigner(21).publicKey, replaces: founder },
  });
  await net.admit(bulb, 9, 20);
  const joiner = peerSigner(9).publicKey;
  const admitted = net.clock.now();
  await write('member', {
    type: 'confirmation',
    invite: inviteSigner(20).publicKey,
    joiner,
    role: 'member',
    admitted,
  });
  await write('member', { type: 'role', peer: own, role: 'member' });
  await write('member', { type: 'role', peer: other, role: 'guest' });
  await write('grant', {
    type: 'grant',
    subject: { kind: 'peer', peer: own },
    things: { kind: 'all' },
    ...openScope,
  });
  await write('grant', { type: 'withdrawal', grant: fromHex(grant.id) });
  await write('restriction', { type: 'restriction', thing: 'urn:lock', restricted: false });
  for (const key of [founder, other]) await write('revocation', { type: 'revocation', what: 'peer', key });
  await write('revocation', { type: 'revocation', what: 'invite', key: inviteSigner(1).publicKey });
  for (const old of [founder, other]) await write('replacement', { type: 'replacement', old, new: own });
  const previous = fromHex(a.replica.authority.adminSets.path.at(-1)!.id);
  const coup = {
    previous,
    admins: [own!],
    removed: [{ peer: founder!, head: null, out: true }],
    returned: [],
  };
  const forged = bulb.signer.sign(recoveryBytes(net.fabric, coup));
  for (const recovery of [null, forged]) await write('adminset', { type: 'proposal', ...coup, recovery });
  await write('adminset', { type: 'approval', set: fromHex(adminSetId(coup, nodeCrypto)) });
  await net.settle();
  assert.ok(a.replica.control.some(({ authorId }) => authorId === bulb.id));
  assert.deepEqual([a, b, d, e].map(said), before);
});

test('a bulb’s vote does not help an admin who is one short', async (t) => {
  const net = await governedLab(5, 3, seedOf(t));
  const [a, b, c, bulb] = net.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  await governanceAt(net, a).revoke(c.id);
  await net.settle();
  const set = fromHex(a.replica.authority.adminSets.open[0]!.id);
  await bulb.write({ collection: 'adminset', key: 'k', value: { type: 'approval', set } });
  await net.settle();
  assert.deepEqual([...b.replica.authority.admins].sort(), [a.id, b.id, c.id].sort());
});

test('a revoked member in another partition works on there, and is out as soon as the two meet', async (t) => {
  const net = await governedLab(5, 1, seedOf(t));
  const [a, b, bulb, d, e] = net.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  net.cut();
  net.connect(a, b);
  // It keeps the other side to itself, lets a friend in there, and tells nobody what it may have heard.
  net.connect(bulb, d);
  net.connect(bulb, e);
  await governanceAt(net, a).revoke(bulb.id);
  await net.admit(bulb, 8);
  await net.settle();
  assert.equal(d.replica.authority.members.get(bulb.id)?.role, 'member');
  net.connect(b, d);
  await net.settle();
  net.connect(d, e);
  await net.settle();
  for (const peer of [a, b, d, e]) {
    assert.equal(peer.replica.authority.gone.get(bulb.id)?.how, 'revoked');
    assert.deepEqual(rolesAt(peer), rolesAt(a));
    assert.equal(peer.replica.authority.members.size, 4);
  }
});

test('a member that was away for a year comes back to a fabric of other admins and members', async (t) => {
  const net = await governedLab(6, 1, seedOf(t));
  const [a, b, c, away, e] = net.peers as [LabPeer, LabPeer, LabPeer, LabPeer, LabPeer];
  net.cut(away);
  net.clock.advance(365 * 86_400_000);
  await governanceAt(net, a).setRole(b.id, 'admin');
  await net.settle();
  for (const admin of [a, b]) await governanceAt(net, admin).setRole(c.id, 'admin');
  await net.settle();
  for (const admin of [b, c]) {
    await governanceAt(net, admin).revoke(a.id);
    await net.settle();
  }
  await governanceAt(net, b).setRole(e.id, 'guest');
  await away.write({ collection: 'value', key: 'seen', value: 'while away' });
  await net.settle();
  // It meets one member alone, who is no admin and was none.
  net.cut();
  net.connect(net.peers[5]!, away);
  await net.settle();
  assert.deepEqual(rolesAt(away), rolesAt(b));
  net.connectAll();
  await net.settle();
  assert.equal(away.replica.authority.gone.get(a.id)?.how, 'revoked');
  assert.ok(b.replica.get('value', 'seen'));
});

test('a revoked bulb that fights back at the doors gets no foot in, and the others hear what it withholds', async () => {
  const hall = await lab.start('hall');
  const desk = await lab.start('desk');
  await lab.join(hall, desk);
  const { ticket } = await hall.invite({});
  const bulb = await lab.intrude(hall);
  const proof = await bulb.redeem(ticket);
  await bulb.connect(hall);
  await bulb.enter(proof);
  await waitFor(() => isOnline(hall, bulb.id), { what: 'the bulb to be in session' });
  await hall.governance.revoke(bulb.id);
  await waitFor(() => !bulb.isOpen, { what: 'its session to be closed' });

  // It dials again and again, everywhere, with the proof that it was given.
  for (const peer of [hall, desk, hall, desk]) {
    await waitFor(
      () => peer.governance.members({ all: true }).some((one) => one.peer === bulb.id && one.gone),
      {
        what: 'the revocation to arrive',
      },
    );
    await bulb.connect(peer);
    bulb.send(bulb.hello({ proof }));
    const refusal = await bulb.frame('a refusal', ([type]) => type === frameType.refusal);
    assert.equal(refusal[1], 'revoked');
    assert.ok((refusal[3] as Uint8Array[]).length > 0);
  }
  // Its old ticket works neither with the old key nor with a fresh one.
  await bulb.connect(desk);
  await assert.rejects(bulb.redeem(ticket), { code: 'revoked' });
  const fresh = await lab.intrude(desk);
  await assert.rejects(fresh.redeem(ticket), { code: 'invite-revoked' });
  assert.deepEqual(
    desk.peers().map(({ name }) => name),
    ['desk', 'hall'],
  );
});
