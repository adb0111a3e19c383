/**
 * The promise to whoever lets a member write rules: they do what that member may do itself, and nothing more.
 * Relies on real peers; an admin's device exposes the lock and the lamp, and so would run what the member may not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '../../core/ids.ts';
import { memberRuleKey } from '../../core/rule-keys.ts';
import { type Frame, frameType } from '../../net/frames.ts';
import { PeerLab } from '../../testing/peer-lab.ts';
import { exposeLamp, exposeMotion } from '../../testing/rule-things.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Cause } from '../../thing/scripting-api.ts';
import type { Peer } from '../peer.ts';

const yaml = `
name: Lamp on motion
triggers: [{ property: { thing: motion, name: motion, becomes: true } }]
steps: [{ write: { thing: lamp, property: on, value: true } }]
---
name: Open sesame
triggers: [{ manual: true }]
steps: [{ write: { thing: lock, property: on, value: true } }]
---
name: Spy
triggers: [{ property: { thing: lock, name: on, changes: true } }, { manual: true }]
conditions: [thing("lock").on == true]
steps: [{ write: { thing: lamp, property: on, value: false } }]
`;

/** Fires by hand and says how that ended. */
const outcomeOf = async (peer: Peer, rule: string): Promise<string> => {
  const { firing } = await peer.rules.fire(rule);
  return waitFor(
    async () => {
      const { executions } = await peer.rules.trace(rule);
      const found = executions.find((one) => one.firing === firing);
      return found && found.outcome !== 'running' && `${found.outcome}: ${found.message}`;
    },
    { what: `${rule} to end` },
  );
};

test('a member with a grant writes rules, which do what it may itself, wherever they run, for as long as the grant lasts', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const [hall, phone] = [await lab.start('hall'), await lab.start('phone')];
  await lab.join(hall, phone);
  const motion = await exposeMotion(phone);
  const lamp = await exposeLamp(hall, 'Lamp');
  const lock = await exposeLamp(hall, 'Lock');
  await hall.governance.restrict(lock.id, true);
  await waitFor(() => phone.things().length === 3, { what: 'the Things' });
  await assert.rejects(phone.rules.apply(yaml), { code: 'not-admin' });

  const { id: grant } = await hall.governance.grant({ subject: 'phone', all: true, operations: ['rule'] });
  await waitFor(() => phone.governance.grants().length === 1, { what: 'the grant' });
  const applied = await phone.rules.apply(yaml);
  const key = (slug: string): string => memberRuleKey(slug, publicKeyOf(phone.id));
  assert.deepEqual(
    applied.map(({ rule, result }) => [rule, result]),
    ['lamp-on-motion', 'open-sesame', 'spy'].map((slug) => [key(slug), 'created']),
  );
  await waitFor(async () => (await hall.rules.list()).length === 3, { what: 'the rules at the admin' });
  for (const { author, ofMember, notInForce } of await hall.rules.list())
    assert.deepEqual([author, ofMember, notInForce], [phone.id, true, null]);
  await assert.rejects(hall.rules.setEnabled('Spy', false), { code: 'forbidden' });
  await motion.settled();
  await motion.set(true);
  await waitFor(() => lamp.isOn, { what: 'the lamp to be on' });
  await phone.rules.setEnabled('Lamp on motion', false);
  assert.equal((await phone.rules.apply(yaml))[0]?.result, 'same', 'what was switched off stays off');
  await phone.rules.setEnabled('Lamp on motion', true);

  // The admin's device has the lock, and may do everything: not for this rule.
  assert.match(await outcomeOf(hall, 'Open sesame'), /^failed: .*forbidden/);
  assert.match(await outcomeOf(phone, 'Open sesame'), /^failed: .*forbidden/);
  assert.match(await outcomeOf(hall, 'Spy'), /^not-run: .*not known/);
  await (await hall.wot.consume(lock.id)).writeProperty('on', true);
  assert.deepEqual(lock.written, [true], 'by hand, by the admin');
  assert.equal((await hall.rules.trace('Spy')).executions.length, 1, 'what the lock says fires nothing');

  const safe = await exposeLamp(phone, 'Safe');
  await waitFor(() => hall.things().length === 4, { what: 'the safe' });
  await hall.governance.restrict(safe.id, true);
  const step = { rule: key('spy'), firing: 'manual/x/1', step: '0', mode: 'single', clock: 1 } as const;
  const cause: Cause = { id: 'c', origin: 'rule', peer: hall.id, step };
  const open = { thing: safe.id, op: 'writeproperty', name: 'on', input: true } as const;
  const refused = (): Promise<boolean> =>
    hall.request(open, { cause }).then(
      () => false,
      ({ code }) => code === 'forbidden',
    );
  await waitFor(refused, { what: 'the safe to refuse an admin that runs the rule' });
  await hall.request(open);

  await hall.governance.grant({ subject: 'phone', things: [lock.id], operations: ['write'] });
  assert.match(await outcomeOf(hall, 'Open sesame'), /^done/);
  assert.deepEqual(lock.written, [true, true]);
  await hall.rules.remove('Spy');
  assert.equal((await hall.rules.list()).length, 2);

  await hall.governance.revoke(grant);
  await waitFor(() => phone.governance.grants().length === 1, { what: 'the end of the grant' });
  for (const { notInForce } of await phone.rules.list())
    assert.equal(notInForce, 'no grant lets its author write rules');
  await assert.rejects(hall.rules.fire('Open sesame'), { code: 'rule-failed' });
  await assert.rejects(phone.rules.apply(yaml), { code: 'not-admin' });
});

test('a hacked member that names a rule of its own opens no lock with it', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const hall = await lab.start('hall');
  const bulb = await lab.traitor(hall);
  const lock = await exposeLamp(hall, 'Lock');
  await hall.governance.restrict(lock.id, true);
  await hall.governance.grant({ subject: bulb.id, things: [lock.id], operations: ['rule'] });
  const rule = memberRuleKey('open', publicKeyOf(bulb.id));
  const step = [rule, `manual/${rule}/1`, '0', 'single', 1];
  const cause = ['c', 'rule', bulb.id, [[rule, `manual/${rule}/1`, bulb.id, 1]], step];
  bulb.send([frameType.request, 1, 'writeproperty', lock.id, 'on', 5000, cause, null, true]);
  const [, , code] = await bulb.frame(
    'an answer',
    ([type, id]: Frame) => id === 1 && type === frameType.error,
  );
  assert.equal(code, 'forbidden');
  assert.deepEqual(lock.written, []);
});
