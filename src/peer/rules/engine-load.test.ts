/** The promise that a peer with a hundred rules and a hundred events a second keeps up, and leaves no firing unsaid. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuleLab } from '../../testing/rule-lab.ts';

const ruleCount = 100;
const seconds = 4;

test('a hundred rules and a hundred events a second: each firing is run, or refused by its rule’s rate and told', async () => {
  const lab = new RuleLab();
  const [hall, kitchen] = [await lab.start('hall'), await lab.start('kitchen')];
  const bell = hall.expose('bell');
  const lamp = kitchen.expose('lamp', { on: 0 });
  // The first rule hears each event and may fire ten times a minute; each other one hears them all and runs on its own.
  for (let n = 0; n < ruleCount; n++)
    lab.rule(`rule-${n}`, {
      mode: 'parallel',
      maxPerMinute: n === 0 ? 10 : 6000,
      triggers: [{ event: { thing: bell.id, name: 'bell' } }],
      conditions: n === 0 ? [] : [`trigger.event % ${ruleCount - 1} + 1 == ${n}`],
      steps: [{ write: { thing: lamp.id, property: 'on', value: { cel: 'trigger.event' } } }],
    });
  await lab.pass(1000);
  let longestRunning = 0;
  for (let event = 0; event < seconds * 100; event++) {
    hall.emit(bell, 'bell', event);
    await lab.pass(10);
    longestRunning = Math.max(
      longestRunning,
      hall.engine.runningOf('rule-0') + hall.engine.runningOf('rule-1'),
    );
  }
  await lab.pass(5000);
  const told = (kind: string, rule?: string) =>
    hall.told.filter((one) => one.kind === kind && (rule === undefined || one.rule === rule)).length;
  const ofLimited = told('rule-ended', 'rule-0');
  // Ten at once, and one more each six seconds.
  assert.ok(ofLimited >= 10 && ofLimited <= 10 + seconds / 6 + 1, `${ofLimited} of the limited rule`);
  assert.ok(told('rule-refused', 'rule-0') >= seconds - 2, 'what its rate refuses is told each second');
  assert.equal(told('rule-ended') - ofLimited, seconds * 100, 'each event ran the one rule that it was for');
  assert.equal(told('rule-fired'), told('rule-ended'));
  assert.equal(lab.deeds.length, seconds * 100 + ofLimited);
  assert.ok(longestRunning <= 4, `${longestRunning} ran at once`);
  assert.ok(hall.executions().length <= 500);
  assert.ok([...hall.disk.local.keys()].filter((key) => key.includes('/execution/')).length <= 500);
  assert.equal([...hall.disk.local.keys()].filter((key) => key.includes('/run/')).length, 0);
});
