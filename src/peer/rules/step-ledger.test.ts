import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stampOf } from '../../core/clock.ts';
import { AlthingError } from '../../core/errors.ts';
import { MemoryJournalFile } from '../../testing/memory-journal.ts';
import { randomFrom, seedOf } from '../../testing/seed.ts';
import { CountingThing, labContext, labStep, labWrite, StepLab } from '../../testing/step-lab.ts';
import type { RuleStep } from '../../thing/scripting-api.ts';
import type { AskedStep } from './rule-desk.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A step of a firing that nobody begins a second time. */
const quickStep = (seq: number, parts: Partial<RuleStep> = {}): RuleStep =>
  labStep({ firing: `stream/hall/0/urn:althing:bell/run/${seq}`, ...parts });

const asked = ({ mode: _mode, ...step }: RuleStep): AskedStep => step;

/** A device that has done a step, so that it notes the next ones in its journal; commits wait for `sync`. */
const quickLab = async (journal?: MemoryJournalFile): Promise<StepLab> => {
  const lab = new StepLab(undefined, { byHand: true, ...(journal && { journal }) });
  const first = lab.steps.request(new CountingThing(), labWrite, labContext(quickStep(0)));
  for (let turn = 0; turn < 3; turn++) {
    await settle();
    lab.state.sync();
  }
  await first;
  return lab;
};

/** The device after its process has died, or with `power` after the machine has lost its power. */
const after = (lab: StepLab, { power = false } = {}): StepLab => {
  lab.state.crash();
  lab.journal.close();
  if (power) lab.journalFile.cutPower();
  const again = new StepLab(lab.disk, { journal: lab.journalFile });
  again.time = { ...lab.time, ms: lab.time.ms + 1000 };
  return again;
};

test('a step of a firing that is begun once waits for no disk', async () => {
  const lab = await quickLab();
  const thing = new CountingThing();
  await lab.steps.request(thing, labWrite, labContext(quickStep(1)));
  assert.equal(thing.count, 1);
  assert.equal(lab.state.waiting, 0, 'nothing was asked of the disk');
  lab.advance(50);
  await settle();
  assert.equal(lab.state.waiting, 1, 'a moment later it is');
});

test('what was noted outlives the process at once, and is not done again', async () => {
  const lab = await quickLab();
  const thing = new CountingThing();
  await lab.steps.request(thing, labWrite, labContext(quickStep(1)));
  thing.act = () => new Promise(() => {});
  void lab.steps.request(thing, labWrite, labContext(quickStep(2)));
  await settle();
  const again = after(lab);
  const never = new CountingThing();
  assert.equal(await again.steps.request(never, labWrite, labContext(quickStep(1))), null);
  await assert.rejects(again.steps.request(never, labWrite, labContext(quickStep(2))), {
    code: 'outcome-unknown',
  });
  assert.equal(never.count, 0);
  assert.deepEqual(await again.steps.ask(asked(quickStep(1)), 0), { outcome: 'done' });
  assert.deepEqual(await again.steps.ask(asked(quickStep(3)), 0), { outcome: 'not-seen' });
});

test('after a loss of power nobody is told that a step was not seen which may have been done', async () => {
  const lab = await quickLab();
  await lab.steps.request(new CountingThing(), labWrite, labContext(quickStep(1)));
  const again = after(lab, { power: true });
  assert.deepEqual(await again.steps.ask(asked(quickStep(1)), 0), { outcome: 'forgotten' });
  const thing = new CountingThing();
  await again.steps.request(thing, labWrite, labContext(quickStep(2)));
  assert.equal(thing.count, 1, 'what comes for the first time is done');
  const later = { clock: stampOf(again.time.ms + 130_000) };
  assert.deepEqual(await again.steps.ask(asked(quickStep(3, later)), 0), { outcome: 'not-seen' });
  again.time = { ...again.time, known: false };
  assert.deepEqual(await again.steps.ask(asked(quickStep(3, later)), 0), { outcome: 'forgotten' });
});

test('what a loss of power may have cost is still known after the next restarts, and no more than that', async () => {
  const lab = await quickLab();
  await lab.steps.request(new CountingThing(), labWrite, labContext(quickStep(1)));
  const second = after(lab, { power: true });
  await second.ledger.start();
  await second.ledger.close();
  await second.state.close();
  const third = new StepLab(lab.disk, { journal: lab.journalFile });
  assert.deepEqual(await third.steps.ask(asked(quickStep(1)), 0), { outcome: 'forgotten' });
  const later = { clock: stampOf(second.time.ms + 130_000) };
  assert.deepEqual(await third.steps.ask(asked(quickStep(2, later)), 0), { outcome: 'not-seen' });
});

test('a device that was stopped in order knows all that it did', async () => {
  const lab = await quickLab();
  await lab.steps.request(new CountingThing(), labWrite, labContext(quickStep(1)));
  const closed = lab.ledger.close();
  await settle();
  lab.state.sync();
  await closed;
  await lab.state.close();
  lab.journalFile.cutPower();
  const again = new StepLab(lab.disk, { journal: lab.journalFile });
  assert.deepEqual(await again.steps.ask(asked(quickStep(1)), 0), { outcome: 'done' });
  assert.deepEqual(await again.steps.ask(asked(quickStep(2)), 0), { outcome: 'not-seen' });
});

test('where the system does not name its starts, each that came without a stop counts as a loss of power', async () => {
  const journal = new MemoryJournalFile();
  journal.boot = undefined;
  const lab = new StepLab(undefined, { journal });
  await lab.steps.request(new CountingThing(), labWrite, labContext(quickStep(0)));
  await settle();
  const again = after(lab);
  assert.deepEqual(await again.steps.ask(asked(quickStep(1)), 0), { outcome: 'forgotten' });
});

test('a timed step, which others may begin too, waits for the disk, and is known after a loss of power', async () => {
  const lab = await quickLab();
  const thing = new CountingThing();
  const lasting = labStep({ firing: 'stream/hall/0/urn:althing:bell/for/1700000000000' });
  const both = [labStep(), lasting].map((step) => lab.steps.request(thing, labWrite, labContext(step)));
  await settle();
  assert.equal(thing.count, 0);
  lab.state.sync();
  await Promise.all(both);
  const again = after(lab, { power: true });
  for (const step of [labStep(), lasting])
    assert.notEqual((await again.steps.ask(asked(step), 0)).outcome, 'not-seen');
  assert.deepEqual(await again.steps.ask(asked(labStep({ step: '7' })), 0), { outcome: 'not-seen' });
});

test('a journal that takes nothing makes steps wait for the disk, and is tried again', async () => {
  const lab = await quickLab();
  const thing = new CountingThing();
  lab.journal.failure = new AlthingError('disk-full', 'No space is left.');
  const waiting = lab.steps.request(thing, labWrite, labContext(quickStep(1)));
  await settle();
  assert.equal(thing.count, 0);
  lab.state.failWaiting(new AlthingError('disk-full', 'No space is left.'));
  await assert.rejects(waiting, { code: 'disk-full' });
  assert.deepEqual(await lab.steps.ask(asked(quickStep(1)), 0), { outcome: 'not-seen' });
  lab.journal.failure = undefined;
  const done = lab.steps.request(thing, labWrite, labContext(quickStep(1)));
  for (let turn = 0; turn < 4; turn++) {
    await settle();
    lab.state.sync();
  }
  await done;
  await lab.steps.request(thing, labWrite, labContext(quickStep(2)));
  assert.equal(thing.count, 2);
});

test('a disk that takes nothing for long leaves the journal short: then steps wait, and nothing is forgotten', async () => {
  const lab = await quickLab();
  const thing = new CountingThing();
  const step = 'x'.repeat(500);
  const results: string[] = [];
  for (let seq = 1; seq <= 600; seq++)
    void lab.steps
      .request(thing, labWrite, labContext(quickStep(seq, { step })))
      .then(() => results.push('done'));
  await settle();
  assert.ok(results.length > 200 && results.length < 600, `${results.length} were done`);
  assert.ok(lab.journal.sizeBytes < 300 * 1024, `${lab.journal.sizeBytes} bytes`);
  for (let turn = 0; turn < 4; turn++) {
    await settle();
    lab.state.sync();
  }
  await settle();
  assert.equal(results.length, 600);
  assert.equal(lab.journal.sizeBytes, 0);
});

/**
 * What a runner may do: begin a step, ask when it has lost the answer, and begin it again where it was not seen. The
 * device dies, loses its power, or is stopped, whenever it pleases.
 */
test('whatever happens to device and runner, no step is done twice, and none that was done counts as not seen', async (t) => {
  const seed = seedOf(t);
  const runs = process.env.ALTHING_TEST_LONG === '1' ? 2000 : 150;
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (luck) => {
      const random = randomFrom(luck);
      const file = new MemoryJournalFile();
      let lab = await quickLab(file);
      const steps = Array.from({ length: 6 }, (_, n) =>
        n < 4 ? quickStep(n + 1) : labStep({ firing: `time/hall/0/${n}` }),
      );
      const state = steps.map(() => ({ done: 0, lost: false, isOver: false }));
      for (let move = 0; move < 60; move++) {
        const at = Math.floor(random() * steps.length);
        const [step, of] = [steps[at]!, state[at]!];
        const dice = random();
        if (dice < 0.25 && !of.isOver) {
          if (of.lost) {
            const answer = lab.steps.ask(asked(step), 0);
            lab.advance(0);
            const { outcome } = await answer;
            if (outcome === 'not-seen') assert.equal(of.done, 0, `${step.firing} was done and not seen`);
            if (outcome !== 'not-seen') of.isOver = true;
          }
          if (!of.isOver) {
            of.lost = true;
            const thing = new CountingThing();
            thing.act = async () => {
              of.done += 1;
            };
            const isHeard = random() < 0.3;
            lab.steps.request(thing, labWrite, labContext(step)).then(
              () => {
                of.isOver ||= isHeard;
              },
              () => {},
            );
          }
        } else if (dice < 0.5) await settle();
        else if (dice < 0.65) lab.state.sync();
        else if (dice < 0.8) lab.advance(60);
        else if (dice < 0.95) {
          const { time, disk } = lab;
          lab.state.crash(Math.floor(random() * 3));
          lab.journal.close();
          if (random() < 0.5) file.cutPower(() => random() < 0.5);
          lab = new StepLab(disk, { byHand: true, journal: file });
          lab.time = { ...time, ms: time.ms + 1000 };
          void lab.ledger.start();
        }
      }
      for (const [at, { done }] of state.entries()) assert.ok(done <= 1, `step ${at} was done ${done} times`);
    }),
    { seed, numRuns: runs },
  );
});
