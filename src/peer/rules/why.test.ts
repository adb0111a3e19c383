/** The promise that a Thing's last commands and what led to them are found wherever they are remembered, or said to be missing. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';

const lab = new PeerLab();
after(() => lab.close());

const hall = await lab.start('hall');
const laptop = await lab.start('laptop');
await lab.join(hall, laptop);
const lamp = await laptop.wot.produce({
  title: 'Lamp',
  properties: { on: { type: 'boolean' }, level: { type: 'integer' } },
  actions: { burn: {} },
});
for (const name of ['on', 'level']) lamp.setPropertyWriteHandler(name, () => {});
lamp.setActionHandler('burn', () => {
  throw new Error('it is hot');
});
await lamp.expose();
await waitFor(() => hall.thingDescriptions({ query: 'lamp' }).length > 0, { what: 'the lamp to be known' });
const thing = hall.resolveThing('lamp').id;

test('the last command on each affordance is told with who began it, from any peer', async () => {
  const cause = hall.newCause('cli');
  const write = (name: string, input: unknown) =>
    hall.request({ thing, op: 'writeproperty', name, input }, { cause });
  await write('on', false);
  await write('on', true);
  await laptop.request({ thing, op: 'writeproperty', name: 'level', input: 5 });
  await assert.rejects(hall.request({ thing, op: 'invokeaction', name: 'burn' }, { cause }));
  for (const peer of [hall, laptop]) {
    const { sentences, commands, title, unasked } = await peer.rules.why('lamp');
    assert.deepEqual([title, unasked, commands.length], ['Lamp', [], 3]);
    assert.match(
      sentences[0]!,
      /^Lamp was told to burn at .* by somebody at the command line of hall, but that failed \(handler-failed\)\.$/,
    );
    assert.match(sentences[1]!, /^Lamp had its level set to 5 at .* by the program on laptop\.$/);
    assert.match(sentences[2]!, /^Lamp was switched on \(on = true\) at .* by somebody at the command line/);
  }
  await assert.rejects(hall.rules.why('nothing'), { code: 'thing-unknown' });
  const kept = await laptop.rules.activity({ limit: 2 });
  assert.deepEqual(
    kept.map(({ kind, name, outcome }) => [kind, name, outcome]),
    [
      ['obeyed', 'level', 'ok'],
      ['obeyed', 'burn', 'handler-failed'],
    ],
  );
});

test('a rule that nobody knows is unknown, and who cannot be asked is named', async () => {
  await assert.rejects(hall.rules.trace('nothing'), { code: 'rule-unknown' });
  await hall.rules.apply('name: x\ntriggers:\n  - manual: true\nsteps:\n  - delay: 1s\n');
  assert.deepEqual(await hall.rules.trace('x'), { executions: [], unasked: [], notAsked: 0 });
  await laptop.stop();
  await waitFor(() => hall.peers().some(({ state }) => state === 'offline'), { what: 'the laptop to go' });
  const { unasked } = await hall.rules.trace('x');
  assert.deepEqual(unasked, [{ peer: laptop.id, name: 'laptop', code: 'peer-offline' }]);
  const { sentences } = await hall.rules.why('lamp');
  assert.deepEqual(sentences, [
    'laptop could not be asked (peer-offline), so what only that device remembers is missing here.',
  ]);
});
