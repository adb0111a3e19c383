/**
 * The promises of shadows: the last value is always written, a Thing at most once in 10 s, and none waits for ever.
 * Relies on a fake clock; what is written is only counted here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FakeClock } from '../testing/fake-clock.ts';
import { seedOf } from '../testing/seed.ts';
import { Shadows, type ShadowsOptions } from './shadows.ts';

interface Written {
  readonly atMs: number;
  readonly thing: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Shadows whose records go into a list; a commit is written in the moment it is asked for. */
const lab = ({ refuses, ...overrides }: Partial<ShadowsOptions> & { refuses?: () => boolean } = {}) => {
  const clock = new FakeClock();
  const written: Written[] = [];
  const commits: number[] = [];
  const failures: unknown[] = [];
  const shadows: Shadows = new Shadows({
    now: clock.now,
    schedule: clock.schedule,
    seed: () => undefined,
    mayWrite: () => true,
    write: async (things) => {
      if (refuses?.()) throw new Error('the disk is full');
      commits.push(things.length);
      for (const thing of things) {
        const known = [...shadows.known(thing)].map(([name, { value }]) => [name, value]);
        written.push({ atMs: clock.now(), thing, values: Object.fromEntries(known) });
      }
    },
    failed: (error) => failures.push(error),
    ...overrides,
  });
  /** Seconds go by, and whatever is asked of the disk is done. */
  const pass = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1000);
      await settle();
    }
  };
  return { clock, shadows, written, commits, failures, pass };
};

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a value that changes all the time is written once in 10 s, and its last state is', async () => {
  const { clock, shadows, written, pass } = lab();
  for (let i = 1; i <= 300; i++) {
    shadows.learn('lamp', 'level', i);
    clock.advance(100);
    await settle();
  }
  await pass(11);
  assert.equal(written.at(-1)?.values.level, 300);
  assert.equal(written.length, 4);
  assert.equal(clock.pending, 0, 'nothing runs while nothing changes');
});

test('what has not changed writes nothing, lists and objects included', async () => {
  const { shadows, written, pass } = lab();
  shadows.learn('lamp', 'on', true);
  shadows.learn('lamp', 'color', { r: 1, list: [1, 2] });
  shadows.learn('lamp', 'film', 'x'.repeat(2000));
  await pass(30);
  assert.equal(written.length, 1);
  shadows.learn('lamp', 'on', true);
  shadows.learn('lamp', 'color', { r: 1, list: [1, 2] });
  shadows.learn('lamp', 'film', 'y'.repeat(3000));
  await pass(30);
  assert.equal(written.length, 1);
  shadows.learn('lamp', 'color', { r: 1, list: [1, 3] });
  await pass(1);
  assert.equal(written.length, 2);
});

test('with 10,000 Things that change all the time each gets its turn, ten a second in one commit', async () => {
  const { shadows, written, commits, pass } = lab();
  const things = Array.from({ length: 10_000 }, (_, i) => `thing-${i}`);
  for (const thing of things) shadows.learn(thing, 'level', 0);
  for (let second = 1; second <= 1000; second++) {
    // The noisy ones are always the same.
    for (let i = 0; i < 50; i++) shadows.learn(`thing-${i}`, 'level', second);
    await pass(1);
  }
  assert.ok(commits.every((size) => size <= 10));
  assert.ok(written.length >= 9_900, `${written.length} were written`);
  await pass(20);
  assert.equal(new Set(written.map(({ thing }) => thing)).size, 10_000);
});

test('a stop writes what waits, even what was written a moment ago, and nothing is learned after it', async () => {
  const { clock, shadows, written, pass } = lab();
  shadows.learn('lamp', 'on', true);
  await pass(1);
  shadows.learn('lamp', 'on', false);
  for (let i = 0; i < 250; i++) shadows.learn(`thing-${i}`, 'on', true);
  await shadows.close();
  assert.equal(written.length, 252);
  assert.deepEqual(written[1]?.values, { on: false });
  shadows.learn('lamp', 'on', true);
  assert.equal(clock.pending, 0);
  await pass(20);
  assert.equal(written.length, 252);
});

test('a write that fails is tried again after 10 s, with what is known then; a stop does not try for ever', async () => {
  let isBroken = true;
  const { shadows, written, failures, pass } = lab({ refuses: () => isBroken });
  shadows.learn('lamp', 'on', true);
  await pass(5);
  assert.equal(failures.length, 1);
  shadows.learn('lamp', 'on', false);
  isBroken = false;
  await pass(10);
  assert.deepEqual(
    written.map(({ values }) => values),
    [{ on: false }],
  );
  isBroken = true;
  shadows.learn('lamp', 'on', true);
  await shadows.close();
  assert.equal(failures.length, 2);
});

test('who may not write keeps what it knows, without a timer, until it may', async () => {
  let may = false;
  const { clock, shadows, written, pass } = lab({ mayWrite: () => may });
  shadows.learn('lamp', 'on', true);
  await pass(3);
  assert.equal(clock.pending, 0);
  may = true;
  shadows.wake();
  await pass(1);
  assert.deepEqual(written.length, 1);
});

test('what was known before a restart stays, and counts for the pace, whatever the clock does', async () => {
  const start = 1_800_000_000_000;
  const known = new Map([['on', { value: true, timeMs: 5, sizeBytes: 9, isOmitted: false }]]);
  const { clock, shadows, written, pass } = lab({ seed: () => ({ known, writtenMs: start - 2000 }) });
  shadows.learn('lamp', 'on', true);
  await pass(20);
  assert.equal(written.length, 0);
  clock.set(start);
  shadows.learn('lamp', 'level', 3);
  await pass(7);
  assert.equal(written.length, 0);
  await pass(2);
  assert.deepEqual(written[0]?.values, { on: true, level: 3 });
  // A battery fails: ten years back, nothing waits ten years.
  clock.set(start - 315_360_000_000);
  shadows.learn('lamp', 'level', 4);
  await pass(11);
  assert.equal(written.length, 2);
});

test('a Thing that is not exposed any more says nothing; one that moves says what it knows under its new id', async () => {
  const { shadows, written, pass } = lab();
  shadows.learn('gone', 'on', true);
  shadows.learn('own', 'on', false);
  shadows.forget('gone');
  shadows.move('own', 'inherited');
  await pass(2);
  assert.deepEqual(
    written.map(({ thing, values }) => [thing, values]),
    [['inherited', { on: false }]],
  );
});

test('whatever changes whenever: the pace is kept, and in the end the record says what is', async (t) => {
  const step = fc.record({
    thing: fc.nat(14).map((i) => `thing-${i}`),
    value: fc.nat(2),
    afterMs: fc.nat(4000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { clock, shadows, written, pass } = lab();
      const last = new Map<string, number>();
      for (const { thing, value, afterMs } of steps) {
        clock.advance(afterMs);
        await settle();
        shadows.learn(thing, 'value', value);
        last.set(thing, value);
      }
      await pass(25);
      for (const [thing, value] of last) {
        const records = written.filter((one) => one.thing === thing);
        assert.deepEqual(records.at(-1)?.values, { value });
        for (const [i, { atMs }] of records.entries())
          assert.ok(i === 0 || atMs - records[i - 1]!.atMs >= 10_000);
      }
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 1000 : 30 },
  );
});
