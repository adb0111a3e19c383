/**
 * What rules promise, held against what is seen from outside of random histories in which power, network, devices and
 * clocks fail. Relies on the simulator; a history that failed is lived again with `ALTHING_SEED` and `ALTHING_TEST_RUNS=1`.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type HistoryKind, RuleHistory } from '../../testing/rule-history.ts';
import { promises } from '../../testing/rule-promises.ts';
import { RuleTally } from '../../testing/rule-tally.ts';
import { seedOf } from '../../testing/seed.ts';

const isLong = Boolean(process.env.ALTHING_TEST_LONG);
const givenRuns = process.env.ALTHING_TEST_RUNS;

/** Lives through histories of several seeds, all from one; every promise is looked at by itself. */
const liveThrough = async (t: TestContext, kind: HistoryKind, runs: { short: number; long: number }) => {
  const first = seedOf(t);
  const tally = new RuleTally();
  const count = givenRuns === undefined ? (isLong ? runs.long : runs.short) : Number(givenRuns);
  for (let seed = first; seed < first + count; seed++) {
    const history = new RuleHistory({ seed, kind });
    await history.live();
    tally.add(history);
    for (const [promise, check] of Object.entries(promises)) {
      const broken = check(history).slice(0, 5);
      assert.deepEqual(broken, [], `${promise}: broken with ALTHING_SEED=${seed} (${kind})`);
    }
  }
  t.diagnostic(tally.text);
  // A law that nothing happened to would hold as well.
  if (givenRuns === undefined) assert.deepEqual(tally.missing(kind, { isLong }), []);
};

test('where nothing breaks, every rule does what it says', async (t) => {
  await liveThrough(t, 'quiet', { short: 8, long: 150 });
});

test('through loss of power at any moment, broken and one-sided networks and broken devices, rules keep what they promise', async (t) => {
  await liveThrough(t, 'stormy', { short: 24, long: 500 });
});

test('with clocks that are wrong by minutes, too', async (t) => {
  await liveThrough(t, 'astray', { short: 8, long: 150 });
});

test('a seed makes the same history every time', async (t) => {
  const seed = seedOf(t);
  const told: string[][] = [];
  for (let run = 0; run < 2; run++) {
    const history = new RuleHistory({ seed, kind: 'astray', turns: 30 });
    await history.live();
    const { acts, kept } = history.chronicle;
    told.push([
      ...acts.map(({ thing, name, beganMs, endedMs }) => `${thing} ${name} ${beganMs} ${endedMs}`),
      ...[...kept.values()].map(({ peer, firing, info }) => `${peer} ${firing} ${info?.outcome}`),
    ]);
  }
  assert.deepEqual(told[0], told[1]);
});

test('what breaks a promise is seen', async () => {
  const history = new RuleHistory({ seed: 1, kind: 'quiet' });
  await history.live();
  const { kept } = history.chronicle;
  const { acts } = history.lab;
  const broken = (): string[] =>
    Object.entries(promises).flatMap(([promise, check]) => (check(history).length > 0 ? [promise] : []));
  assert.deepEqual(broken(), []);
  const act = acts.find(({ step, outcome }) => step && outcome === 'done')!;
  acts.push(act);
  assert.deepEqual(broken(), ['no device does a step twice', 'what was done is not tried again']);
  acts.pop();
  act.outcome = 'failed';
  assert.ok(broken().includes('what is told as done was done'));
  act.outcome = 'done';
  for (const [key, { firing }] of kept) if (firing.startsWith('stream/')) kept.delete(key);
  assert.deepEqual(broken(), ['what a Thing says fires the rules of its peer']);
});
