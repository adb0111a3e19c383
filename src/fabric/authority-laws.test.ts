import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import { peerIdOf } from '../core/ids.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import {
  admissionRecord,
  approvalRecord,
  confirmationRecord,
  controlRecord,
  inviteRecord,
  inviteSigner,
  labFabric,
  peerId,
  peerSigner,
  proposalRecord,
  type SetTerms,
  setIdOf,
} from '../testing/control-lab.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import { adminSetId } from './admin-sets.ts';
import { type Authority, computeAuthority } from './authority.ts';
import type { Admission, ControlRecord, Proposal } from './control.ts';

const compute = (records: readonly ControlRecord[]): Authority =>
  computeAuthority(labFabric, records, nodeCrypto);

/** Everything that an authority says, for comparison. */
const saidBy = (authority: Authority) => ({
  members: [...authority.members.values()]
    .map(({ peer, role, since, proof }) => [peer, role, since, ...proof.map(({ hash }) => hash)].join())
    .sort(),
  admins: [...authority.admins].sort(),
  sets: authority.adminSets.path.map(({ id }) => id),
  open: authority.adminSets.open.map(({ id, needs }) => [id, needs].join()).sort(),
  gone: [...authority.gone].map(([peer, { how, by, atMs }]) => [peer, how, by, atMs].join()).sort(),
  speakers: Array.from({ length: 7 }, (_, n) => authority.speakerOf(peerId(n))),
  invites: [...authority.invites].map(([id, { record, used }]) => [id, record.hash, used].join()).sort(),
  passes: [...authority.endedPasses].sort(),
  unconfirmed: authority.unconfirmed.map(({ peer }) => peer).sort(),
  grants: authority.grants.map(({ id, by }) => [id, by].join()).sort(),
  restrictions: [...authority.restrictions].map((one) => one.join()).sort(),
  controlAuthors: [...authority.controlAuthors].sort(),
});

// Peer 0 is the founder; few peers, invites and times, so that everything collides with everything.
const peer = fc.nat(6);
const anyAuthor = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, peer);
const atMs = fc.integer({ min: -20, max: 40 });
const invite = fc.nat(2);

const inviteArbitrary = fc
  .record({
    author: anyAuthor,
    invite,
    atMs,
    role: fc.constantFrom('member' as const, 'member' as const, 'guest' as const),
    uses: fc.integer({ min: 1, max: 3 }),
    expiresMs: fc.oneof({ weight: 2, arbitrary: fc.constant(1000) }, fc.nat(30)),
  })
  .map(({ author, invite, ...terms }) => inviteRecord(author, invite, terms));
const forgedProof = new Uint8Array(64).fill(1);
const admissionArbitrary = fc
  .record({ author: peer, invite, joiner: peer, atMs, forged: fc.nat(9) })
  .map(({ author, invite, joiner, atMs, forged }) =>
    admissionRecord(author, invite, joiner, { atMs, ...(forged === 0 && { proof: forgedProof }) }),
  );

const publicKey = (number: number): Uint8Array => peerSigner(number).publicKey;
const role = fc.constantFrom('member' as const, 'guest' as const);
const nobody = { prev: null };

/** A statement of any kind but those about joining, by anybody. */
const otherArbitrary = fc
  .record({
    author: anyAuthor,
    atMs,
    value: fc.oneof(
      fc.record({ peer, role }).map(({ peer, role }) => ({ type: 'role', peer: publicKey(peer), role })),
      fc.record({ what: fc.constantFrom('peer', 'pass'), key: peer.map(publicKey) }).map((one) => ({
        type: 'revocation',
        ...one,
      })),
      invite.map((one) => ({ type: 'revocation', what: 'invite', key: inviteSigner(one).publicKey })),
      fc.tuple(peer, peer).map(([old, next]) => ({
        type: 'replacement',
        old: publicKey(old),
        new: publicKey(next),
      })),
      fc.boolean().map((restricted) => ({ type: 'restriction', thing: 'urn:a', restricted })),
    ),
  })
  .map(({ author, atMs, value }) => controlRecord(author, atMs, { ...nobody, ...value }));

/** Sets of admins on the founder's or on one of two others, so that they follow, compete and cut. */
const knownSets: readonly SetTerms[] = [
  { admins: [0, 1] },
  { admins: [0, 1, 2], removed: [{ peer: 3, head: null, out: true }] },
];
const termsArbitrary: fc.Arbitrary<SetTerms> = fc.oneof(
  fc.constantFrom(...knownSets),
  fc.record({
    previous: fc.constantFrom(setIdOf({ admins: [0] }), ...knownSets.map(setIdOf)),
    admins: fc.uniqueArray(peer, { minLength: 1, maxLength: 3 }),
    removed: fc.array(fc.record({ peer, head: fc.constant(null), out: fc.boolean() }), { maxLength: 1 }),
  }),
);
const setArbitrary = fc
  .record({ author: anyAuthor, atMs, terms: termsArbitrary, kind: fc.nat(9) })
  .map(({ author, atMs, terms, kind }) =>
    kind < 4
      ? approvalRecord(author, terms, { atMs })
      : proposalRecord(author, terms, { atMs, recover: kind === 9 }),
  );

/** Records about joining, in some order. */
const joiningArbitrary = fc
  .record({
    invites: fc.array(inviteArbitrary, { minLength: 1, maxLength: 5 }),
    admissions: fc.array(admissionArbitrary, { maxLength: 14 }),
    confirmations: fc.array(fc.tuple(anyAuthor, fc.nat(20), atMs), { maxLength: 5 }),
  })
  .map(({ invites, admissions, confirmations }) => [
    ...invites,
    ...admissions,
    ...confirmations.flatMap(([author, which, atMs]) => {
      const admission = admissions[which % Math.max(1, admissions.length)];
      return admission ? [confirmationRecord(author, admission, { atMs })] : [];
    }),
  ]);

/** A set of control records of all kinds, in some order. */
const recordsArbitrary = fc
  .tuple(
    joiningArbitrary,
    fc.array(otherArbitrary, { maxLength: 6 }),
    fc.array(setArbitrary, { maxLength: 6 }),
  )
  .map((parts) => parts.flat());

const shuffled = <T>(list: readonly T[], random: () => number): T[] => {
  const copy = [...list];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
};

const runs = process.env.ALTHING_TEST_LONG ? 20_000 : 1000;

test('any order and any repetition of the records says the same', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, fc.nat(), (records, shuffle) => {
      const random = randomFrom(shuffle);
      const repeated = records.filter(() => random() < 0.3);
      const copies = repeated.map((record) => ({ ...record }));
      assert.deepEqual(saidBy(compute(shuffled([...records, ...copies], random))), saidBy(compute(records)));
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('an invite brings in no more members than it has uses, confirmed ones aside', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const authority = compute(records);
      const brought = new Map<string, { all: number; confirmed: number }>();
      for (const { peer, admitted } of authority.members.values()) {
        if (!admitted) continue;
        const id = toHex(admitted.invite);
        const count = brought.get(id) ?? { all: 0, confirmed: 0 };
        count.all += 1;
        const confirmed = records.some(
          ({ statement, authorId }) =>
            statement?.type === 'confirmation' &&
            authority.adminSets.path.some(({ admins }) => admins.includes(authorId)) &&
            peerIdOf(statement.joiner) === peer,
        );
        if (confirmed) count.confirmed += 1;
        brought.set(id, count);
      }
      for (const [id, count] of brought) {
        const uses = authority.invites.get(id)?.invite.uses ?? 0;
        assert.ok(count.all <= Math.max(uses, count.confirmed));
      }
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('nobody is a member and gone at once, and every admin is a member', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const { members, gone, admins } = compute(records);
      for (const peer of gone.keys()) assert.equal(members.has(peer), false);
      for (const peer of admins) assert.equal(members.get(peer)?.role, 'admin');
      for (const { peer, role } of members.values()) assert.equal(role === 'admin', admins.has(peer));
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('every member but the founder and admins stands on the word of an admin, or of a member that is no guest', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const authority = compute(records);
      const ever = new Set(authority.adminSets.path.flatMap(({ admins }) => admins));
      for (const { peer, role, proof, admitted } of authority.members.values()) {
        if (peer === peerId(0) || role === 'admin') continue;
        assert.ok(admitted);
        const word = proof.find(
          ({ statement }) =>
            (statement?.type === 'admission' || statement?.type === 'confirmation') &&
            peerIdOf(statement.joiner) === peer,
        )!;
        if (word.statement!.type === 'confirmation') {
          assert.ok(ever.has(word.authorId));
          continue;
        }
        assert.notDeepEqual((word.statement as Admission).proof, forgedProof);
        assert.ok(stampMs(word.hlc) <= authority.invites.get(toHex(admitted.invite))!.invite.expires);
        const admitter = authority.members.get(word.authorId);
        assert.ok(admitter && admitter.role !== 'guest');
      }
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

const isBacked = (proposal: Proposal, records: readonly ControlRecord[]): boolean =>
  proposal.recovery !== null ||
  records.some(
    ({ statement }) =>
      statement?.type === 'approval' && toHex(statement.set) === adminSetId(proposal, nodeCrypto),
  );

test('what anybody but an admin says changes nothing, save letting in by an invite and leaving', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, recordsArbitrary, (records, attack) => {
      const before = compute(records);
      const ever = new Set(before.adminSets.path.flatMap(({ admins }) => admins));
      // What the recovery key signed, or an admin was for already, counts whoever brings it.
      const powerless = attack.filter(
        ({ statement, authorId }) =>
          !ever.has(authorId) &&
          statement?.type !== 'admission' &&
          !(statement?.type === 'proposal' && isBacked(statement, records)) &&
          !(statement?.type === 'revocation' && peerIdOf(statement.key) === authorId),
      );
      assert.deepEqual(saidBy(compute([...records, ...powerless])), saidBy(before));
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test("a member's proof alone proves it to whoever holds the genesis, where no admin has changed", (t) => {
  fc.assert(
    fc.property(joiningArbitrary, (records) => {
      for (const { peer, role, since, proof } of compute(records).members.values()) {
        const alone = compute(proof);
        assert.equal(alone.members.get(peer)?.role, role);
        assert.equal(alone.members.get(peer)?.since, since);
        const authors = new Set(proof.map(({ authorId }) => authorId));
        for (const other of alone.members.keys())
          assert.ok(other === peer || other === peerId(0) || authors.has(other));
      }
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test("an admin's proof alone proves it to whoever holds the genesis", (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const authority = compute(records);
      for (const peer of authority.admins)
        assert.ok(compute(authority.members.get(peer)!.proof).admins.has(peer));
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('an admission by a member never takes away another that was confirmed', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, admissionArbitrary, (records, more) => {
      const before = compute(records);
      const waiting = new Set(before.unconfirmed.map(({ peer }) => peer));
      const after = compute([...records, more]);
      for (const peer of before.members.keys()) if (!waiting.has(peer)) assert.ok(after.members.has(peer));
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});
