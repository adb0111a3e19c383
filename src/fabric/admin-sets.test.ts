import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '../store/node-crypto.ts';
import {
  admissionRecord,
  approvalRecord,
  controlRecord,
  inviteRecord,
  labFabric,
  memberRecord,
  peerId,
  peerSigner,
  proposalRecord,
  revocationRecord,
  type SetTerms,
  setIdOf,
} from '../testing/control-lab.ts';
import { type Authority, computeAuthority } from './authority.ts';
import type { ControlRecord } from './control.ts';

const compute = (...records: ControlRecord[]): Authority => computeAuthority(labFabric, records, nodeCrypto);
const adminsOf = (authority: Authority): string[] => [...authority.admins].sort();
const ids = (...peers: number[]): string[] => peers.map(peerId).sort();

const two: SetTerms = { admins: [0, 1] };
const three: SetTerms = { previous: setIdOf(two), admins: [0, 1, 2] };
/** The founder makes 1 and 2 admins, each agreeing as the rule asks. */
const threeAdmins = [proposalRecord(0, two), proposalRecord(0, three), approvalRecord(1, three)];

test('the only admin makes another by its own word', () => {
  const authority = compute(proposalRecord(0, two));
  assert.deepEqual(adminsOf(authority), ids(0, 1));
  assert.equal(authority.members.get(peerId(1))!.role, 'admin');
  assert.equal(authority.members.get(peerId(1))!.proof.length, 1);
});

test('a member cannot make itself an admin, whatever it signs', () => {
  const authority = compute(
    memberRecord(0, 1),
    proposalRecord(1, { admins: [1] }),
    approvalRecord(1, { admins: [1] }),
    proposalRecord(1, { previous: setIdOf({ admins: [1] }), admins: [1, 2] }),
  );
  assert.deepEqual(adminsOf(authority), ids(0));
  assert.deepEqual(authority.adminSets.open, []);
});

test('with two admins both must agree; what lacks a voice is open and says so', () => {
  const base = [proposalRecord(0, two), proposalRecord(0, three)];
  const open = compute(...base);
  assert.deepEqual(adminsOf(open), ids(0, 1));
  assert.deepEqual(
    open.adminSets.open.map(({ id, needs, supporters }) => [id, needs, supporters]),
    [[setIdOf(three), 1, [peerId(0)]]],
  );
  assert.deepEqual(adminsOf(compute(...base, approvalRecord(1, three))), ids(0, 1, 2));
  assert.deepEqual(adminsOf(compute(...base, approvalRecord(2, three))), ids(0, 1));
});

test('two of three remove the third; with two admins neither removes the other', () => {
  const gone: SetTerms = {
    previous: setIdOf(three),
    admins: [0, 1],
    removed: [{ peer: 2, head: null, out: true }],
  };
  const proposal = proposalRecord(0, gone);
  assert.deepEqual(adminsOf(compute(...threeAdmins, proposal)), ids(0, 1, 2));
  const authority = compute(...threeAdmins, proposal, approvalRecord(1, gone));
  assert.deepEqual(adminsOf(authority), ids(0, 1));
  assert.equal(authority.gone.get(peerId(2))?.how, 'revoked');
  assert.equal(authority.members.has(peerId(2)), false);

  const alone: SetTerms = {
    previous: setIdOf(two),
    admins: [0],
    removed: [{ peer: 1, head: null, out: true }],
  };
  assert.deepEqual(adminsOf(compute(proposalRecord(0, two), proposalRecord(0, alone))), ids(0, 1));
});

test('of what a removed admin said only what stands before the cut counts, whatever its stamps say', () => {
  const before = inviteRecord(1, 1);
  const head = controlRecord(1, 20, { ...before.statement, invite: peerSigner(50).publicKey });
  const chained = { ...head, prev: before.hash };
  const backdated = controlRecord(
    1,
    -5000,
    { ...before.statement, invite: peerSigner(51).publicKey },
    { prev: chained, seq: 999 },
  );
  const removed: SetTerms = {
    previous: setIdOf(three),
    admins: [0, 2],
    removed: [{ peer: 1, head: chained }],
  };
  const records = [...threeAdmins, before, chained, backdated];
  assert.equal(compute(...records).invites.size, 3);
  const authority = compute(...records, proposalRecord(0, removed), approvalRecord(2, removed));
  assert.deepEqual(
    [...authority.invites.values()].map(({ record }) => record.hash).sort(),
    [before.hash, chained.hash].sort(),
  );
  assert.ok(authority.controlAuthors.has(peerId(1)));
});

test('one who was removed and comes back speaks again from then on, and not for the time between', () => {
  const own = (seq: number, key: number, prev: ControlRecord | null): ControlRecord =>
    controlRecord(
      1,
      seq,
      { ...inviteRecord(1, 1).statement, invite: peerSigner(key).publicKey },
      { prev, seq },
    );
  const first = own(1, 61, null);
  const between = own(2, 62, first);
  const later = own(3, 63, between);
  const removal: SetTerms = { previous: setIdOf(three), admins: [0, 2], removed: [{ peer: 1, head: first }] };
  const back: SetTerms = {
    previous: setIdOf(removal),
    admins: [0, 1, 2],
    returned: [{ peer: 1, head: between }],
  };
  const authority = compute(
    ...threeAdmins,
    first,
    between,
    later,
    proposalRecord(0, removal),
    approvalRecord(2, removal),
    proposalRecord(0, back),
    approvalRecord(2, back),
  );
  assert.deepEqual(
    [...authority.invites.values()].map(({ record }) => record.hash).sort(),
    [first.hash, later.hash].sort(),
  );
});

test('of two competing sets neither stands, and their admins are none', () => {
  const other: SetTerms = { admins: [0, 3] };
  const authority = compute(proposalRecord(0, two), proposalRecord(0, other, { atMs: 7 }));
  assert.deepEqual(adminsOf(authority), ids(0));
});

test('the recovery key replaces lost admins, from any member, and beats any other chain', () => {
  const thief: SetTerms = { admins: [4] };
  const more: SetTerms = { previous: setIdOf(thief), admins: [4, 5, 6] };
  const rescue: SetTerms = { admins: [3], removed: [{ peer: 0, head: null, out: true }] };
  const records = [
    memberRecord(0, 3),
    proposalRecord(0, thief),
    proposalRecord(4, more),
    proposalRecord(3, rescue, { recover: true }),
  ];
  const authority = compute(...records);
  assert.deepEqual(adminsOf(authority), ids(3));
  assert.equal(authority.gone.get(peerId(0))?.how, 'revoked');
  assert.equal(authority.members.has(peerId(5)), false);
  const unsigned = compute(...records.slice(0, 3), proposalRecord(3, rescue));
  assert.deepEqual(adminsOf(unsigned), ids(4, 5, 6));
});

test('words used twice at once settle nothing until they are used once more', () => {
  const one: SetTerms = { admins: [1] };
  const other: SetTerms = { admins: [2] };
  const both = [proposalRecord(1, one, { recover: true }), proposalRecord(2, other, { recover: true })];
  assert.deepEqual(adminsOf(compute(...both)), ids(0));
  const last: SetTerms = { previous: setIdOf(other), admins: [2] };
  assert.deepEqual(adminsOf(compute(...both, proposalRecord(2, last, { recover: true }))), ids(2));
});

test('an admin who leaves is none any more, and the others need one voice less', () => {
  const leave = revocationRecord(1, 1);
  const authority = compute(proposalRecord(0, two), leave);
  assert.deepEqual(adminsOf(authority), ids(0));
  assert.equal(authority.gone.get(peerId(1))?.how, 'left');
  const next: SetTerms = { previous: setIdOf(two), admins: [0, 2] };
  assert.deepEqual(adminsOf(compute(proposalRecord(0, two), leave, proposalRecord(0, next))), ids(0, 2));
});

test('an admin who leaves, or whose key is used to say so after he was removed, undoes no set that he was for', () => {
  const leave = revocationRecord(0, 0, { atMs: 99 });
  assert.deepEqual(adminsOf(compute(proposalRecord(0, two), leave)), ids(1));
  assert.deepEqual(adminsOf(compute(...threeAdmins, leave)), ids(1, 2));
  const without: SetTerms = {
    previous: setIdOf(three),
    admins: [1, 2],
    removed: [{ peer: 0, head: threeAdmins[1]!, out: true }],
  };
  const removed = [...threeAdmins, proposalRecord(1, without), approvalRecord(2, without)];
  assert.deepEqual(adminsOf(compute(...removed, leave)), ids(1, 2));
});

test('what the majority agreed to stands when they have left, whatever the one whom it removed was for', () => {
  const without: SetTerms = { previous: setIdOf(three), admins: [0, 1, 3] };
  const thief: SetTerms = { previous: setIdOf(three), admins: [2, 4] };
  const authority = compute(
    ...threeAdmins,
    proposalRecord(0, without),
    approvalRecord(1, without),
    proposalRecord(2, thief),
    revocationRecord(0, 0),
    revocationRecord(1, 1),
  );
  assert.deepEqual(adminsOf(authority), ids(3));
});

test('a set that stands since the others have left is shown with their leaving', () => {
  const next: SetTerms = { previous: setIdOf(two), admins: [0, 2] };
  const authority = compute(proposalRecord(0, two), revocationRecord(1, 1), proposalRecord(0, next));
  const { proof } = authority.members.get(peerId(2))!;
  assert.deepEqual(adminsOf(compute(...(proof as ControlRecord[]))), ids(0, 2));
});

test('a chain of sets without the recovery key ends somewhere, and goes on with it', () => {
  const records: ControlRecord[] = [];
  const add = (terms: SetTerms, recover = false): SetTerms => {
    records.push(proposalRecord(0, terms, { atMs: records.length, seq: records.length + 1, recover }));
    return terms;
  };
  let last = add({ admins: [0] });
  for (let count = 1; count < 130; count++) last = add({ previous: setIdOf(last), admins: [0] });
  const authority = compute(...records);
  assert.equal(authority.adminSets.path.length, 129);
  const standing = authority.adminSets.path.at(-1)!.id;
  add({ previous: standing, admins: [0, 3] }, true);
  assert.deepEqual(adminsOf(compute(...records)), ids(0, 3));
});

test('one comes back once however often a set says so, and only who is in the set', () => {
  const own = (seq: number, key: number, prev: ControlRecord | null): ControlRecord =>
    controlRecord(
      1,
      seq,
      { ...inviteRecord(1, 1).statement, invite: peerSigner(key).publicKey },
      { prev, seq },
    );
  const first = own(1, 61, null);
  const second = own(2, 62, first);
  const third = own(3, 63, second);
  const removal: SetTerms = { previous: setIdOf(three), admins: [0, 2], removed: [{ peer: 1, head: first }] };
  const returned = [second, first].map((head) => ({ peer: 1, head }));
  const invitesWith = (admins: number[]): string[] => {
    const back: SetTerms = { previous: setIdOf(removal), admins, returned };
    const votes = [
      proposalRecord(0, removal),
      approvalRecord(2, removal),
      proposalRecord(0, back),
      approvalRecord(2, back),
    ];
    const { invites } = compute(...threeAdmins, first, second, third, ...votes);
    return [...invites.values()].map(({ record }) => record.hash).sort();
  };
  assert.deepEqual(invitesWith([0, 1, 2]), [first.hash, third.hash].sort());
  assert.deepEqual(invitesWith([0, 2, 3]), [first.hash]);
});

test('records of a proven equivocator count up to the lowest proven position', () => {
  const base = [inviteRecord(0, 1, { uses: 9 }), memberRecord(0, 1)];
  const early = admissionRecord(1, 1, 2, { atMs: 3 });
  const late = admissionRecord(1, 1, 3, { atMs: 50 });
  const membersWith = (cut: { epoch: number; seq: number } | null) =>
    computeAuthority(labFabric, [...base, early, late], nodeCrypto, new Map([[peerId(1), cut]])).members;
  const cut = membersWith({ epoch: 1, seq: late.seq });
  assert.ok(cut.has(peerId(2)) && !cut.has(peerId(3)));
  assert.equal(membersWith(null).has(peerId(3)), true);
});

test('a thief with an admin’s key undoes nothing of what that admin had said by signing it once more', () => {
  const early = inviteRecord(0, 1, { atMs: 1 });
  const cut = new Map([[peerId(0), { epoch: 1, seq: 1 }]]);
  const authority = computeAuthority(labFabric, [early, memberRecord(0, 4)], nodeCrypto, cut);
  assert.equal(authority.invites.size, 1);
  assert.ok(authority.members.has(peerId(4)));
});
