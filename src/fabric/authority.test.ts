import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '../store/node-crypto.ts';
import {
  admissionRecord,
  confirmationRecord,
  controlRecord,
  foundedMs,
  inviteRecord,
  joinProof,
  labFabric,
  memberRecord,
  peerId,
  peerSigner,
} from '../testing/control-lab.ts';
import { type Authority, computeAuthority } from './authority.ts';
import type { ControlRecord } from './control.ts';

const compute = (...records: ControlRecord[]): Authority => computeAuthority(labFabric, records, nodeCrypto);
const roles = (authority: Authority) =>
  Object.fromEntries([...authority.members.values()].map(({ peer, role }) => [peer, role]));

test('the founder is the first admin, and needs no proof', () => {
  const authority = compute();
  assert.deepEqual(roles(authority), { [peerId(0)]: 'admin' });
  assert.deepEqual(authority.members.get(peerId(0))!.proof, []);
  assert.equal(authority.members.get(peerId(0))!.since, foundedMs);
});

test('invite, proof and admission make a member of the role that the invite names', () => {
  const authority = compute(
    inviteRecord(0, 1),
    inviteRecord(0, 2, { role: 'guest' }),
    admissionRecord(0, 1, 1, { atMs: 5 }),
    admissionRecord(0, 2, 2),
  );
  assert.deepEqual(roles(authority), { [peerId(0)]: 'admin', [peerId(1)]: 'member', [peerId(2)]: 'guest' });
  assert.equal(authority.members.get(peerId(1))!.since, foundedMs + 5);
});

test('members let others in, and each is proven by the chain that led to it', () => {
  const chain = [
    inviteRecord(0, 1, { uses: 9 }),
    admissionRecord(0, 1, 1, { atMs: 1 }),
    admissionRecord(1, 1, 2, { atMs: 2 }),
    admissionRecord(2, 1, 3, { atMs: 3 }),
  ];
  const authority = compute(...chain, admissionRecord(0, 1, 4, { atMs: 4 }));
  assert.deepEqual(authority.members.get(peerId(3))!.proof, chain);
  assert.equal(compute(...chain.slice(0, 1), ...chain.slice(2)).members.size, 1);
});

test('an admission without its invite counts for nothing until the invite is there', () => {
  const admission = admissionRecord(0, 1, 1);
  assert.equal(compute(admission).members.size, 1);
  assert.equal(compute(admission, inviteRecord(0, 1)).members.size, 2);
});

test('guests cannot admit', () => {
  const authority = compute(
    inviteRecord(0, 1, { role: 'guest' }),
    inviteRecord(0, 2),
    admissionRecord(0, 1, 1, { atMs: 1 }),
    admissionRecord(1, 2, 2, { atMs: 2 }),
  );
  assert.equal(authority.members.has(peerId(2)), false);
  assert.equal(authority.invites.size, 2);
});

test('an admission stamped after the expiry does not count; the last millisecond does', () => {
  const invite = inviteRecord(0, 1, { expiresMs: 10, uses: 5 });
  assert.equal(compute(invite, admissionRecord(0, 1, 1, { atMs: 11 })).members.size, 1);
  assert.equal(compute(invite, admissionRecord(0, 1, 1, { atMs: 10 })).members.size, 2);
});

test('a forged proof does not count: of another invite, for another joiner, or none at all', () => {
  for (const proof of [joinProof(2, 1), joinProof(1, 2), new Uint8Array(64)]) {
    const forged = admissionRecord(0, 1, 1, { proof });
    const authority = compute(inviteRecord(0, 1), inviteRecord(0, 2), forged);
    assert.equal(authority.members.size, 1);
  }
});

test('of more admissions than uses the earliest count, by the admitting clocks', () => {
  const admissions = [3, 1, 2].map((joiner) => admissionRecord(0, 1, joiner, { atMs: joiner }));
  const authority = compute(inviteRecord(0, 1, { uses: 2 }), ...admissions);
  assert.deepEqual([...authority.members.keys()], [0, 1, 2].map(peerId));
});

test('a confirmed admission is displaced by no other, not even an earlier one', () => {
  const invite = inviteRecord(0, 1);
  const late = admissionRecord(0, 1, 1, { atMs: 50 });
  const early = admissionRecord(0, 1, 2, { atMs: 3 });
  assert.deepEqual([...compute(invite, late, early).members.keys()], [0, 2].map(peerId));
  const authority = compute(invite, late, early, confirmationRecord(0, late));
  assert.deepEqual([...authority.members.keys()], [0, 1].map(peerId));
  assert.equal(authority.invites.values().next().value!.used, 1);
  assert.deepEqual(authority.unconfirmed, []);
});

test('a confirmation stands by itself: without the admission, the invite and the member that let the peer in', () => {
  const confirmation = confirmationRecord(0, admissionRecord(5, 1, 1, { atMs: 7 }), { role: 'guest' });
  const authority = compute(confirmation);
  assert.deepEqual(roles(authority), { [peerId(0)]: 'admin', [peerId(1)]: 'guest' });
  assert.equal(authority.members.get(peerId(1))!.since, foundedMs + 7);
  assert.deepEqual(authority.members.get(peerId(1))!.proof, [confirmation]);
});

test('an admin makes a member a guest and a guest a member; the latest word counts', () => {
  const base = [memberRecord(0, 1), memberRecord(0, 2)];
  const role = (author: number, peer: number, role: 'member' | 'guest', atMs: number) =>
    controlRecord(author, atMs, { type: 'role', prev: null, peer: peerSigner(peer).publicKey, role });
  assert.equal(compute(...base, role(0, 1, 'guest', 5)).members.get(peerId(1))!.role, 'guest');
  assert.equal(
    compute(...base, role(0, 1, 'member', 9), role(0, 1, 'guest', 5)).members.get(peerId(1))!.role,
    'member',
  );
  assert.equal(compute(...base, role(2, 1, 'guest', 5)).members.get(peerId(1))!.role, 'member');
  assert.equal(compute(...base, role(0, 0, 'guest', 5)).members.get(peerId(0))!.role, 'admin');
});

test('a peer that was let in twice takes one use', () => {
  const invite = inviteRecord(0, 1, { uses: 2 });
  const first = admissionRecord(0, 1, 1, { atMs: 1 });
  const second = admissionRecord(0, 1, 1, { atMs: 2 });
  const other = admissionRecord(0, 1, 2, { atMs: 3 });
  for (const confirmed of [
    [],
    [confirmationRecord(0, second)],
    [first, second].map((one) => confirmationRecord(0, one)),
  ]) {
    const authority = compute(invite, first, second, other, ...confirmed);
    assert.deepEqual([...authority.members.keys()], [0, 1, 2].map(peerId));
  }
});

test("what only an admin may say has no effect in a member's or a stranger's mouth", () => {
  const base = [inviteRecord(0, 1, { uses: 1 }), admissionRecord(0, 1, 1, { atMs: 1 })];
  const displaced = admissionRecord(0, 1, 2, { atMs: 2 });
  for (const author of [1, 5]) {
    const authority = compute(
      ...base,
      inviteRecord(author, 2, { uses: 9 }),
      inviteRecord(author, 1, { uses: 9, atMs: -5 }),
      admissionRecord(author, 2, 3, { atMs: 3 }),
      displaced,
      confirmationRecord(author, displaced),
    );
    assert.deepEqual([...authority.members.keys()], [0, 1].map(peerId));
    assert.equal(authority.invites.size, 1);
    assert.equal(authority.unconfirmed.length, 1);
  }
});

test('statements that this version does not know have no effect', () => {
  const base = [inviteRecord(0, 1), admissionRecord(0, 1, 1)];
  assert.deepEqual(compute(...base, controlRecord(0, 9, null)).members, compute(...base).members);
});

test('a member whose clock is far behind its own admission lets others in all the same', () => {
  const authority = compute(
    inviteRecord(0, 1, { uses: 9 }),
    admissionRecord(0, 1, 1, { atMs: 1000 }),
    admissionRecord(1, 1, 2, { atMs: -600_000 }),
    admissionRecord(2, 1, 3, { atMs: -900_000 }),
  );
  assert.deepEqual([...authority.members.keys()].sort(), [0, 1, 2, 3].map(peerId).sort());
});

test('strangers who admit one another remain strangers', () => {
  const authority = compute(
    inviteRecord(0, 1, { uses: 9 }),
    admissionRecord(1, 1, 2),
    admissionRecord(2, 1, 1),
    admissionRecord(3, 1, 3),
  );
  assert.deepEqual(roles(authority), { [peerId(0)]: 'admin' });
});

test('a confirmed member admits others whoever let it in', () => {
  const admission = admissionRecord(5, 1, 1, { atMs: 10 });
  const authority = compute(
    inviteRecord(0, 1, { uses: 9 }),
    admission,
    confirmationRecord(0, admission, { atMs: 20 }),
    admissionRecord(1, 1, 2, { atMs: 5 }),
  );
  assert.equal(authority.members.has(peerId(2)), true);
});
