import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import {
  admissionRecord,
  confirmationRecord,
  controlRecord,
  foundedMs,
  inviteRecord,
  labFabric,
  peerId,
  peerSigner,
} from '../testing/control-lab.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import { type Authority, computeAuthority } from './authority.ts';
import type { Admission, ControlRecord } from './control.ts';

const compute = (records: readonly ControlRecord[]): Authority =>
  computeAuthority(labFabric, records, nodeCrypto);

/** Everything that an authority says, for comparison. */
const saidBy = ({ members, invites, unconfirmed }: Authority) => ({
  members: [...members.values()]
    .map(({ peer, role, since, proof }) => [peer, role, since, ...proof.map(({ hash }) => hash)].join())
    .sort(),
  invites: [...invites].map(([id, { record, used }]) => [id, record.hash, used].join()).sort(),
  unconfirmed: unconfirmed.map(({ hash }) => hash).sort(),
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

/** A set of control records of all kinds, in some order. */
const recordsArbitrary = fc
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
      return admission ? [confirmationRecord(author, admission, atMs)] : [];
    }),
  ]);

const shuffled = <T>(list: readonly T[], random: () => number): T[] => {
  const copy = [...list];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
};

/** The admission that a member stands on: the last one in its proof that lets it in. */
const admissionOf = (
  authority: Authority,
  peer: string,
): (ControlRecord & { statement: Admission }) | undefined =>
  authority.members
    .get(peer)!
    .proof.filter(
      (record): record is ControlRecord & { statement: Admission } =>
        record.statement?.type === 'admission' &&
        peerId(numberOf.get(toHex(record.statement.joiner))!) === peer,
    )
    .at(-1);
const numberOf = new Map(Array.from({ length: 7 }, (_, n) => [toHex(peerSigner(n).publicKey), n] as const));

const runs = process.env.ALTHING_TEST_LONG ? 20_000 : 1500;

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
      const confirmed = new Set(
        records.flatMap(({ statement, authorId }) =>
          statement?.type === 'confirmation' && authorId === peerId(0) ? [toHex(statement.admission)] : [],
        ),
      );
      const brought = new Map<string, { all: number; confirmed: number }>();
      for (const { peer } of authority.members.values()) {
        if (peer === peerId(0)) continue;
        const admission = admissionOf(authority, peer)!;
        const id = toHex(admission.statement.invite);
        const count = brought.get(id) ?? { all: 0, confirmed: 0 };
        count.all += 1;
        if (confirmed.has(admission.hash)) count.confirmed += 1;
        brought.set(id, count);
      }
      for (const [id, count] of brought) {
        const { invite, used } = authority.invites.get(id)!;
        assert.ok(count.all <= Math.max(invite.uses, count.confirmed));
        assert.ok(used >= count.all);
      }
      for (const record of authority.unconfirmed) assert.equal(confirmed.has(record.hash), false);
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('every member stands on a proven admission, in time, by the founder or a member that is no guest', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const authority = compute(records);
      for (const { peer, role } of authority.members.values()) {
        if (peer === peerId(0)) continue;
        const admission = admissionOf(authority, peer)!;
        const { invite, record } = authority.invites.get(toHex(admission.statement.invite))!;
        assert.equal(record.authorId, peerId(0));
        assert.equal(role, invite.role);
        assert.ok(stampMs(admission.hlc) <= invite.expires);
        assert.notDeepEqual(admission.statement.proof, forgedProof);
        if (!authority.unconfirmed.includes(admission)) continue;
        const admitter = authority.members.get(admission.authorId);
        assert.ok(admitter && admitter.role !== 'guest');
      }
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('a confirmed, valid admission always makes its joiner a member', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const authority = compute(records);
      for (const { statement, authorId } of records) {
        if (statement?.type !== 'confirmation' || authorId !== peerId(0)) continue;
        const admission = records.find(({ hash }) => hash === toHex(statement.admission))!;
        const { invite, joiner, proof } = admission.statement as Admission;
        const standing = authority.invites.get(toHex(invite));
        if (!standing || proof === forgedProof || stampMs(admission.hlc) > standing.invite.expires) continue;
        assert.ok(authority.members.has(peerId(numberOf.get(toHex(joiner))!)));
      }
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('invites and confirmations of anybody but an admin change nothing', (t) => {
  fc.assert(
    fc.property(
      recordsArbitrary,
      fc.array(inviteArbitrary, { maxLength: 3 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(30)), { maxLength: 5 }),
      (records, invites, confirmations) => {
        const added = [
          ...invites.map((record) => ({
            ...record,
            authorId: peerId(3),
            hash: toHex(nodeCrypto.sha256(fromHex(record.hash))),
          })),
          ...confirmations.map(([author, which]) =>
            confirmationRecord(author, records[which % records.length]!),
          ),
          controlRecord(0, 5, null),
        ];
        assert.deepEqual(saidBy(compute([...records, ...added])), saidBy(compute(records)));
      },
    ),
    { seed: seedOf(t), numRuns: runs },
  );
});

test("a member's proof alone proves it to whoever holds the genesis, and nobody else but those who let it in", (t) => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      for (const { peer, role, since, proof } of compute(records).members.values()) {
        const alone = compute(proof);
        assert.equal(alone.members.get(peer)?.role, role);
        assert.equal(alone.members.get(peer)?.since, since);
        const authors = new Set(proof.map(({ authorId }) => authorId));
        for (const other of alone.members.keys())
          assert.ok(other === peer || other === peerId(0) || authors.has(other));
        if (peer === peerId(0)) continue;
        const admission = admissionOf(alone, peer)!;
        const without = proof.filter((record) => record !== admission);
        assert.equal(compute(without).members.has(peer), false);
      }
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});

test('an admission by a member never takes away another that was confirmed', (t) => {
  fc.assert(
    fc.property(recordsArbitrary, admissionArbitrary, (records, more) => {
      const before = compute(records);
      const after = compute([...records, more]);
      for (const [peer, { proof }] of before.members)
        if (proof.length === 3 && proof[2]!.statement?.type === 'confirmation')
          assert.ok(after.members.has(peer));
      assert.equal(after.members.get(peerId(0))?.since, foundedMs);
    }),
    { seed: seedOf(t), numRuns: runs },
  );
});
