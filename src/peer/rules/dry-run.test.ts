/** The promise that a dry run says what a rule would do, by the values as they are, and does nothing of it. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';

const lab = new PeerLab();
after(() => lab.close());

const peer = await lab.start('pi');
const away = await lab.start('attic');
await lab.join(peer, away);
const commanded: unknown[] = [];
for (const [at, title] of [
  [peer, 'Heating'],
  [away, 'Fan'],
] as const) {
  const thing = await at.wot.produce({
    title,
    properties: { target: { type: 'number', observable: true }, on: { type: 'boolean' } },
    actions: { announce: { input: { type: 'string' } } },
    events: { alarm: {} },
  });
  thing.setPropertyReadHandler('target', () => 19);
  thing.setPropertyReadHandler('on', () => false);
  for (const name of ['target', 'on'])
    thing.setPropertyWriteHandler(name, async (input) => void commanded.push(await input.value()));
  thing.setActionHandler('announce', async (input) => {
    commanded.push(await input.value());
    return null;
  });
  await thing.expose();
}
await waitFor(() => peer.things().length === 2, { what: 'both Things to be known' });

const apply = (yaml: string) => peer.rules.apply(yaml);
const stepsOf = async (rule: string, options = {}) => {
  const { steps, outcome, message } = await peer.rules.test(rule, options);
  return { texts: steps.map(({ text }) => text), outcome, message };
};

test('loops see what was only imagined, delays are jumped over, and nothing is commanded', async () => {
  await apply(`name: Night
triggers:
  - manual: true
steps:
  - repeat:
      times: 5
      while: thing("heating").target > 17
      steps:
        - write: { thing: heating, property: target, value: { cel: thing("heating").target - 1 } }
        - delay: 10m
  - set: { name: nights, value: 1 }
  - choose:
      - if: value("nights") == 2
        steps:
          - stop: wrong
    else:
      - invoke: { any: { capability: announce }, action: announce, input: Good night }
  - wait: { event: { thing: heating, name: alarm }, timeout: 1h }
  - stop: Done.
`);
  assert.deepEqual(await stepsOf('Night'), {
    texts: [
      'while thing("Heating").target > 17: true',
      'write target = 18 to Heating',
      'wait 10m',
      'while thing("Heating").target > 17: true',
      'write target = 17 to Heating',
      'wait 10m',
      'while thing("Heating").target > 17: false',
      'set the value "nights" to 1',
      'if value("nights") == 2: false',
      'invoke announce with "Good night" on Heating',
      'wait for "alarm" of Heating, which is taken to come',
    ],
    outcome: 'stopped',
    message: 'Done.',
  });
  assert.deepEqual(commanded, []);
});

test('the trigger is the one that is named, with the data that is given', async () => {
  await apply(`name: Said
triggers:
  - id: alarm
    event: { thing: heating, name: alarm }
  - property: { thing: heating, name: target, above: 25 }
conditions:
  - trigger.kind == "event" || trigger.value > trigger.previous
steps:
  - invoke: { thing: heating, action: announce, input: { cel: 'trigger.kind == "event" ? string(trigger.event) : "hot"' } }
`);
  assert.deepEqual((await stepsOf('said', { event: 7 })).texts, ['invoke announce with "7" on Heating']);
  assert.deepEqual((await stepsOf('said', { trigger: '1', event: 30 })).texts, [
    'invoke announce with "hot" on Heating',
  ]);
  const cold = await peer.rules.test('said', { trigger: '1' });
  assert.deepEqual([cold.runs, cold.outcome, cold.conditions[0]!.result], [false, 'not-run', 'false']);
  assert.deepEqual([cold.trigger.value, cold.trigger.previous], [19, 19]);
  await assert.rejects(peer.rules.test('said', { trigger: 'bell' }), { code: 'bad-input' });
  await assert.rejects(peer.rules.test('nothing'), { code: 'rule-unknown' });
});

test('what is away fails as it would, and what it would have said is not known', async () => {
  await apply(`name: Air
triggers:
  - manual: true
steps:
  - write: { every: { capability: target }, property: on, value: true }
    onFailure: continue
  - write: { thing: heating, property: target, value: { cel: thing("fan").target } }
`);
  assert.equal((await stepsOf('air')).outcome, 'done');
  await away.stop();
  await waitFor(() => peer.peers().some(({ state }) => state === 'offline'), { what: 'the attic to go' });
  const { texts, outcome, message } = await stepsOf('air');
  assert.deepEqual(texts, [
    'write on = true to Fan, which would fail (peer-offline)',
    'write on = true to Heating',
  ]);
  assert.equal(outcome, 'failed');
  assert.match(message!, /Not known now: Fan\.target/);
  assert.deepEqual(commanded, []);
});
