/** The promise that what happens on one device makes another one act, as an admin's rules say. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Activity } from '../../core/api-shapes.ts';
import { PeerLab } from '../../testing/peer-lab.ts';
import { exposeLamp, exposeMotion } from '../../testing/rule-things.ts';
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
  await motion.settled();
  await motion.set(true);
  await waitFor(() => ended.length === 1, { what: 'the rule to have run' });
  assert.equal(ended[0]!.outcome, 'done');
  assert.deepEqual(lamp.written, [true]);
  const [cause] = lamp.causes;
  assert.equal(cause!.chain?.[0]?.rule, 'lamp-on-motion');
  assert.equal(cause!.chain?.[0]?.firing, ended[0]!.firing);
});
