/** The promises of rules as people keep them: applied whole or not at all, named back, switched, removed; scenes; the place. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { RuleNote } from '../../core/rule-shapes.ts';
import { PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import { ruleKeyOf } from './rule-key.ts';

const lab = new PeerLab();
after(() => lab.close());

const peer = await lab.start('pi');
const values = { on: false, level: 3 };
const lamp = await peer.wot.produce({
  title: 'Hall lamp',
  properties: {
    on: { type: 'boolean', observable: true },
    level: { type: 'integer', maximum: 10 },
    hours: { type: 'number', readOnly: true },
  },
});
for (const name of ['on', 'level'] as const) {
  lamp.setPropertyReadHandler(name, () => values[name]);
  lamp.setPropertyWriteHandler(name, async (input) => {
    values[name] = (await input.value()) as never;
  });
}
lamp.setPropertyReadHandler('hours', () => 12);
await lamp.expose();

const rule = (name: string, more = '') => `name: ${name}
triggers:
  - property: { thing: hall-lamp, name: on, becomes: true }
conditions:
  - thing("hall-lamp").level < 5
steps:
  - write: { thing: hall-lamp, property: level, value: 5 }
${more}`;

const problemsOf = async (yaml: string): Promise<RuleNote[]> => {
  try {
    await peer.rules.apply(yaml);
  } catch (error) {
    return (error as { details: { problems: RuleNote[] } }).details.problems;
  }
  return [];
};

test('a text is applied whole, said again it is the same, and what it says is shown with names', async () => {
  const text = `${rule('One')}---\n${rule('Two', '  - delay: 5m\n')}`;
  const created = [
    { rule: 'one', name: 'One', result: 'created', warnings: [] },
    { rule: 'two', name: 'Two', result: 'created', warnings: [] },
  ];
  assert.deepEqual(await peer.rules.apply(text), created);
  assert.deepEqual(
    (await peer.rules.apply(text)).map(({ result }) => result),
    ['same', 'same'],
  );
  const [one] = await peer.rules.list();
  assert.deepEqual(
    [one!.author, one!.enabled, one!.mode, one!.watchedBy, one!.unresolved],
    [peer.id, true, 'single', [peer.id], []],
  );
  const { yaml } = await peer.rules.show('Two');
  assert.match(yaml, /thing: hall-lamp/);
  assert.match(yaml, /thing\("hall-lamp"\)\.level < 5/);
  assert.deepEqual(
    (await peer.rules.apply(yaml)).map(({ result }) => result),
    ['same'],
  );
});

test('one mistake anywhere in a text, and nothing of it is applied', async () => {
  const before = await peer.rules.list();
  const problems = await problemsOf(
    `${rule('Three')}---\n${rule('Four', '  - write: { thing: hall-lamp, property: level, value: 11 }\n')}---\n${rule('three')}`,
  );
  assert.deepEqual(
    problems.map(({ line, message }) => [line, message.slice(0, 23)]),
    [
      [16, '"value" must be at most'],
      [18, 'another rule above is c'],
    ],
  );
  assert.deepEqual(await peer.rules.list(), before);
});

test('every rule of a text is looked at, also after one that does not read', async () => {
  const problems = await problemsOf(
    `name: One\ntriggers: []\nsteps: []\n---\n${rule('Two', '  - fly: 1\n')}`,
  );
  assert.deepEqual([...new Set(problems.map(({ line }) => line))], [2, 3, 12]);
});

test('what is not known yet is a warning at its line, and listed', async () => {
  const text = rule('Five', '  - write: { thing: stairs-lamp, property: on, value: true }\n');
  const [applied] = await peer.rules.apply(text);
  assert.deepEqual(
    applied!.warnings.map(({ line }) => line),
    [8],
  );
  assert.deepEqual((await peer.rules.show('five')).unresolved, ['stairs-lamp']);
  const [scene] = await peer.rules.apply(rule('Five', '  - scene: Some Evening\n'));
  assert.deepEqual(
    scene!.warnings.map(({ line, message }) => [line, message.slice(0, 36)]),
    [[8, 'there is no scene "Some Evening" yet']],
  );
  assert.match((await peer.rules.show('five')).yaml, /scene: some-evening/);
});

test('a rule is switched off, on, and removed, by its name or key', async () => {
  assert.equal((await peer.rules.setEnabled('Five', false)).enabled, false);
  assert.deepEqual((await peer.rules.show('five')).watchedBy, []);
  assert.equal((await peer.rules.setEnabled('five', true)).enabled, true);
  await peer.rules.remove('five');
  for (const ask of [() => peer.rules.show('five'), () => peer.rules.remove('five')])
    await assert.rejects(ask, { code: 'rule-unknown' });
});

test('names that differ have keys that differ, in any script', () => {
  assert.equal(ruleKeyOf('Hall light on motion'), 'hall-light-on-motion');
  assert.equal(ruleKeyOf('Ähm, 5!'), 'ahm-5');
  const long = 'a long name of a rule '.repeat(4);
  const names = ['灯', '门', 'Свет 1', 'Дверь 1', '客厅 A', '卧室 A', `${long}one`, `${long}two`];
  assert.equal(new Set(names.map(ruleKeyOf)).size, names.length);
  for (const name of [...names, 'Hall light', 'Ähm, 5!']) {
    assert.match(ruleKeyOf(name), /^[a-z0-9][a-z0-9-]{0,59}$/);
    assert.equal(ruleKeyOf(ruleKeyOf(name)), ruleKeyOf(name));
  }
});

test('a scene keeps what can be written, and brings it back', async () => {
  Object.assign(values, { on: true, level: 7 });
  const scene = await peer.rules.saveScene('Evening', { things: ['hall-lamp'] });
  assert.deepEqual(
    scene.values.map(({ property, value }) => [property, value]),
    [
      ['on', true],
      ['level', 7],
    ],
  );
  Object.assign(values, { on: false, level: 0 });
  const { results } = await peer.rules.applyScene('evening');
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['ok', 'ok'],
  );
  assert.deepEqual(values, { on: true, level: 7 });
  await peer.governance.rename('hall-lamp', { room: 'hall' });
  assert.equal((await peer.rules.saveScene('Room', { room: 'hall' })).values.length, 2);
  await assert.rejects(peer.rules.saveScene('None', {}), { code: 'bad-input' });
  await assert.rejects(peer.rules.saveScene('None', { room: 'cellar' }), { code: 'bad-input' });
  await assert.rejects(peer.rules.saveScene('None', { things: ['nothing'] }), { code: 'thing-unknown' });
  await peer.rules.removeScene('Room');
  assert.deepEqual(
    (await peer.rules.scenes()).map(({ name }) => name),
    ['Evening'],
  );
  await assert.rejects(peer.rules.applyScene('room'), { code: 'scene-unknown' });
});

test('the place is this machine’s zone until somebody says it, and only a place can be said', async () => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  assert.deepEqual(await peer.rules.place(), { zone, latitude: null, longitude: null });
  const place = { zone: 'Europe/Berlin', latitude: 52.5, longitude: 13.4 };
  assert.deepEqual(await peer.rules.setPlace(place), place);
  assert.deepEqual(await peer.rules.setPlace({ zone: 'UTC' }), { ...place, zone: 'UTC' });
  for (const wrong of [{ zone: 'Mars/Base' }, { latitude: 91 }, { longitude: -181 }, { latitude: null }])
    await assert.rejects(peer.rules.setPlace(wrong), { code: 'bad-input' });
  assert.deepEqual(await peer.rules.place(), { ...place, zone: 'UTC' });
});

test('a member that is no admin looks and applies scenes, and changes nothing', async () => {
  const member = await lab.start('laptop');
  await lab.join(peer, member);
  await waitFor(async () => (await member.rules.list()).length === 2, { what: 'the rules to arrive' });
  values.on = false;
  await member.rules.applyScene('Evening');
  assert.equal(values.on, true);
  for (const change of [
    () => member.rules.apply(rule('Six')),
    () => member.rules.remove('one'),
    () => member.rules.setEnabled('one', false),
    () => member.rules.saveScene('x', { things: ['hall-lamp'] }),
    () => member.rules.removeScene('Evening'),
    () => member.rules.setPlace({ zone: 'UTC' }),
  ])
    await assert.rejects(change, { code: 'not-admin' });
});
