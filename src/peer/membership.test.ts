import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../core/bytes.ts';
import { adminSetId } from '../fabric/admin-sets.ts';
import type { Redemption } from '../net/handshake.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { inviteSigner, joinProof, peerId, peerSigner } from '../testing/control-lab.ts';
import { inviteDraft, LabPeer, ReplicaLab } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import { Membership } from './membership.ts';

const door = (lab: ReplicaLab, peer: LabPeer, storedProof: readonly Uint8Array[] = []) => {
  const admitted: string[] = [];
  const membership = new Membership(peer.replica, {
    crypto: nodeCrypto,
    now: lab.clock.now,
    storedProof,
    dismissal: [],
    dismissed: () => {},
    admitted: (joiner, role) => admitted.push(`${joiner} ${role}`),
  });
  return { membership, admitted };
};
const redemption = (
  invite: number,
  joiner: number,
  proof = joinProof(invite, joiner),
  records: readonly Uint8Array[] = [],
): Redemption => ({
  records,
  joiner: peerId(joiner),
  invite: inviteSigner(invite).publicKey,
  proof,
});

/** A founder with invite 2, and its door. */
const founded = async (seed: number, terms: { uses: number; role?: 'member' | 'guest' } = { uses: 2 }) => {
  const lab = await ReplicaLab.of(1, seed);
  const [founder] = lab.peers as [LabPeer];
  await founder.write(inviteDraft(2, { expires: lab.clock.now() + 1000, ...terms }));
  return { lab, founder, ...door(lab, founder) };
};

test('who proves an invite is let in, told of once, and gets a proof that stands alone', async (t) => {
  const { lab, membership, admitted } = await founded(seedOf(t));
  const proof = await membership.admit(redemption(2, 1));
  assert.deepEqual(admitted, [`${peerId(1)} member`]);
  assert.deepEqual(await membership.admit(redemption(2, 1)), proof);
  assert.equal(admitted.length, 1);
  const joiner = new LabPeer(lab, 1);
  await joiner.start();
  const mine = door(lab, joiner, proof).membership;
  assert.equal(mine.roleOf(peerId(1)), 'member');
  assert.deepEqual(mine.proof(), proof);
  const third = new LabPeer(lab, 5);
  await third.start();
  const theirs = door(lab, third).membership;
  theirs.check(peerId(1), proof);
  assert.equal(theirs.roleOf(peerId(1)), 'member');
});

test('an invite that is unknown, not proven, expired or used up is refused as such, and nothing is written', async (t) => {
  const { lab, founder, membership } = await founded(seedOf(t), { uses: 1 });
  const written = () => founder.disk.commits;
  const before = written();
  await assert.rejects(membership.admit(redemption(3, 1)), { code: 'invite-unknown' });
  await assert.rejects(membership.admit(redemption(2, 1, joinProof(2, 4))), { code: 'proof-invalid' });
  await assert.rejects(membership.admit(redemption(2, 1, new Uint8Array(64))), { code: 'proof-invalid' });
  assert.equal(written(), before);
  await membership.admit(redemption(2, 1));
  await assert.rejects(membership.admit(redemption(2, 4)), { code: 'invite-used-up' });
  lab.clock.advance(1001);
  await assert.rejects(membership.admit(redemption(2, 4)), { code: 'invite-expired' });
  assert.equal(written(), before + 1);
});

test('of many who come at the same moment, no more are let in than there are uses', async (t) => {
  const { membership, admitted } = await founded(seedOf(t), { uses: 3 });
  const asked = await Promise.allSettled(
    [1, 2, 3, 4, 5, 6].map((joiner) => membership.admit(redemption(2, joiner))),
  );
  assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 3);
  assert.equal(admitted.length, 3);
});

test('a guest lets nobody in', async (t) => {
  const { lab, membership } = await founded(seedOf(t), { uses: 2, role: 'guest' });
  const proof = await membership.admit(redemption(2, 1));
  const guest = new LabPeer(lab, 1);
  await guest.start();
  const theirs = door(lab, guest, proof).membership;
  assert.equal(theirs.roleOf(peerId(1)), 'guest');
  await assert.rejects(theirs.admit(redemption(2, 3)), { code: 'forbidden' });
});

test('who shows a proof of somebody else, of another fabric, or none, is a stranger', async (t) => {
  const { lab, founder, membership } = await founded(seedOf(t));
  const proof = await membership.admit(redemption(2, 1));
  const damaged = proof.map((raw) => raw.slice());
  damaged[1]![90]! ^= 1;
  assert.throws(() => membership.check(peerId(3), proof), { code: 'not-a-member' });
  assert.throws(() => membership.check(peerId(3), []), { code: 'not-a-member' });
  assert.throws(() => membership.check(peerId(3), proof.slice(1)), { code: 'not-a-member' });
  const other = new LabPeer(lab, 6);
  await other.start();
  const theirs = door(lab, other).membership;
  assert.throws(() => theirs.check(peerId(1), damaged), { code: 'record-invalid' });
  assert.throws(() => theirs.check(peerId(1), proof.slice(0, 1)), { code: 'not-a-member' });
  assert.equal(theirs.roleOf(peerId(1)), undefined);
  assert.equal(founder.replica.authority.members.size, 2);
});

test('an admin confirms what stands, once', async (t) => {
  const { founder, membership } = await founded(seedOf(t));
  await membership.admit(redemption(2, 1));
  assert.equal(founder.replica.authority.unconfirmed.length, 1);
  await Promise.all([membership.confirm(), membership.confirm()]);
  assert.equal(founder.replica.authority.unconfirmed.length, 0);
  const { commits } = founder.disk;
  await membership.confirm();
  assert.equal(founder.disk.commits, commits);
});

test('proofs that were shown are remembered within bounds', async (t) => {
  const { lab, founder, membership } = await founded(seedOf(t), { uses: 300 });
  const proofs = new Map<string, readonly Uint8Array[]>();
  for (let joiner = 1; joiner <= 270; joiner++)
    proofs.set(peerId(joiner), await membership.admit(redemption(2, joiner)));
  const other = new LabPeer(lab, 999);
  await other.start();
  const theirs = door(lab, other).membership;
  for (const [peer, proof] of proofs) theirs.check(peer, proof);
  const remembered = [...proofs.keys()].filter((peer) => theirs.roleOf(peer) !== undefined);
  assert.equal(remembered.length, 256);
  assert.ok(remembered.includes(peerId(270)));
  assert.equal(founder.replica.authority.members.size, 271);
});

test('who was let in provisionally is a stranger again once what arrives says so', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [founder, first, second] = lab.peers as [LabPeer, LabPeer, LabPeer];
  await founder.write(inviteDraft(2, { uses: 1, expires: lab.clock.now() + 1e9 }));
  lab.connectAll();
  await lab.settle();
  lab.cut();
  await door(lab, first).membership.admit(redemption(2, 5));
  lab.clock.advance(1000);
  const proof = await door(lab, second).membership.admit(redemption(2, 6));
  const { membership } = door(lab, founder);
  membership.check(peerId(6), proof);
  assert.equal(membership.roleOf(peerId(6)), 'member');
  lab.connect(founder, first);
  await lab.settle();
  assert.equal(membership.roleOf(peerId(5)), 'member');
  assert.equal(membership.roleOf(peerId(6)), undefined);
  assert.throws(() => membership.check(peerId(6), proof), { code: 'not-a-member' });
});

test('an invite whose admin went away before anybody heard of it is known by the ticket alone', async (t) => {
  const { lab, founder, membership } = await founded(seedOf(t), { uses: 1 });
  const memberProof = await membership.admit(redemption(2, 1));
  const member = new LabPeer(lab, 1);
  await member.start();
  // What the member holds: itself admitted, and nothing of the invite that comes now.
  const mine = door(lab, member, memberProof).membership;
  await founder.write(inviteDraft(3, { expires: lab.clock.now() + 1000, uses: 1 }));
  const ticket = founder.replica.control.filter(({ statement }) => statement?.type === 'invite');
  const shown = ticket.map(({ raw }) => raw);
  await assert.rejects(mine.admit(redemption(3, 4)), { code: 'invite-unknown' });
  const forged = shown.map((raw) => raw.with(70, raw[70]! ^ 1));
  await assert.rejects(mine.admit(redemption(3, 4, joinProof(3, 4), forged)), { code: 'record-invalid' });
  await assert.rejects(mine.admit(redemption(3, 4, joinProof(3, 5), shown)), { code: 'proof-invalid' });
  const proof = await mine.admit(redemption(3, 4, joinProof(3, 4), shown));
  await assert.rejects(mine.admit(redemption(3, 5, joinProof(3, 5), shown)), { code: 'invite-used-up' });
  const stranger = new LabPeer(lab, 6);
  await stranger.start();
  for (const { membership: theirs } of [door(lab, founder), door(lab, stranger)]) {
    theirs.check(peerId(4), proof);
    assert.equal(theirs.roleOf(peerId(4)), 'member');
  }
});

test('however often the admins have changed, a proof has room at the door, and a member knows another by it', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  lab.connectAll();
  await lab.settle();
  const [founder, member] = lab.peers as [LabPeer, LabPeer];
  await founder.write(inviteDraft(2, { uses: 2, expires: lab.clock.now() + 10_000_000 }));
  await founder.replica.write(() => {
    let previous = lab.fabric.id;
    return Array.from({ length: 70 }, (_, count) => {
      const removed = [{ peer: peerSigner(50 + count).publicKey, head: null, out: false }];
      const content = { previous, admins: [founder.signer.publicKey], removed, returned: [] };
      const key = adminSetId(content, nodeCrypto);
      previous = fromHex(key);
      return { collection: 'adminset', key, value: { type: 'proposal', ...content, recovery: null } };
    });
  });
  await lab.settle();
  lab.cut();
  const { membership } = door(lab, founder);
  const proof = await membership.admit(redemption(2, 5));
  await membership.confirm();
  for (const one of [membership.proof(), proof]) {
    assert.ok(one.length <= 64);
    assert.ok(one.reduce((size, raw) => size + raw.length, 0) <= 24 * 1024);
  }
  const { membership: theirs } = door(lab, member);
  theirs.check(peerId(5), proof);
  assert.equal(theirs.roleOf(peerId(5)), 'member');
});
