/** The promise that no run, whoever handed it over and whatever it says, stops the peer that holds it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stampOf } from '../../core/clock.ts';
import type { Step } from '../../rules/rule.ts';
import { startRun } from '../../rules/run.ts';
import type { RunStart } from '../../rules/run-state.ts';
import { RuleLab } from '../../testing/rule-lab.ts';

const minute = 60_000;
const on = (thing: string): Step => ({ write: { thing, property: 'on', value: { literal: true } } });

/** A runner, a peer that stands by and whose lamp a rule switches, and runs as the runner hands them over. */
const night = async () => {
  const lab = new RuleLab();
  const runner = await lab.start('runner');
  const keeper = await lab.start('keeper');
  const lamp = keeper.expose('lamp', { on: false });
  const steps: Step[] = [{ choose: [{ if: 'true', steps: [on(lamp.id)] }] }];
  lab.rule('night', { triggers: [{ time: { at: '03:00' } }], steps });
  await lab.pass(1000);
  const nowMs = lab.clock.now();
  const run = (n = 1, trigger: object = {}) => {
    const start = {
      ...{ rule: 'night', firing: `time/night/0/${n}`, mode: 'single', clock: stampOf(nowMs), steps },
      trigger: { kind: 'time', id: '0', ...trigger },
    } as RunStart;
    const { state } = startRun(start, nowMs);
    return {
      version: 1,
      name: 'Night',
      chain: [],
      conditions: [],
      atMs: nowMs,
      isPlaced: true,
      start,
      state,
    };
  };
  const hand = (handed: object, from = runner.id): boolean =>
    (keeper.engine.handlers.standby(from, structuredClone({ run: handed })) as { kept: boolean }).kept;
  return { lab, runner, keeper, run, hand };
};

test('a run that the machine could not go on with is not kept', async () => {
  const { lab, run, hand } = await night();
  assert.equal(hand(run()), true);
  const { state, ...rest } = run(2);
  const bad: object[] = [
    { ...rest, atMs: Number.MAX_SAFE_INTEGER, state },
    { ...rest, conditions: [7], state },
    { ...rest, state: { ...state, list: { at: -1 } } },
    { ...rest, state: { ...state, list: { at: 0, step: { kind: 'nonesuch' } } } },
    { ...rest, state: { ...state, list: { at: 0, step: { kind: 'delay', untilMs: 8.64e15 } } } },
    { ...rest, state: { ...state, log: [{ path: '0', atMs: 9e15, what: 'done' }] } },
    { ...rest, state: { ...state, log: Array(301).fill({ path: '0', atMs: 1, what: 'done' }) } },
    { ...rest, state: { version: 1, start: state.start } },
  ];
  for (const one of bad) assert.equal(hand(one), false, JSON.stringify(one).slice(-120));
  await lab.close();
});

test('a run whose state does not fit its steps ends as failed, and is told', async () => {
  const { lab, runner, keeper, run, hand } = await night();
  const handed = run();
  handed.state.list = { at: 0, step: { kind: 'choose', branch: 7 } };
  assert.equal(hand(handed), true);
  runner.crash();
  await lab.pass(minute);
  const [execution] = keeper.executions('night');
  assert.equal(execution?.outcome, 'failed');
  assert.match(execution?.message ?? '', /internal/);
  assert.ok(keeper.told.some(({ kind, outcome }) => kind === 'rule-ended' && outcome === 'failed'));
  await lab.close();
});

test('a step that cannot be carried out ends its run as failed', async () => {
  const { lab, keeper } = await night();
  const other = keeper.expose('other', { level: 1 });
  lab.rule('any', {
    triggers: [{ manual: true }],
    steps: [{ write: { any: { type: 'Lab' }, property: 'level', value: { literal: 2 } } }],
  });
  await lab.pass(1000);
  Object.defineProperty(other, 'td', {
    get: () => {
      throw new Error('a mistake of this program');
    },
  });
  await keeper.engine.fire('any');
  await lab.settle();
  assert.deepEqual(keeper.outcomes('any'), ['failed']);
  await lab.close();
});

test('one member has few copies of its runs kept by another, and leaves room for the others', async () => {
  const { lab, run, hand } = await night();
  const other = await lab.start('other');
  let kept = 0;
  for (let n = 0; n < 100; n++) if (hand(run(n))) kept += 1;
  assert.equal(kept, 32);
  assert.equal(hand(run(0)), true, 'one that is kept may go on');
  assert.equal(hand(run(200), other.id), true);
  const large = { event: 'x'.repeat(200_000) };
  let bytes = 0;
  for (let n = 300; n < 320; n++) if (hand(run(n, large), other.id)) bytes += 1;
  assert.ok(bytes <= 2, `${bytes} runs of 400 KB`);
  await lab.pass(2 * 86_400_000);
  assert.equal(hand(run(400)), true, 'what should have ended a day ago is forgotten');
  await lab.close();
});

test('a run that waits inside a choice is kept, goes on after a restart, and keeps nobody waiting', async () => {
  const { lab, keeper } = await night();
  const lamp = [...keeper.things.values()][0]!;
  const steps: Step[] = [{ choose: [{ if: 'true', steps: [{ delay: 5 * minute }, on(lamp.id)] }] }];
  lab.rule('later', { triggers: [{ manual: true }], steps });
  await lab.pass(1000);
  let isFired = false;
  keeper.engine.fire('later').then(() => {
    isFired = true;
  });
  await lab.pass(1000);
  assert.ok(isFired);
  keeper.crash();
  await lab.pass(1000);
  keeper.start();
  await lab.pass(10 * minute);
  assert.deepEqual(lab.done, ['lamp.on=true']);
  assert.deepEqual(keeper.outcomes('later'), ['done']);
  await lab.close();
});
