/** The promise that what happens on one device makes another one act, as an admin's rules say. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Activity } from '../../core/api-shapes.ts';
import { isOnline, PeerLab } from '../../testing/peer-lab.ts';
import { exposeLamp, exposeMotion, type LabLamp } from '../../testing/rule-things.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Peer } from '../peer.ts';

const lab = new PeerLab();
after(() => lab.close());

/** What a peer tells from now on, of one kind. */
const activities = (peer: Peer, kind: Activity['kind']): Activity[] => {
  const told: Activity[] = [];
  peer.onActivity((activity) => {
    if (activity.kind === kind) told.push(activity);
  });
  return told;
};

test('motion on one device turns a lamp on on another, and an admin sees why', async () => {
  const [hall, kitchen] = [await lab.start('hall'), await lab.start('kitchen')];
  await lab.join(hall, kitchen);
  const motion = await exposeMotion(hall);
  const lamp = await exposeLamp(kitchen);
  await waitFor(() => hall.things().length === 2 && kitchen.things().length === 2, { what: 'both Things' });
  await hall.rules.apply(`
name: Lamp on motion
triggers:
  - property: { thing: motion, name: motion, becomes: true }
conditions:
  - thing("lamp").on == false
steps:
  - write: { thing: lamp, property: on, value: true }
`);
  const ended = activities(hall, 'rule-ended');
  const told = activities(hall, 'command');
  await motion.settled();
  await motion.set(true);
  await waitFor(() => ended.length === 1, { what: 'the rule to have run' });
  assert.equal(ended[0]!.outcome, 'done');
  assert.deepEqual(lamp.written, [true]);
  assert.deepEqual(
    told.map(({ op }) => op),
    ['writeproperty'],
    'what it reads is not told',
  );
  const [cause] = lamp.causes;
  assert.equal(cause!.chain?.[0]?.rule, 'lamp-on-motion');
  assert.equal(cause!.chain?.[0]?.firing, ended[0]!.firing);
});

/** A fabric of peers by name, all in session. */
const fabric = async (...names: string[]): Promise<Peer[]> => {
  const peers: Peer[] = [];
  for (const name of names) {
    const peer = await lab.start(name);
    if (peers[0]) await lab.join(peers[0], peer);
    peers.push(peer);
  }
  for (const peer of peers)
    await waitFor(() => peers.every(({ id }) => id === peer.id || isOnline(peer, id)), {
      what: 'all sessions',
    });
  return peers;
};

const thingsAt = (peers: readonly Peer[], count: number): Promise<unknown> =>
  waitFor(() => peers.every((peer) => peer.things().length === count), {
    what: `${count} Things everywhere`,
  });

test('a runner that is restarted during a delay goes on with it, and does nothing twice', async () => {
  const [hall, kitchen] = (await fabric('hall', 'kitchen')) as [Peer, Peer];
  const motion = await exposeMotion(hall);
  const lamp = await exposeLamp(kitchen);
  await thingsAt([hall, kitchen], 2);
  await hall.rules.apply(`
name: Light
triggers:
  - property: { thing: motion, name: motion, becomes: true }
steps:
  - write: { thing: lamp, property: on, value: true }
  - delay: 4s
  - write: { thing: lamp, property: on, value: false }
`);
  await motion.settled();
  await motion.set(true);
  await waitFor(() => lamp.isOn, { what: 'the lamp to be on' });
  const again = await lab.restart(hall);
  const ended = activities(again, 'rule-ended');
  await exposeMotion(again, 'Motion', true);
  await waitFor(() => ended.length === 1, { what: 'the run to go on to its end', timeoutMs: 20_000 });
  assert.equal(ended[0]!.outcome, 'done');
  assert.deepEqual(lamp.written, [true, false]);
});

test('a timed run goes on at the peer that stands by when its runner dies in the middle of a delay', async () => {
  const peers = await fabric('attic', 'bath', 'cellar');
  const [admin] = peers as [Peer];
  const lamps = new Map<Peer, LabLamp>();
  for (const peer of peers) lamps.set(peer, await exposeLamp(peer, `Lamp of ${peer.self().name}`));
  await thingsAt(peers, 3);
  await admin.rules.setPlace({ zone: 'UTC' });
  const fired = new Map(peers.map((peer) => [peer, activities(peer, 'rule-fired')]));
  const at = new Date(Date.now() + 6000).toISOString().slice(11, 19);
  await admin.rules.apply(`
name: Night
triggers:
  - time: { at: "${at}" }
steps:
  - write: { every: { type: Light }, property: on, value: true }
    onFailure: continue
  - delay: 5s
  - write: { every: { type: Light }, property: on, value: false }
    onFailure: continue
`);
  await waitFor(() => [...lamps.values()].every(({ isOn }) => isOn), {
    what: 'all lamps to be on',
    timeoutMs: 20_000,
  });
  const runners = peers.filter((peer) => fired.get(peer)!.length > 0);
  assert.equal(runners.length, 1, 'one of them runs it');
  const [runner] = runners as [Peer];
  const others = peers.filter((peer) => peer !== runner);
  const ended = others.flatMap((peer) => [activities(peer, 'rule-ended')]);
  await runner.stop();
  await waitFor(() => ended.some((told) => told.length === 1), {
    what: 'another to end it',
    timeoutMs: 30_000,
  });
  for (const peer of others) assert.deepEqual(lamps.get(peer)!.written, [true, false]);
  assert.deepEqual(lamps.get(runner)!.written, [true]);
});

test('two rules that answer one another across two devices are stopped', async () => {
  const [hall, kitchen] = (await fabric('hall', 'kitchen')) as [Peer, Peer];
  const [one, other] = [await exposeLamp(hall, 'One'), await exposeLamp(kitchen, 'Other')];
  await thingsAt([hall, kitchen], 2);
  const refused = [...[hall, kitchen].map((peer) => activities(peer, 'rule-refused'))];
  await hall.rules.apply(`
name: There
mode: parallel
triggers: [{ property: { thing: one, name: on, changes: true } }]
steps:
  - write: { thing: other, property: on, value: { cel: trigger.value } }
---
name: Back
mode: parallel
triggers: [{ property: { thing: other, name: on, changes: true } }]
steps:
  - write: { thing: one, property: on, value: { cel: "!trigger.value" } }
`);
  await waitFor(() => kitchen.rules.list().then((rules) => rules.length === 2), {
    what: 'the rules everywhere',
  });
  // Followed from a moment after the rules are there; a lamp that is written until then starts nothing.
  const thing = await hall.wot.consume(one.id);
  await waitFor(
    async () => {
      if (other.written.length === 0) await thing.writeProperty('on', !one.isOn);
      return refused.flat().some(({ message }) => message?.includes('circle'));
    },
    { what: 'the circle to be noticed', timeoutMs: 20_000 },
  );
  assert.match(refused.flat().at(-1)!.message!, /(there|back) -> (there|back) -> /);
});

test('a rule that was applied before its lamp was known works when the lamp comes', async () => {
  const [hall, kitchen] = (await fabric('hall', 'kitchen')) as [Peer, Peer];
  const motion = await exposeMotion(hall);
  const [applied] = await hall.rules.apply(`
name: Light
triggers: [{ property: { thing: motion, name: motion, becomes: true } }]
steps:
  - write: { thing: lamp, property: on, value: true }
`);
  assert.match(applied!.warnings[0]!.message, /no Thing "lamp" is known yet/);
  const lamp = await exposeLamp(kitchen);
  await waitFor(async () => (await hall.rules.list())[0]!.unresolved.length === 0, {
    what: 'the rule to be signed anew',
    timeoutMs: 20_000,
  });
  await motion.settled();
  await motion.set(true);
  await waitFor(() => lamp.isOn, { what: 'the lamp to be on' });
});
