/** The promise that a run does each step at most once, loses none, and says what it cannot know. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stepsArbitrary } from '../testing/rule-arbitraries.ts';
import { playRun, type RunReport } from '../testing/run-lab.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import type { Step } from './rule.ts';
import { advanceRun, startRun } from './run.ts';
import type { RunEffect, RunEvent, RunState } from './run-state.ts';

const lamp = 'urn:x:lamp';
const on: Step = { write: { thing: lamp, property: 'on', value: { literal: true } } };
const off: Step = { write: { thing: lamp, property: 'on', value: { literal: false } } };

/** A run that is driven by hand. */
class Driven {
  state: RunState;
  effects: readonly RunEffect[];
  nowMs = 0;

  constructor(steps: readonly Step[]) {
    const start = {
      rule: 'r',
      firing: 'manual/r/1',
      mode: 'single',
      clock: 1,
      trigger: { kind: 'manual', id: '0' },
      steps,
    } as const;
    ({ state: this.state, effects: this.effects } = startRun(start, 0));
  }

  send(event: Record<string, unknown>, afterMs = 1): this {
    this.nowMs += afterMs;
    const kept = JSON.parse(JSON.stringify(this.state)) as RunState;
    const step = advanceRun(kept, { nowMs: this.nowMs, ...event } as RunEvent);
    assert.deepEqual(JSON.parse(JSON.stringify(step.state)), step.state, 'the state is plain data');
    ({ state: this.state, effects: this.effects } = step);
    return this;
  }

  done(path: string): this {
    return this.send({ type: 'outcome', path, outcome: { kind: 'done' } });
  }

  /** The effects in short: `command 0/t0:urn:x:lamp/on`. */
  get short(): string[] {
    return this.effects.map((effect) =>
      effect.type === 'timer'
        ? `timer ${effect.atMs}`
        : effect.type === 'finished'
          ? effect.end.outcome
          : `${effect.type} ${effect.path}`,
    );
  }
}

test('steps follow one another, and a delay survives as long as it must', () => {
  const run = new Driven([on, { delay: 300_000 }, off]);
  assert.deepEqual(run.short, ['command 0/t0:urn:x:lamp/on', 'timer 10000']);
  assert.deepEqual(run.done('0/t0:urn:x:lamp/on').short, ['timer 300001']);
  assert.deepEqual(run.send({ type: 'time' }).short, ['timer 300001'], 'too early is not yet');
  assert.deepEqual(run.send({ type: 'resume', graceMs: 60_000 }).short, ['timer 300001']);
  assert.deepEqual(run.send({ type: 'time' }, 300_000).short, ['command 2/t0:urn:x:lamp/on', 'timer 310003']);
  assert.deepEqual(run.done('2/t0:urn:x:lamp/on').short, ['done']);
  assert.deepEqual(run.done('2/t0:urn:x:lamp/on').short, [], 'what comes after the end does nothing');
});

test('a run whose peer comes back too late says that it was lost', () => {
  const run = new Driven([{ delay: 1000 }, off]).send({ type: 'resume', graceMs: 500 }, 2000);
  assert.deepEqual(run.state.end, { outcome: 'lost', path: '0', dueMs: 1000 });
});

test('what was commanded or looked at before a long absence is not gone on with, but lost', () => {
  const look: Step = { write: { thing: lamp, property: 'on', value: { cel: 'true' } } };
  for (const [steps, dueMs] of [
    [[on, off], 10_000],
    [[look, off], 0],
    [[{ choose: [{ if: 'true', steps: [on] }] }], 0],
    [[{ parallel: [[{ delay: 900_000 }], [on]] }], 10_000],
  ] as [Step[], number][]) {
    const run = new Driven(steps).send({ type: 'resume', graceMs: 60_000 }, 80_000);
    const { outcome, dueMs: said } = run.state.end as { outcome: string; dueMs?: number };
    assert.deepEqual([outcome, said], ['lost', dueMs]);
  }
});

test('a command in flight at a power cut is asked about, and given again only where it was not seen', () => {
  const run = new Driven([on, off]);
  assert.deepEqual(run.send({ type: 'resume', graceMs: 0 }).short, ['ask 0/t0:urn:x:lamp/on', 'timer 10001']);
  assert.deepEqual(
    run.send({ type: 'answered', path: '0/t0:urn:x:lamp/on', answer: 'not-seen' }).short.slice(0, 1),
    ['command 0/t0:urn:x:lamp/on'],
  );
  assert.deepEqual(
    run.send({ type: 'outcome', path: '0/t0:urn:x:lamp/on', outcome: { kind: 'unknown' } }).short.slice(0, 1),
    ['ask 0/t0:urn:x:lamp/on'],
  );
  assert.deepEqual(
    run.send({ type: 'answered', path: '0/t0:urn:x:lamp/on', answer: 'done' }).short.slice(0, 1),
    ['command 1/t0:urn:x:lamp/on'],
  );
  assert.deepEqual(
    run.send({ type: 'answered', path: '1/t0:urn:x:lamp/on', answer: 'unknown' }).short,
    ['timer 10004'],
    'nobody asked',
  );
  run
    .send({ type: 'time' }, 10_000)
    .send({ type: 'answered', path: '1/t0:urn:x:lamp/on', answer: 'unknown' });
  assert.deepEqual(run.state.end?.outcome === 'failed' && run.state.end.failure.code, 'outcome-unknown');
});

test('a device that never answers and cannot be asked ends as unknown', () => {
  const run = new Driven([{ ...on, retry: { times: 3, pauseMs: 5 } } as Step]);
  assert.deepEqual(run.send({ type: 'time' }, 10_000).short, ['ask 0/t0:urn:x:lamp/on', 'timer 20000']);
  run.send({ type: 'time' }, 10_000);
  assert.equal(run.state.end?.outcome === 'failed' && run.state.end.failure.code, 'outcome-unknown');
});

test('certain failures are tried again as another step, refusals are not', () => {
  const step = { ...on, retry: { times: 1, pauseMs: 100 } } as Step;
  const failure = (code: string, path = '0/t0:urn:x:lamp/on') => ({
    type: 'outcome',
    path,
    outcome: { kind: 'failed', code },
  });
  const run = new Driven([step]).send(failure('handler-failed'));
  assert.deepEqual(run.short, ['timer 101']);
  assert.deepEqual(run.send({ type: 'time' }, 100).short.slice(0, 1), ['command 0/t1:urn:x:lamp/on']);
  assert.equal(run.send(failure('handler-failed', '0/t1:urn:x:lamp/on')).state.end?.outcome, 'failed');
  assert.equal(new Driven([step]).send(failure('value-invalid')).state.end?.outcome, 'failed');
  for (const code of ['thing-unknown', 'forbidden', 'clock-unknown'])
    assert.deepEqual(
      new Driven([step]).send(failure(code)).short,
      ['timer 101'],
      `${code} of one that starts`,
    );
});

test('a failure is what the step says: the end, nothing, or other steps', () => {
  const failure = {
    type: 'outcome',
    path: '0/t0:urn:x:lamp/on',
    outcome: { kind: 'failed', code: 'forbidden' },
  };
  const go = (onFailure: unknown): Driven => new Driven([{ ...on, onFailure } as Step, off]).send(failure);
  assert.deepEqual(go('stop').short, ['failed']);
  assert.deepEqual(go('continue').short.slice(0, 1), ['command 1/t0:urn:x:lamp/on']);
  const other = go([on]);
  assert.deepEqual(other.short.slice(0, 1), ['command 0/f/0/t0:urn:x:lamp/on']);
  assert.deepEqual(other.done('0/f/0/t0:urn:x:lamp/on').short.slice(0, 1), ['command 1/t0:urn:x:lamp/on']);
});

test('every commands all at once; any takes the next only where the first certainly did nothing', () => {
  const commands = ['a', 'b'].map((thing) => ({ thing, op: 'writeproperty', name: 'on' }));
  const select = (kind: 'every' | 'any'): Driven =>
    new Driven([
      { write: { [kind]: { type: 'Light' }, property: 'on', value: { literal: true } } } as Step,
    ]).send({
      type: 'selected',
      path: '0',
      commands,
    });
  assert.deepEqual(select('every').short.slice(0, 2), ['command 0/t0:a/on', 'command 0/t0:b/on']);
  assert.deepEqual(select('every').done('0/t0:b/on').done('0/t0:a/on').short, ['done']);
  const any = select('any');
  assert.deepEqual(any.short, ['command 0/t0:a/on', 'timer 10001']);
  any.send({ type: 'outcome', path: '0/t0:a/on', outcome: { kind: 'failed', code: 'peer-offline' } });
  assert.deepEqual(any.short.slice(0, 1), ['command 0/t0:b/on']);
  assert.deepEqual(any.done('0/t0:b/on').short, ['done']);
  const unsure = select('any')
    .send({ type: 'time' }, 10_000)
    .send({ type: 'answered', path: '0/t0:a/on', answer: 'unknown' });
  assert.deepEqual(unsure.short, ['failed'], 'it may have acted: no second one does');
});

test('choose, repeat, parallel, wait, set and stop do what they say', () => {
  const run = new Driven([
    {
      choose: [
        { if: 'a', steps: [on] },
        { if: 'b', steps: [{ set: { name: 'n', value: { cel: 'c' } } }] },
      ],
      else: [off],
    },
    { repeat: { times: 2, steps: [on] } },
    { parallel: [[on], [{ wait: { until: 'w', timeoutMs: 50 } }, off]] },
    { repeat: { times: 5, while: 'x', steps: [on] } },
    { stop: 'enough' },
    on,
  ]);
  const value = (path: string, value: unknown) => ({ type: 'evaluated', path, result: { value } });
  assert.deepEqual(run.short, ['evaluate 0/c0']);
  assert.deepEqual(run.send(value('0/c0', false)).short, ['evaluate 0/c1']);
  assert.deepEqual(run.send(value('0/c1', true)).short, ['evaluate 0/c1/0']);
  assert.deepEqual(run.send(value('0/c1/0', 5)).short.slice(0, 1), ['set 0/c1/0']);
  assert.deepEqual(run.done('0/c1/0').short.slice(0, 1), ['command 1/r0/0/t0:urn:x:lamp/on']);
  assert.deepEqual(run.done('1/r0/0/t0:urn:x:lamp/on').short.slice(0, 1), [
    'command 1/r1/0/t0:urn:x:lamp/on',
  ]);
  assert.deepEqual(run.done('1/r1/0/t0:urn:x:lamp/on').short.slice(0, 2), [
    'command 2/p0/0/t0:urn:x:lamp/on',
    'watch 2/p1/0',
  ]);
  assert.deepEqual(run.send(value('2/p1/0', true)).short.slice(0, 1), ['command 2/p1/1/t0:urn:x:lamp/on']);
  run.done('2/p0/0/t0:urn:x:lamp/on');
  assert.deepEqual(run.done('2/p1/1/t0:urn:x:lamp/on').short, ['evaluate 3/r0']);
  assert.deepEqual(run.send(value('3/r0', false)).state.end, { outcome: 'stopped', reason: 'enough' });
});

test('an unknown is never a silent false: the step that needs it fails and says what was missing', () => {
  const run = new Driven([{ choose: [{ if: 'a', steps: [on] }], else: [off] }]);
  run.send({ type: 'evaluated', path: '0/c0', result: { unknown: 'lux of hall' } });
  assert.equal(
    run.state.end?.outcome === 'failed' && run.state.end.failure.message,
    'Not known now: lux of hall.',
  );
});

test('a run is bounded, whatever its steps are', () => {
  const nested = {
    repeat: { times: 1000, steps: [{ repeat: { times: 1000, steps: [{ delay: 0 }] } }] },
  } as Step;
  const run = new Driven([nested]);
  assert.equal(run.state.end?.outcome === 'failed' && run.state.end.failure.code, 'too-many');
});

test('a newer run that a device has seen ends this one', () => {
  const run = new Driven([on, off]).send({
    type: 'outcome',
    path: '0/t0:urn:x:lamp/on',
    outcome: { kind: 'superseded' },
  });
  assert.deepEqual(run.short, ['superseded']);
});

/** A command of a step with one Thing as its path says it. */
const commandOf = (step: Step): string => {
  if ('write' in step) return `${step.write.thing}/${step.write.property}`;
  return 'invoke' in step ? `${step.invoke.thing}/${step.invoke.action}` : '';
};

/** The commands that must have been given where a run ended as done: paths without the number of the try. */
const expected = (steps: readonly Step[], report: RunReport, list = ''): string[] => {
  const failed = (path: string): boolean =>
    report.state.log.some((e) => e.path === path && e.what === 'continued');
  return steps.flatMap((step, index) => {
    const path = list === '' ? `${index}` : `${list}/${index}`;
    const inner: string[] = [];
    if ('onFailure' in step && failed(path) && typeof step.onFailure === 'object')
      inner.push(...expected(step.onFailure, report, `${path}/f`));
    if (('write' in step && step.write.thing) || ('invoke' in step && step.invoke.thing))
      inner.push(`${path}/t0:${commandOf(step)}`);
    else if (
      ('write' in step && step.write.every) ||
      ('invoke' in step && step.invoke.every) ||
      'scene' in step
    )
      inner.push(...report.selected.get(path)!.map(({ thing, name }) => `${path}/t0:${thing}/${name}`));
    if ('choose' in step) {
      const branch = step.choose.findIndex((_, number) => report.values.get(`${path}/c${number}`) === true);
      const chosen = branch === -1 ? step.else : step.choose[branch]!.steps;
      if (chosen) inner.push(...expected(chosen, report, `${path}/c${branch === -1 ? 'e' : branch}`));
    } else if ('repeat' in step) {
      for (let round = 0; round < step.repeat.times; round++) {
        if (step.repeat.while !== undefined && report.values.get(`${path}/r${round}`) !== true) break;
        inner.push(...expected(step.repeat.steps, report, `${path}/r${round}`));
      }
    } else if ('parallel' in step)
      inner.push(
        ...step.parallel.flatMap((branch, number) => expected(branch, report, `${path}/p${number}`)),
      );
    return inner;
  });
};

test('for any steps, losses and power cuts: no step is done twice, none is lost, none acknowledged is given again', (t) => {
  const seed = seedOf(t);
  const ends = new Map<string, number>();
  fc.assert(
    fc.property(stepsArbitrary, fc.nat(), fc.constantFrom(0, 0.05, 0.15, 0.3), (steps, luck, trouble) => {
      const report = playRun(steps, randomFrom(luck), trouble);
      const { acted, repeated, state } = report;
      ends.set(state.end!.outcome, (ends.get(state.end!.outcome) ?? 0) + 1);
      for (const [path, count] of acted) assert.equal(count, 1, `${path} was done ${count} times`);
      assert.deepEqual(repeated, []);
      for (const { what, path, command } of state.log)
        if (what === 'done' && command)
          assert.equal(acted.get(path), 1, `${path} is called done and was not`);
      if (state.end!.outcome !== 'done') return;
      for (const path of expected(steps, report)) {
        const tries = (found: string): boolean => found.replace(/\/t\d+:/, '/t0:') === path;
        const accounted =
          [...acted.keys()].some(tries) ||
          state.log.some(
            (entry) => tries(entry.path) && (entry.what === 'failed' || entry.what === 'unknown'),
          );
        assert.ok(accounted, `${path} was lost`);
      }
    }),
    { seed, numRuns: process.env.ALTHING_TEST_LONG ? 10_000 : 150 },
  );
  t.diagnostic(JSON.stringify(Object.fromEntries(ends)));
  assert.ok(ends.get('done')! > 10, 'enough runs came to their end for the law to mean something');
});
