import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '../store/node-crypto.ts';
import {
  admissionRecord,
  controlRecord,
  inviteRecord,
  inviteSigner,
  labFabric,
  memberRecord,
  peerId,
  peerSigner,
  proposalRecord,
  revocationRecord,
} from '../testing/control-lab.ts';
import { type Authority, computeAuthority } from './authority.ts';
import { type ControlRecord, parseStatement } from './control.ts';

const compute = (...records: ControlRecord[]): Authority => computeAuthority(labFabric, records, nodeCrypto);
const replacement = (author: number, old: number, next: number, atMs = 10): ControlRecord =>
  controlRecord(author, atMs, {
    type: 'replacement',
    prev: null,
    old: peerSigner(old).publicKey,
    new: peerSigner(next).publicKey,
  });

test('a revoked member is out for good, even where somebody lets it in again', () => {
  const records = [memberRecord(0, 1), memberRecord(0, 2), revocationRecord(0, 1)];
  const authority = compute(...records);
  assert.equal(authority.members.has(peerId(1)), false);
  assert.deepEqual(authority.gone.get(peerId(1)), {
    how: 'revoked',
    by: peerId(0),
    atMs: authority.gone.get(peerId(1))!.atMs,
  });
  // It may be the one that brings the words, should a thief have put it out.
  assert.equal(authority.controlAuthors.has(peerId(1)), true);
  const again = compute(
    ...records,
    inviteRecord(0, 9),
    admissionRecord(2, 9, 1, { atMs: 99 }),
    memberRecord(0, 1, { atMs: 98 }),
  );
  assert.equal(again.members.has(peerId(1)), false);
});

test('a member ends its own membership and no other', () => {
  const base = [memberRecord(0, 1), memberRecord(0, 2)];
  assert.equal(compute(...base, revocationRecord(1, 1)).gone.get(peerId(1))?.how, 'left');
  const attack = compute(...base, revocationRecord(1, 2), revocationRecord(1, 0));
  assert.deepEqual([...attack.members.keys()].sort(), [0, 1, 2].map(peerId).sort());
});

test('no single admin revokes an admin', () => {
  const authority = compute(
    proposalRecord(0, { admins: [0, 1] }),
    revocationRecord(0, 1),
    revocationRecord(1, 0),
  );
  assert.deepEqual([...authority.admins].sort(), [0, 1].map(peerId).sort());
  assert.equal(authority.gone.size, 0);
});

test('revoking a member closes the invite it came by: a fresh key with the old ticket stays out', () => {
  const invite = inviteRecord(0, 1, { uses: 9 });
  const first = admissionRecord(0, 1, 1, { atMs: 1 });
  const fresh = admissionRecord(2, 1, 5, { atMs: 50 });
  const base = [invite, first, fresh, memberRecord(0, 2)];
  assert.ok(compute(...base).members.has(peerId(5)));
  const authority = compute(...base, revocationRecord(0, 1));
  assert.equal(authority.members.has(peerId(5)), false);
  assert.equal(authority.invites.size, 0);
});

test('what a revoked member let in falls with it, unless an admin confirmed it', () => {
  const base = [
    inviteRecord(0, 1),
    inviteRecord(0, 2, { uses: 2 }),
    admissionRecord(0, 1, 1, { atMs: 1 }),
    admissionRecord(1, 2, 3, { atMs: 2 }),
    memberRecord(0, 4),
  ];
  assert.deepEqual([...compute(...base).members.keys()].sort(), [0, 1, 3, 4].map(peerId).sort());
  assert.deepEqual(
    [...compute(...base, revocationRecord(0, 1)).members.keys()].sort(),
    [0, 4].map(peerId).sort(),
  );
});

test('an admin ends invites and passes; nobody else does', () => {
  const end = (author: number, what: 'invite' | 'pass') =>
    controlRecord(author, 9, { type: 'revocation', prev: null, what, key: inviteSigner(1).publicKey });
  const base = [inviteRecord(0, 1), memberRecord(0, 2)];
  assert.equal(compute(...base, end(0, 'invite')).invites.size, 0);
  assert.equal(compute(...base, end(2, 'invite')).invites.size, 1);
  assert.equal(compute(...base, end(0, 'pass')).endedPasses.size, 1);
  assert.equal(compute(...base, end(2, 'pass')).endedPasses.size, 0);
});

test('a replaced peer is out, and its successor speaks for it; replacements follow one another', () => {
  const base = [1, 2, 3].map((peer) => memberRecord(0, peer));
  const once = compute(...base, replacement(0, 1, 2));
  assert.equal(once.gone.get(peerId(1))?.how, 'replaced');
  assert.equal(once.speakerOf(peerId(1)), peerId(2));
  assert.equal(once.speakerOf(peerId(3)), peerId(3));
  const twice = compute(...base, replacement(0, 1, 2), replacement(0, 2, 3, 11));
  assert.equal(twice.speakerOf(peerId(1)), peerId(3));
  assert.deepEqual([...twice.predecessorsOf(peerId(3))].sort(), [1, 2].map(peerId).sort());
  assert.deepEqual(twice.predecessorsOf(peerId(1)), []);
});

test('a member takes nobody else’s place by its own word, and admins are not replaced so', () => {
  const base = [1, 2].map((peer) => memberRecord(0, peer));
  const attack = compute(...base, replacement(2, 1, 2), replacement(2, 0, 2));
  assert.equal(attack.speakerOf(peerId(1)), peerId(1));
  assert.equal(compute(...base, replacement(0, 0, 2)).speakerOf(peerId(0)), peerId(0));
});

test('a ring of replacements speaks for nobody else and ends', () => {
  const base = [1, 2].map((peer) => memberRecord(0, peer));
  const authority = compute(...base, replacement(0, 1, 2), replacement(0, 2, 1, 11));
  assert.equal(authority.speakerOf(peerId(1)), peerId(1));
  assert.equal(authority.members.size, 1);
});

test('statements with wrong parts are unknown, not half believed', () => {
  const key = peerSigner(1).publicKey;
  assert.notEqual(parseStatement('revocation', { type: 'revocation', prev: null, what: 'peer', key }), null);
  for (const [collection, value] of [
    ['revocation', { type: 'revocation', prev: null, what: 'world', key }],
    ['revocation', { type: 'revocation', prev: null, what: 'peer', key: key.subarray(1) }],
    ['member', { type: 'revocation', prev: null, what: 'peer', key }],
    ['replacement', { type: 'replacement', prev: null, old: key }],
    ['toString', { type: 'replacement', prev: null, old: key, new: key }],
    [
      'adminset',
      { type: 'proposal', prev: null, previous: key, admins: [], removed: [], returned: [], recovery: null },
    ],
  ] as const)
    assert.equal(parseStatement(collection, value), null);
});
