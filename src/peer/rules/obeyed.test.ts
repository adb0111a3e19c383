import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../../core/errors.ts';
import { CountingThing, labContext, labWrite, StepLab } from '../../testing/step-lab.ts';
import type { RequestOperation, ThingCall } from '../../thing/operations.ts';
import type { CauseLink, InteractionContext } from '../../thing/scripting-api.ts';

const link = (rule: string): CauseLink => ({ rule, firing: `manual/${rule}/1`, peer: 'runner', atMs: 1000 });
const by = (...rules: string[]): InteractionContext =>
  labContext(undefined, {
    cause: {
      ...{ id: 'c', origin: 'rule', peer: 'runner' },
      ...(rules.length > 0 && { chain: rules.map(link) }),
    },
  });
const write = (name: string, input: unknown = true): ThingCall<RequestOperation> => ({
  ...labWrite,
  name,
  input,
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('what a Thing obeyed is told newest first, with who asked, why, and how it ended', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  await lab.steps.request(thing, write('on'), by('hall'));
  thing.act = async () => {
    throw new AlthingError('handler-failed', 'No.');
  };
  await assert.rejects(lab.steps.request(thing, write('level', 7), labContext()));
  const [level, on] = lab.obeyed.of(labWrite.thing);
  assert.deepEqual(
    [level?.name, level?.input, level?.outcome, level?.chain],
    ['level', 7, 'handler-failed', []],
  );
  assert.deepEqual([on?.name, on?.outcome, on?.peer, on?.began], ['on', 'ok', 'asker', 'runner']);
  assert.deepEqual(on?.chain, [
    { rule: 'hall', firing: 'manual/hall/1', peer: 'runner', time: '1970-01-01T00:00:01.000Z' },
  ]);
});

test('what a Thing refused it did not obey: nobody is told, and a flood of that pushes nothing out', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  await lab.steps.request(thing, write('on'), by('hall'));
  thing.act = async () => {
    throw new AlthingError('value-invalid', 'No.');
  };
  const flood = Array.from({ length: 40 }, () => lab.steps.request(thing, write('on', 'x'), labContext()));
  await Promise.allSettled(flood);
  await settle();
  assert.deepEqual(
    lab.obeyed.of(labWrite.thing).map(({ outcome }) => outcome),
    ['ok'],
  );
  assert.deepEqual(lab.ended, ['ok']);
});

test('sixteen commands of a Thing are kept, and large inputs are cut', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  for (let n = 0; n < 40; n += 1) await lab.steps.request(thing, write('level', n), labContext());
  await lab.steps.request(thing, write('text', 'x'.repeat(100_000)), labContext());
  await settle();
  const kept = lab.obeyed.of(labWrite.thing);
  assert.equal(kept.length, 16);
  assert.deepEqual([kept[1]?.input, kept[15]?.input], [39, 25]);
  assert.ok(String(kept[0]?.input).length < 300);
});

test('two thousand are kept in all: the Thing that was commanded longest ago is forgotten first', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  for (let n = 0; n < 2100; n += 1)
    await lab.steps.request(thing, { ...labWrite, thing: `urn:althing:lamp-${n}` }, labContext());
  assert.deepEqual(lab.obeyed.of('urn:althing:lamp-99'), []);
  assert.equal(lab.obeyed.of('urn:althing:lamp-100').length, 1);
  await lab.obeyed.close();
  assert.equal([...lab.disk.local.keys()].filter((key) => key.includes('/obeyed/')).length, 2000);
});

test('it is written at most once in five seconds and at the end, and is there after a restart', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  for (let n = 0; n < 5; n += 1) await lab.steps.request(thing, write('level', n), labContext());
  assert.equal(lab.disk.commits, 0);
  lab.advance(5000);
  await settle();
  assert.equal(lab.disk.commits, 1);
  await lab.steps.request(thing, write('level', 5), labContext());
  await settle();
  await lab.obeyed.close();
  assert.equal(lab.disk.commits, 2);
  lab.state.crash();
  const again = new StepLab(lab.disk);
  await again.steps.request(thing, write('level', 6), labContext());
  assert.deepEqual(
    again.obeyed.of(labWrite.thing).map(({ input }) => input),
    [6, 5, 4, 3, 2, 1, 0],
  );
});

test('what a Thing says is put down to the command that runs or has just ended, and not later', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const doing = Promise.withResolvers<unknown>();
  thing.act = () => doing.promise;
  const request = lab.steps.request(thing, write('on'), by('evening', 'hall'));
  lab.advance(60_000);
  const rules = (name?: string) => lab.obeyed.causeOf(labWrite.thing, name).map(({ rule }) => rule);
  assert.deepEqual(rules('on'), ['evening', 'hall'], 'it still runs');
  doing.resolve(null);
  await request;
  await settle();
  lab.advance(1999);
  assert.deepEqual(rules('energy'), ['evening', 'hall'], 'another property of it');
  lab.advance(1);
  assert.deepEqual(rules('on'), []);
  assert.deepEqual(lab.obeyed.causeOf('urn:althing:other', 'on'), []);
});

test('a person’s command ends what was put down to a rule, and the same property counts first', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const rules = (name: string) => lab.obeyed.causeOf(labWrite.thing, name).map(({ rule }) => rule);
  await lab.steps.request(thing, write('on'), by('hall'));
  await lab.steps.request(thing, write('level'), by('dim'));
  assert.deepEqual([rules('on'), rules('level'), rules('energy')], [['hall'], ['dim'], ['dim']]);
  await lab.steps.request(thing, write('on'), by());
  assert.deepEqual([rules('on'), rules('level'), rules('energy')], [[], ['dim'], []]);
});
