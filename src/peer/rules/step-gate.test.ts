import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stampOf } from '../../core/clock.ts';
import { AlthingError } from '../../core/errors.ts';
import {
  CountingThing,
  labClock,
  labContext,
  labStartMs,
  labStep,
  labWrite,
  StepLab,
} from '../../testing/step-lab.ts';

const code = (expected: string) => (error: unknown) => (error as AlthingError).code === expected;
/** Lets what waits for promises alone go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a step that is sent twice is done once, and answered with null the second time', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  assert.equal(await lab.steps.request(thing, labWrite, labContext(labStep())), null);
  assert.equal(await lab.steps.request(thing, labWrite, labContext(labStep())), null);
  assert.equal(thing.count, 1);
  await lab.steps.request(thing, labWrite, labContext(labStep({ step: '0/t0~1' })));
  await lab.steps.request(thing, labWrite, labContext(labStep({ firing: 'manual/hall/2' })));
  assert.equal(thing.count, 3, 'another try and another firing are other steps');
});

test('a step that comes again while it is being done waits for the one that runs', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const doing = Promise.withResolvers<unknown>();
  thing.act = () => doing.promise;
  const both = [1, 2].map(() => lab.steps.request(thing, labWrite, labContext(labStep())));
  doing.resolve('moved');
  assert.deepEqual(await Promise.all(both), ['moved', 'moved']);
  assert.equal(thing.count, 1);
});

test('nothing is done before its entry is durable', async () => {
  const lab = new StepLab(undefined, { byHand: true });
  const thing = new CountingThing();
  const done = lab.steps.request(thing, labWrite, labContext(labStep()));
  await settle();
  assert.equal(lab.state.waiting, 1);
  assert.equal(thing.count, 0);
  lab.state.sync();
  await done;
  assert.equal(thing.count, 1);
});

test('after a restart a step that was done is not done again, and one that failed fails as it did', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  await lab.steps.request(thing, labWrite, labContext(labStep()));
  thing.act = async () => {
    throw new AlthingError('handler-failed', 'The motor is stuck.');
  };
  const failing = labStep({ step: '1/t0~0' });
  await assert.rejects(lab.steps.request(thing, labWrite, labContext(failing)), code('handler-failed'));
  await settle();
  lab.state.crash();
  const again = new StepLab(lab.disk);
  assert.equal(await again.steps.request(thing, labWrite, labContext(labStep())), null);
  await assert.rejects(again.steps.request(thing, labWrite, labContext(failing)), code('handler-failed'));
  assert.equal(thing.count, 2);
  const { mode: _mode, ...asked } = failing;
  assert.deepEqual(await again.steps.ask(asked, 0), { outcome: 'failed', code: 'handler-failed' });
});

test('a device that lost its power between writing down and finishing says that it does not know, and does nothing', async () => {
  const lab = new StepLab(undefined, { byHand: true });
  const thing = new CountingThing();
  thing.act = () => new Promise(() => {});
  void lab.steps.request(thing, labWrite, labContext(labStep()));
  await settle();
  lab.state.sync();
  await settle();
  assert.equal(thing.count, 1);
  lab.state.crash();
  const again = new StepLab(lab.disk);
  await assert.rejects(again.steps.request(thing, labWrite, labContext(labStep())), code('outcome-unknown'));
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await again.steps.ask(asked, 0), { outcome: 'begun' });
  assert.equal(thing.count, 1);
});

test('a device that lost its power before its entry was durable has not begun, and may do it', async () => {
  const lab = new StepLab(undefined, { byHand: true });
  const thing = new CountingThing();
  // Nobody is left to hear how it ends: the power goes while it waits for the disk.
  void lab.steps.request(thing, labWrite, labContext(labStep())).catch(() => {});
  await settle();
  lab.state.crash();
  const again = new StepLab(lab.disk);
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await again.steps.ask(asked, 0), { outcome: 'not-seen' });
  await again.steps.request(thing, labWrite, labContext(labStep()));
  assert.equal(thing.count, 1);
});

test('on a full disk a step is not done and says so, and is done once there is room', async () => {
  const lab = new StepLab(undefined, { byHand: true });
  const thing = new CountingThing();
  const refused = lab.steps.request(thing, labWrite, labContext(labStep()));
  await settle();
  lab.state.failWaiting(new AlthingError('disk-full', 'No space is left.'));
  await assert.rejects(refused, (error: AlthingError) => {
    assert.equal(error.code, 'disk-full');
    assert.match(error.message, /was not done/);
    return true;
  });
  assert.equal(thing.count, 0);
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await lab.steps.ask(asked, 0), { outcome: 'not-seen' });
  const done = lab.steps.request(thing, labWrite, labContext(labStep()));
  await settle();
  lab.state.sync();
  await done;
  assert.equal(thing.count, 1);
});

test('in mode restart a step of an older run is refused, also after a restart of the device', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const newer = labStep({ mode: 'restart', firing: 'manual/hall/2', clock: labClock + 1 });
  await lab.steps.request(thing, labWrite, labContext(newer));
  await settle();
  const older = labStep({ mode: 'restart' });
  await assert.rejects(lab.steps.request(thing, labWrite, labContext(older)), code('step-superseded'));
  lab.state.crash();
  const again = new StepLab(lab.disk);
  await assert.rejects(again.steps.request(thing, labWrite, labContext(older)), code('step-superseded'));
  assert.equal(thing.count, 1);
});

test('a step that the Thing would refuse leaves no entry', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  thing.wouldAct = async () => {
    throw new AlthingError('value-invalid', 'It must be true or false.');
  };
  await assert.rejects(lab.steps.request(thing, labWrite, labContext(labStep())), code('value-invalid'));
  assert.equal(lab.disk.local.size, 0);
  thing.wouldAct = async () => {};
  await lab.steps.request(thing, labWrite, labContext(labStep()));
  assert.equal(thing.count, 1);
});

test('who asks about a step that is being done hears how it ended, or after a while that it has begun', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const doing = Promise.withResolvers<unknown>();
  thing.act = () => doing.promise;
  const request = lab.steps.request(thing, labWrite, labContext(labStep()));
  const { mode: _mode, ...asked } = labStep();
  const impatient = lab.steps.ask(asked, 100);
  const patient = lab.steps.ask(asked, 4000);
  await settle();
  lab.advance(100);
  assert.deepEqual(await impatient, { outcome: 'begun' });
  doing.resolve(null);
  await request;
  assert.deepEqual(await patient, { outcome: 'done' });
});

test('a step goes on when its asker is gone, and is known to be done', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const doing = Promise.withResolvers<unknown>();
  thing.act = ({ signal }) => (signal.aborted ? Promise.reject(signal.reason) : doing.promise);
  const session = new AbortController();
  const request = lab.steps.request(thing, labWrite, labContext(labStep(), { signal: session.signal }));
  session.abort();
  await settle();
  doing.resolve(null);
  await request;
  assert.equal(thing.contexts[0]?.signal.aborted, false);
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await lab.steps.ask(asked, 0), { outcome: 'done' });
});

test('a step whose deadline passed before it was begun is known not to be done', async () => {
  const lab = new StepLab(undefined, { byHand: true });
  const thing = new CountingThing();
  const late = lab.steps.request(thing, labWrite, labContext(labStep(), { timeoutMs: 0 }));
  const rejected = assert.rejects(late, code('timeout'));
  await settle();
  lab.advance(0);
  lab.state.sync();
  await rejected;
  assert.equal(thing.count, 0);
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await lab.steps.ask(asked, 0), { outcome: 'failed', code: 'timeout' });
});

test('a clock far ahead of the fabric’s time is refused, and makes nothing look old', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const mode = 'restart';
  const ahead = labStep({ mode, clock: stampOf(labStartMs + 121_000), firing: 'manual/hall/9' });
  await assert.rejects(lab.steps.request(thing, labWrite, labContext(ahead)), code('bad-input'));
  await lab.steps.request(thing, labWrite, labContext(labStep({ mode })));
  assert.equal(thing.count, 1);
});

test('a step that names another command, another rule or another plan than its own is refused, and takes no step’s place', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const own = labStep();
  for (const parts of [
    { step: own.step.replace('lamp/on', 'lock/locked') },
    { step: '0/t0' },
    { firing: own.firing.replace('hall', 'night') },
    { firing: `time/hall/0/${labStartMs + 60_000}` },
    { clock: labClock + 1 },
    { firing: 'sooner/hall/1' },
  ])
    await assert.rejects(
      lab.steps.request(thing, labWrite, labContext({ ...own, ...parts })),
      code('bad-input'),
      JSON.stringify(parts),
    );
  assert.equal(thing.count, 0);
  assert.deepEqual(lab.ledger.size.entries, 0);
  await lab.steps.request(thing, labWrite, labContext(own));
  assert.equal(thing.count, 1);
});

test('what a Thing does because of a step carries the chain, and is no step itself', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const chain = [{ rule: 'hall', firing: 'manual/hall/1', peer: 'asker', atMs: 1 }];
  const cause = { id: 'c', origin: 'rule' as const, peer: 'asker', chain, step: labStep() };
  await lab.steps.request(thing, labWrite, labContext(undefined, { cause }));
  assert.deepEqual(thing.contexts[0]?.cause, { id: 'c', origin: 'rule', peer: 'asker', chain });
});

test('many properties at once are no step, and reading goes past the gate', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  const many = { thing: labWrite.thing, op: 'writemultipleproperties', input: { on: true } } as const;
  await assert.rejects(lab.steps.request(thing, many, labContext(labStep())), code('bad-input'));
  const read = { thing: labWrite.thing, op: 'readproperty', name: 'on' } as const;
  await lab.steps.request(thing, read, labContext(labStep()));
  await lab.steps.request(thing, read, labContext(labStep()));
  assert.equal(thing.count, 2);
  assert.deepEqual(lab.obeyed.of(labWrite.thing), []);
});

test('a flood of steps fills neither the memory nor the disk, and does not make another rule forget', async () => {
  const lab = new StepLab();
  const thing = new CountingThing();
  await lab.steps.request(thing, labWrite, labContext(labStep({ rule: 'quiet' })));
  const flood = Array.from({ length: 1500 }, (_, n) =>
    lab.steps.request(
      thing,
      labWrite,
      labContext(labStep({ firing: `manual/hall/${n}`, clock: labClock + n })),
    ),
  );
  const results = await Promise.allSettled(flood);
  const refused = results.filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 500, 'a thousand at once');
  for (const { reason } of refused as PromiseRejectedResult[]) assert.equal(reason.code, 'too-many');
  for (let n = 1500; n < 2100; n += 1)
    await lab.steps.request(
      thing,
      labWrite,
      labContext(labStep({ firing: `manual/hall/${n}`, clock: labClock + n })),
    );
  await settle();
  assert.ok(lab.ledger.size.entries <= 1201);
  assert.ok([...lab.disk.local.keys()].filter((key) => key.includes('/once/')).length <= 1201);
  const before = thing.count;
  await lab.steps.request(thing, labWrite, labContext(labStep({ rule: 'quiet' })));
  assert.equal(thing.count, before);
  await assert.rejects(
    lab.steps.request(thing, labWrite, labContext(labStep({ firing: 'manual/hall/0', clock: labClock }))),
    code('step-forgotten'),
  );
});

test('a member that does not run a rule has its steps done once, and makes none of the rule’s own steps look old, done or forgotten', async () => {
  const isRunner = (_rule: string, peer: string): boolean => peer === 'runner';
  const lab = new StepLab(undefined, { isRunner });
  const thing = new CountingThing();
  const send = (peer: string, parts: Parameters<typeof labStep>[0] = {}) =>
    lab.steps.request(thing, labWrite, labContext(labStep({ mode: 'restart', ...parts }), { peer }));
  const ahead = labClock + 100_000 * 2048;
  // It names the very step that the runner will send, newer runs, and more steps than are remembered of a rule.
  await send('bulb');
  await send('bulb');
  assert.equal(thing.count, 1, 'once, for itself');
  await send('bulb', { firing: 'manual/hall/9', clock: ahead });
  // Once its own memory is full, what it sends is refused as forgotten.
  const flood = (parts: Parameters<typeof labStep>[0]) =>
    send('bulb', { firing: `manual/${parts?.rule ?? 'hall'}/9`, ...parts, clock: ahead }).catch(
      (error: unknown) => assert.ok(code('step-forgotten')(error)),
    );
  for (let at = 0; at < 1300; at++) await flood({ step: `${at}/flood` });
  for (let rule = 0; rule < 300; rule++) await flood({ rule: `made-up-${rule}` });
  const before = thing.count;
  await send('runner');
  assert.equal(thing.count, before + 1);
  await send('runner');
  assert.equal(thing.count, before + 1);
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await lab.steps.ask(asked, 0, 'runner'), { outcome: 'done' });
  assert.deepEqual(lab.ledger.size.rules, 2);
  // What the rule's own runs made old is old for it, too.
  await send('runner', { firing: 'manual/hall/2', clock: labClock + 10 });
  await assert.rejects(
    send('bulb', { firing: 'manual/hall/3', clock: labClock + 5 }),
    code('step-superseded'),
  );
});

test('what a peer did for a rule before that was known here is not done again when it is', async () => {
  let isKnown = false;
  const lab = new StepLab(undefined, { isRunner: () => isKnown });
  const thing = new CountingThing();
  const send = () => lab.steps.request(thing, labWrite, labContext(labStep(), { peer: 'runner' }));
  await send();
  isKnown = true;
  assert.equal(await send(), null);
  const { mode: _mode, ...asked } = labStep();
  assert.deepEqual(await lab.steps.ask(asked, 0, 'runner'), { outcome: 'done' });
  assert.equal(thing.count, 1);
});
