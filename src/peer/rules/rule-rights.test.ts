/**
 * That all replicas agree on whose rules are in force, in whatever order grants and rules came to them.
 * Relies on the lab of replicas in which admins govern; books are read at a time that the test turns.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf, thingIdOf } from '../../core/ids.ts';
import { memberRuleKey } from '../../core/rule-keys.ts';
import type { ScopeTime } from '../../fabric/scope.ts';
import type { Draft } from '../../replica/draft.ts';
import { governanceAt, governedLab } from '../../testing/governance-lab.ts';
import type { LabPeer } from '../../testing/replica-lab.ts';
import { seedOf } from '../../testing/seed.ts';
import { authorsConnector } from './authors-connector.ts';
import { RuleBook } from './rule-book.ts';
import { maxMemberRuleBytes, maxMemberRules } from './rule-rights.ts';

const lamp = 'urn:lamp';
const hourMs = 3_600_000;

const ruleDraft = (key: string, name = key): Draft => ({
  collection: 'rule',
  key,
  value: {
    ...{ name, enabled: true, mode: 'single', conditions: [], triggers: [{ manual: true }] },
    steps: [{ write: { thing: lamp, property: 'on', value: { literal: true } } }],
  },
});
const own = (peer: LabPeer, slug: string): string => memberRuleKey(slug, publicKeyOf(peer.id));

const bookOf = (peer: LabPeer, time: ScopeTime): RuleBook =>
  new RuleBook(peer.replica, 'UTC', { authority: () => peer.replica.authority, time: () => time });

const inForce = (peer: LabPeer, time: ScopeTime): string[] =>
  bookOf(peer, time)
    .rules()
    .map(({ key }) => key);

test('a member’s rule is in force while a grant says so, on every peer, whichever of the two came first', async (t) => {
  for (const first of ['rule', 'grant']) {
    const lab = await governedLab(4, 1, seedOf(t));
    const [admin, bulb, hall, late] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
    const now = { ms: lab.clock.now(), known: true };
    const key = own(bulb, 'night');
    const write = () => bulb.write(ruleDraft(key));
    const grant = () =>
      governanceAt(lab, admin).grant({
        ...{ subject: bulb.id, all: true, operations: ['rule'], forMs: hourMs },
      });
    lab.cut(late);
    await (first === 'rule' ? write() : grant());
    await lab.settle();
    for (const peer of [admin, bulb, hall]) assert.deepEqual(inForce(peer, now), [], first);
    await (first === 'rule' ? grant() : write());
    const { id } = governanceAt(lab, admin).grants()[0]!;
    lab.connectAll();
    await lab.settle();
    const saidAt = (time: ScopeTime): string[] =>
      lab.peers.map((peer) => bookOf(peer, time).listed()[0]?.notInForce ?? 'in force');
    assert.deepEqual(new Set(saidAt(now)), new Set(['in force']));
    assert.deepEqual(
      new Set(saidAt({ ms: now.ms + 2 * hourMs, known: true })),
      new Set(['the grant of its author has ended']),
    );
    assert.match(saidAt({ ms: now.ms, known: false })[0]!, /does not know the time/);
    await governanceAt(lab, admin).revoke(id);
    await lab.settle();
    assert.deepEqual(new Set(saidAt(now)), new Set(['no grant lets its author write rules']));
    assert.equal(hall.replica.get('rule', key)?.authorId, bulb.id, 'it is shown with its reason');
  }
});

test('a hacked member writes into nobody’s rules: not into those of admins, not into those of another member', async (t) => {
  const lab = await governedLab(4, 1, seedOf(t));
  const [admin, bulb, phone, hall] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  const now = { ms: lab.clock.now(), known: true };
  await governanceAt(lab, admin).grant({ subject: 'role:member', all: true, operations: ['rule'] });
  await admin.write(ruleDraft('hall'), ruleDraft('attic'));
  await phone.write(ruleDraft(own(phone, 'mine')));
  await lab.settle();
  const remove = (key: string): Draft => ({ collection: 'rule', key, value: null, deleted: true });
  await bulb.write(
    ...[ruleDraft('hall', 'Mine now'), remove('attic'), ruleDraft('new')],
    ...[ruleDraft(own(phone, 'mine'), 'Mine now'), ruleDraft(own(admin, 'hall'))],
    ...[ruleDraft(`x/y${own(bulb, '')}`), ruleDraft(own(bulb, 'night')), ruleDraft(`${own(bulb, 'n')}0`)],
  );
  await lab.settle();
  const expected = ['attic', 'hall', own(phone, 'mine'), own(bulb, 'night')].sort();
  for (const peer of lab.peers) {
    assert.deepEqual(inForce(peer, now), expected);
    assert.equal(bookOf(peer, now).rule('hall')?.rule.name, 'hall');
    assert.equal(bookOf(peer, now).rule(own(phone, 'mine'))?.rule.name, own(phone, 'mine'));
  }
  // An admin may take a member's rule away, and never makes it an admin's.
  await admin.write(remove(own(bulb, 'night')), ruleDraft(own(phone, 'mine'), 'By the admin'));
  await lab.settle();
  assert.deepEqual(inForce(hall, now), ['attic', 'hall', own(phone, 'mine')]);
  assert.equal(bookOf(hall, now).rule(own(phone, 'mine'))?.author, phone.id);
  await governanceAt(lab, admin).setRole(phone.id, 'guest');
  await lab.settle();
  assert.deepEqual(inForce(hall, now), ['attic', 'hall'], 'guests have no rules');
});

test('who writes very many rules, or large ones, makes the others look at a few', async (t) => {
  const lab = await governedLab(2, 1, seedOf(t));
  const [admin, bulb] = lab.peers as [LabPeer, LabPeer];
  const now = { ms: lab.clock.now(), known: true };
  await governanceAt(lab, admin).grant({ subject: bulb.id, all: true, operations: ['rule'] });
  const large = ruleDraft(own(bulb, 'a-large'));
  Object.assign(large.value as object, {
    description: 'x',
    conditions: Array(12).fill(`"${'x'.repeat(1900)}" == ""`),
  });
  const many = Array.from({ length: 500 }, (_, at) =>
    ruleDraft(own(bulb, `r${String(at).padStart(3, '0')}`)),
  );
  await bulb.write(...many, large);
  await lab.settle();
  assert.equal(admin.replica.list('rule').length, 501);
  assert.ok(inForce(admin, now).length < maxMemberRules + 1);
  assert.equal(bookOf(admin, now).rule(own(bulb, 'r499')), undefined);
  assert.equal(
    bookOf(admin, now).rule(own(bulb, 'a-large')),
    undefined,
    `more than ${maxMemberRuleBytes} bytes`,
  );
});

test('a rule may do what a grant for rules covers, of what its author itself may do then', async (t) => {
  const lab = await governedLab(3, 1, seedOf(t));
  const [admin, phone, hall] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const now = { ms: lab.clock.now(), known: true };
  const key = own(phone, 'night');
  const lock = { id: thingIdOf(hall.id, 'lock'), types: ['Lock'] };
  const bulb = { id: lamp, types: ['Light'] };
  const write = (thing: string) => ({ thing, op: 'writeproperty', name: 'on', input: true }) as const;
  const may = () =>
    [lock, bulb, { id: 'urn:fan', types: [] }].map(
      (thing) => bookOf(hall, now).rule(key)?.mayUse?.(thing, write(thing.id)) ?? null,
    );
  const govern = governanceAt(lab, admin);
  await phone.write(ruleDraft(key));
  await govern.grant({ subject: phone.id, things: [lamp, lock.id], operations: ['rule'] });
  await lab.settle();
  assert.deepEqual(may(), [false, true, false], 'of a lock it may nothing itself');
  // The runner may do everything: a run that is on its way when the rule is no longer in force has nothing of it.
  const asked: string[] = [];
  const connector = authorsConnector(
    { request: async (call) => asked.push(call.thing), stream: () => assert.fail('nothing is followed') },
    bookOf(hall, now),
    { td: () => undefined },
  );
  const step = { rule: key, firing: 'manual/x/1', step: '0', mode: 'single', clock: 1 } as const;
  const cause = { id: 'c', origin: 'rule', peer: hall.id, step } as const;
  const use = (thing: string) => connector.request(write(thing), { cause });
  await use(lamp);
  await assert.rejects(use('urn:fan'), { code: 'forbidden' });
  const { id } = await govern.grant({ subject: phone.id, type: 'Lock', operations: ['write'] });
  await lab.settle();
  assert.deepEqual(may(), [true, true, false]);
  await govern.revoke(id);
  await govern.restrict(lamp, true);
  await lab.settle();
  assert.deepEqual(may(), [false, false, false], 'its own rights count as they are now');
  await assert.rejects(use(lamp), { code: 'forbidden' });
  await govern.restrict(lamp, false);
  await govern.revoke(govern.grants()[0]!.id);
  await lab.settle();
  assert.deepEqual(may(), [null, null, null], 'it is not in force');
  await assert.rejects(use(lamp), { code: 'forbidden' });
  assert.deepEqual(asked, [lamp]);
  assert.equal(
    bookOf(hall, now).permits(own(phone, 'other'), { id: lamp, types: [] }, write(lamp)),
    undefined,
  );
});
