/**
 * The promises of `althing demo` that ends early: nothing is left of it, however it ends. `package.test.ts` hears the story.
 * Relies on real processes on loopback, in a temporary directory of each test's own.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { errorTable } from '../../src/core/errors.ts';
import { type LabProcess, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

interface Fact {
  readonly event: string;
  readonly [member: string]: unknown;
}

const storyTimeoutMs = 90_000;

const lab = new ProcessLab();
after(() => lab.close());

for (const [signal, moment] of [
  ['SIGINT', 'started'],
  ['SIGTERM', 'connected'],
  ['SIGHUP', 'missed'],
] as const)
  test(`${signal} after "${moment}" ends all processes and removes all directories`, async (t) => {
    const { demo, temp } = await startDemo(t, ['--json']);
    await heard(demo, ({ event }) => event === moment);
    const processes = descendantsOf(demo.pid);
    assert.ok(processes.length >= (moment === 'started' ? 1 : 12), `only ${processes.length} processes`);
    demo.kill(signal);
    await demo.ended(storyTimeoutMs);
    assert.equal(demo.exitCode, errorTable.cancelled.exit, demo.describe('to be cancelled'));
    await nothingLeft(processes, temp);
  });

test('a device that dies by itself fails the story by name, and leaves nothing', async (t) => {
  const { demo, temp } = await startDemo(t, ['--json', '--once']);
  await heard(demo, ({ event }) => event === 'connected');
  const processes = descendantsOf(demo.pid);
  const lamp = (demo.values as Fact[]).find(
    (fact) => fact.event === 'started' && fact.device === 'kitchen-lamp',
  );
  process.kill(Number(lamp?.pid), 'SIGKILL');
  await demo.ended(storyTimeoutMs);
  assert.equal(demo.exitCode, errorTable['peer-offline'].exit, demo.describe('to fail'));
  assert.match(demo.stderr, /kitchen-lamp has ended by itself: ended by SIGKILL/);
  await nothingLeft(processes, temp);
});

/** A demo with a temporary directory of its own, removed with whatever a failed test left in it. */
const startDemo = async (
  t: TestContext,
  args: readonly string[],
): Promise<{ demo: LabProcess; temp: string }> => {
  const temp = await mkdtemp(join(tmpdir(), 'althing-t-'));
  t.after(() => rm(temp, { recursive: true, force: true }));
  const demo = lab.spawnCommand(temp, ['demo', ...args], { env: { TMPDIR: temp } });
  return { demo, temp };
};

const heard = (demo: LabProcess, isIt: (fact: Fact) => boolean): Promise<unknown> =>
  waitFor(
    () => {
      if (demo.isClosed) throw new Error(demo.describe('ended too early'));
      return (demo.values as Fact[]).some(isIt);
    },
    { timeoutMs: storyTimeoutMs, what: () => demo.describe('to come so far') },
  );

/** All processes below one, its scripts' included. */
const descendantsOf = (pid: number): number[] => {
  const parents = new Map<number, number>();
  for (const line of execFileSync('ps', ['-A', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' }).split('\n')) {
    const [child, parent, name] = line.trim().split(/\s+/);
    if (child && parent && name !== 'ps') parents.set(Number(child), Number(parent));
  }
  const isBelow = (child: number): boolean => {
    const parent = parents.get(child);
    return parent !== undefined && (parent === pid || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
};

const nothingLeft = async (processes: readonly number[], temp: string): Promise<void> => {
  // A script ends by itself as soon as its device's channel closes.
  await waitFor(() => processes.every((pid) => !isAlive(pid)), {
    what: () => `the end of ${processes.filter(isAlive).join(', ')}`,
  });
  assert.deepEqual(await readdir(temp), []);
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // No such process.
    return false;
  }
};
