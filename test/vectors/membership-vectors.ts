/**
 * Vectors of the fabric's authority: a signed control record of every type, and what follows from sets of them.
 * Relies on `computeAuthority`, whose answer is written beside each set in words that any implementation has.
 */
import { fromHex } from '../../src/core/bytes.ts';
import { publicKeyOf } from '../../src/core/ids.ts';
import { type AdminSetContent, adminSetId, recoveryBytes } from '../../src/fabric/admin-sets.ts';
import { type Authority, computeAuthority, type FraudCuts } from '../../src/fabric/authority.ts';
import type { SignedRecord } from '../../src/replica/record.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import {
  foundedMs,
  inviteSigner,
  joinProof,
  labFabric,
  peerSigner,
  recoverySigner,
} from '../../src/testing/control-lab.ts';
import { Author } from './author.ts';
import { showRecord } from './plain-vectors.ts';

const keyOf = (peer: number): Uint8Array => peerSigner(peer).publicKey;
const dayMs = 86_400_000;

/** Statements that the cases are made of. */
const say = {
  invite: (author: Author, invite: number, terms: object = {}, atMs = 1000): SignedRecord => {
    const base = { type: 'invite', invite: inviteSigner(invite).publicKey, role: 'member', uses: 1 };
    return author.sign('member', 'invite', { ...base, expires: foundedMs + dayMs, ...terms }, { atMs });
  },
  admission: (
    author: Author,
    invite: number,
    joiner: number,
    atMs = 2000,
    proof = joinProof(invite, joiner),
  ) =>
    author.sign(
      'member',
      'admission',
      { type: 'admission', invite: inviteSigner(invite).publicKey, joiner: keyOf(joiner), proof },
      { atMs },
    ),
  confirmation: (author: Author, invite: number, joiner: number, role: 'member' | 'guest' = 'member') => {
    const base = { type: 'confirmation', invite: inviteSigner(invite).publicKey, joiner: keyOf(joiner) };
    return author.sign(
      'member',
      'confirmation',
      { ...base, role, admitted: foundedMs + 2000 },
      { atMs: 3000 },
    );
  },
  role: (author: Author, peer: number, role: 'member' | 'guest') =>
    author.sign('member', 'role', { type: 'role', peer: keyOf(peer), role }, { atMs: 4000 }),
  revocation: (author: Author, what: 'peer' | 'invite' | 'pass', key: Uint8Array, atMs = 5000) =>
    author.sign('revocation', 'revocation', { type: 'revocation', what, key }, { atMs }),
  replacement: (author: Author, old: number, by: number) => {
    const value = { type: 'replacement', old: keyOf(old), new: keyOf(by) };
    return author.sign('replacement', 'replacement', value, { atMs: 5000 });
  },
  grant: (author: Author, peer: number) =>
    author.sign('grant', 'grant', {
      type: 'grant',
      subject: { kind: 'peer', peer: keyOf(peer) },
      things: { kind: 'types', types: ['Lock'] },
      operations: ['read', 'invoke'],
      affordances: null,
      notBefore: null,
      expires: foundedMs + dayMs,
    }),
  withdrawal: (author: Author, grant: SignedRecord) =>
    author.sign('grant', 'withdrawal', { type: 'withdrawal', grant: fromHex(grant.hash) }),
  restriction: (author: Author, thing: string, restricted: boolean, atMs = 1000) =>
    author.sign('restriction', thing, { type: 'restriction', thing, restricted }, { atMs }),
  proposal: (author: Author, set: AdminSetContent, recovery: Uint8Array | null = null) =>
    author.sign('adminset', 'proposal', { type: 'proposal', ...set, recovery }, { atMs: 1000 }),
  approval: (author: Author, set: AdminSetContent) =>
    author.sign('adminset', 'approval', { type: 'approval', set: fromHex(adminSetId(set, nodeCrypto)) }),
};

const setOf = (admins: readonly number[], change: Partial<AdminSetContent> = {}): AdminSetContent => ({
  previous: labFabric.id,
  admins: admins.map(keyOf),
  removed: [],
  returned: [],
  ...change,
});
const follow = (set: AdminSetContent): Uint8Array => fromHex(adminSetId(set, nodeCrypto));
const authors = (count: number): Author[] =>
  Array.from({ length: count }, (_, number) => new Author(labFabric, number));

/** One signed record of each type of statement. */
export const controlVectors = () => {
  const [founder, member] = authors(2) as [Author, Author];
  const set = setOf([0, 1]);
  const grant = say.grant(founder, 1);
  const recovery = recoverySigner().sign(recoveryBytes(labFabric, set));
  const records = [
    say.invite(founder, 1),
    say.invite(founder, 2, { replaces: keyOf(1) }),
    say.admission(member, 1, 2),
    say.confirmation(founder, 1, 2),
    say.role(founder, 2, 'guest'),
    grant,
    say.withdrawal(founder, grant),
    say.restriction(founder, `urn:althing:${member.id}:lock`, true),
    say.revocation(founder, 'peer', keyOf(2)),
    say.revocation(founder, 'invite', inviteSigner(1).publicKey),
    say.revocation(founder, 'pass', inviteSigner(2).publicKey),
    say.replacement(founder, 1, 2),
    say.proposal(founder, set),
    say.proposal(founder, set, recovery),
    say.approval(member, set),
    founder.sign('member', 'x', { type: 'of-a-later-version' }),
  ];
  return {
    fabric: labFabric.id,
    adminSet: { content: set, id: adminSetId(set, nodeCrypto), recoverySigns: recoveryBytes(labFabric, set) },
    records: records.map((record) => ({
      type: record.statement?.type ?? null,
      ...showRecord(record),
    })),
  };
};

interface Case {
  readonly name: string;
  readonly records: readonly SignedRecord[];
  readonly frauds?: FraudCuts;
}

const joining = (): Case[] => {
  const cases: Case[] = [{ name: 'nothing but the genesis', records: [] }];
  {
    const [founder, member] = authors(2) as [Author, Author];
    const records = [
      say.invite(founder, 1, { uses: 2 }),
      say.admission(founder, 1, 1),
      say.admission(member, 1, 2),
    ];
    cases.push({ name: 'a member lets another in, nobody confirms', records });
    cases.push({ name: 'the order does not matter', records: records.toReversed() });
    cases.push({
      name: 'an admin confirms both',
      records: [...records, say.confirmation(founder, 1, 1), say.confirmation(founder, 1, 2)],
    });
    cases.push({
      name: 'without the record that let its author in, an admission is nothing',
      records: [records[0]!, records[2]!],
    });
  }
  {
    const [founder, member] = authors(2) as [Author, Author];
    const records = [
      say.invite(founder, 1, { uses: 2 }),
      say.admission(founder, 1, 1),
      say.admission(member, 1, 3, 9000),
      say.admission(member, 1, 2, 8000),
    ];
    cases.push({ name: 'uses go to those who were let in first', records });
    cases.push({
      name: 'a confirmed one keeps its use',
      records: [...records, say.confirmation(founder, 1, 3)],
    });
  }
  {
    const [founder, member] = authors(2) as [Author, Author];
    const late = say.admission(founder, 1, 1, dayMs + 1);
    cases.push({ name: 'let in after the invite expired', records: [say.invite(founder, 1), late] });
    const forged = say.admission(founder, 1, 1, 2000, new Uint8Array(64));
    cases.push({ name: 'a proof that does not hold', records: [say.invite(founder, 1), forged] });
    cases.push({
      name: 'an invite by one who is no admin',
      records: [say.invite(member, 1), say.admission(member, 1, 2)],
    });
  }
  {
    const [founder, guest] = authors(2) as [Author, Author];
    const records = [
      say.invite(founder, 1, { role: 'guest', uses: 2 }),
      say.admission(founder, 1, 1),
      say.admission(guest, 1, 2),
    ];
    cases.push({ name: 'a guest lets nobody in', records });
    cases.push({ name: 'a guest is made a member', records: [...records, say.role(founder, 1, 'member')] });
  }
  return cases;
};

const leaving = (): Case[] => {
  const [founder, member, other] = authors(3) as [Author, Author, Author];
  const base = [
    say.invite(founder, 1, { uses: 3 }),
    say.confirmation(founder, 1, 1),
    say.confirmation(founder, 1, 2),
  ];
  const admission = say.admission(member, 1, 3);
  const grant = say.grant(founder, 2);
  return [
    { name: 'an admin revokes a member', records: [...base, say.revocation(founder, 'peer', keyOf(1))] },
    {
      name: 'of whom a revoked one let in nothing stands',
      records: [...base, admission, say.revocation(founder, 'peer', keyOf(1))],
    },
    { name: 'a member cannot revoke another', records: [...base, say.revocation(member, 'peer', keyOf(2))] },
    { name: 'a member leaves', records: [...base, say.revocation(other, 'peer', keyOf(2))] },
    {
      name: 'an invite is ended',
      records: [...base, admission, say.revocation(founder, 'invite', inviteSigner(1).publicKey)],
    },
    { name: 'one takes the place of another', records: [...base, say.replacement(founder, 1, 2)] },
    { name: 'a grant stands', records: [...base, grant] },
    { name: 'a grant is withdrawn', records: [...base, grant, say.withdrawal(founder, grant)] },
    {
      name: 'a Thing is restricted, and freed later',
      records: [
        ...base,
        say.restriction(founder, 'urn:x', true, 1000),
        say.restriction(founder, 'urn:x', false, 2000),
      ],
    },
  ];
};

const governing = (): Case[] => {
  const [founder, second, third] = authors(3) as [Author, Author, Author];
  const two = setOf([0, 1]);
  const three = setOf([0, 1, 2], { previous: follow(two) });
  const base = [say.proposal(founder, two), say.proposal(founder, three), say.approval(second, three)];
  const before = say.invite(third, 1);
  const head = third.head;
  const after = say.invite(third, 2, {}, -5000);
  const removal = setOf([0, 1], { previous: follow(three), removed: [{ peer: keyOf(2), head, out: true }] });
  const removed = [say.proposal(founder, removal), say.approval(second, removal)];
  const rescue = setOf([4]);
  const recovered = say.proposal(
    new Author(labFabric, 4),
    rescue,
    recoverySigner().sign(recoveryBytes(labFabric, rescue)),
  );
  const rival = setOf([0, 3]);
  return [
    { name: 'the founder makes a second admin, both a third', records: base },
    { name: 'one voice of two is too few', records: base.slice(0, 2) },
    {
      name: 'a removed admin: what it said up to the named head stands',
      records: [...base, before, after, ...removed],
    },
    { name: 'the words of the recovery key are enough', records: [recovered] },
    {
      name: 'of two sets on one the one with more recovery-signed ones stands',
      records: [...base, recovered],
    },
    {
      name: 'of two sets on one without it neither stands',
      records: [say.proposal(founder, two), say.proposal(founder, rival)],
    },
    {
      name: 'from a proven contradiction on an admin said nothing',
      records: [say.invite(new Author(labFabric, 0), 1), ...base],
      frauds: new Map([[founder.id, { epoch: 1_800_000_000_000, seq: 2 }]]),
    },
  ];
};

const sorted = <Item>(items: Iterable<Item>): Item[] => [...items].sort();

const sortedByText = <Item>(items: readonly Item[]): Item[] =>
  sorted(items.map((item) => JSON.stringify(item))).map((text) => JSON.parse(text) as Item);

/** What an authority says, in an order that depends on nothing. */
const showAuthority = (authority: Authority) => ({
  members: sortedByText(
    [...authority.members.values()].map(({ peer, role, since }) => ({ peer, role, since })),
  ),
  admins: sorted(authority.admins),
  gone: sortedByText([...authority.gone].map(([peer, { how, by, atMs }]) => ({ peer, how, by, atMs }))),
  invites: sortedByText([...authority.invites].map(([invite, { used }]) => ({ invite, used }))),
  unconfirmed: sorted(authority.unconfirmed.map(({ peer }) => peer)),
  grants: sorted(authority.grants.map(({ id }) => id)),
  restricted: Object.fromEntries(sorted(authority.restrictions)),
  speakers: Object.fromEntries(
    sorted(authority.gone.keys()).map((peer) => [peer, authority.speakerOf(peer)] as const),
  ),
  openSets: sorted(authority.adminSets.open.map(({ id }) => id)),
});

/** The authority of these raw records, as the vectors tell it. */
export const authorityOf = (records: readonly SignedRecord[], frauds?: FraudCuts) =>
  showAuthority(computeAuthority(labFabric, records, nodeCrypto, frauds));

/** Sets of control records, and what follows from each. */
export const membershipVectors = () => ({
  fabric: labFabric.id,
  genesis: labFabric.bytes,
  cases: [...joining(), ...leaving(), ...governing()].map(({ name, records, frauds }) => ({
    name,
    records: records.map(({ raw }) => raw),
    frauds: [...(frauds ?? [])].map(([peer, cut]) => ({ author: publicKeyOf(peer), cut })),
    authority: authorityOf(records, frauds),
  })),
});
