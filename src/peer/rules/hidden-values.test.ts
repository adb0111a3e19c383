/**
 * The promise that what a rule saw of a restricted Thing is told to nobody who may not see that Thing.
 * Relies on real peers: the admin's device runs the rule, another member asks what it did.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeerLab } from '../../testing/peer-lab.ts';
import { exposeLamp } from '../../testing/rule-things.ts';
import { waitFor } from '../../testing/wait-for.ts';

test('what a rule saw of a restricted Thing, and told it, is hidden from members that may not see it, and said to be', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const [door, phone] = [await lab.start('door'), await lab.start('phone')];
  await lab.join(door, phone);
  const lamp = await exposeLamp(door, 'Lamp');
  const lock = await exposeLamp(door, 'Lock');
  await door.governance.restrict(lock.id, true);
  await door.rules.apply(`
name: Night
triggers: [{ property: { thing: lock, name: on, changes: true } }]
conditions: [thing("lock").on == true, known(thing("lamp").on)]
steps:
  - write: { thing: lamp, property: on, value: true }
  - write: { thing: lock, property: on, value: false }
`);
  await waitFor(async () => (await door.rules.list())[0]?.watchedBy.length === 1, { what: 'the rule' });
  const thing = await door.wot.consume(lock.id);
  await waitFor(
    async () => {
      if (!lamp.isOn) await thing.writeProperty('on', !lock.isOn);
      return lamp.isOn && (await door.rules.trace('Night')).executions.some((one) => one.outcome === 'done');
    },
    { what: 'the rule to have run', timeoutMs: 20_000 },
  );
  const executionAt = async (peer: typeof door) => {
    const { executions } = await peer.rules.trace('Night');
    return executions.find(({ outcome }) => outcome === 'done')!;
  };
  const whole = await executionAt(door);
  assert.deepEqual(
    [whole.trigger.value, whole.conditions[0]!.values[0]!.value, whole.steps[1]!.input],
    [true, true, false],
  );
  await waitFor(() => phone.things().length === 2, { what: 'the Things' });
  const cut = await executionAt(phone);
  assert.equal(cut.firing, whole.firing);
  const { trigger, conditions, steps } = cut;
  assert.deepEqual([trigger.hidden, 'value' in trigger, 'previous' in trigger], [true, false, false]);
  const { value: _value, ...bare } = whole.conditions[0]!.values[0]!;
  assert.deepEqual(conditions[0]!.values, [{ ...bare, hidden: true }]);
  assert.deepEqual(conditions[1], whole.conditions[1], 'what it may see is shown');
  assert.deepEqual([steps[0], steps[1]!.hidden, 'input' in steps[1]!], [whole.steps[0], true, false]);
  const { sentences } = await phone.rules.why(lamp.id);
  assert.match(sentences.join(' '), /may not see/);
  assert.doesNotMatch(sentences.join(' '), /Lock.on was (true|false|not known)/);

  await door.governance.grant({ subject: 'phone', things: [lock.id], operations: ['read'] });
  assert.deepEqual(await executionAt(phone), whole);
});
