/**
 * What `npm test` runs: types, lint, unused code, then every test; each step runs even where one before it failed.
 * Relies on the tools in node_modules, under the same Node that runs this file; says at the end which files took longest.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Whole programs come first, so that what takes longest does not run alone at the end. */
const testFiles = [
  // Waits most of its time, and for nothing that is timed.
  'test/netns/discovery.test.ts',
  'test/process/**/*.test.ts',
  'test/durability/**/*.test.ts',
  'src/**/*.test.ts',
  'test/*.test.ts',
  'test/fuzz/**/*.test.ts',
];
/** Peers that must notice and return within a second are given the machine for themselves. */
const networkTestFiles = ['test/netns/**/*.test.ts'];
/** So are those that the long form times: a thousand starts, and twenty peers that become a fabric within 10 s. */
const timedTestFiles = ['test/durability/kills.test.ts', 'test/process/many-peers.test.ts'];
/** As many as there are cores: peers that starve notice too late that another is gone. */
const concurrency = 2;
/** A file, with all of its tests. */
const longestFileMs = 180_000;
/** A thousand kills, each with a start, take a quarter of an hour on two idle cores. */
const longestLongFileMs = 2_400_000;
const dearestShown = 10;

const { values: options } = parseArgs({ options: { long: { type: 'boolean', default: false } } });
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  // Each test file is a process of its own, and compiles what it loads.
  NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'althing-tests'),
  ...(options.long && { ALTHING_TEST_LONG: '1' }),
};

/** Runs one tool to its end with its output passed through; true where it succeeded. */
const succeeds = (command: string, args: readonly string[]): Promise<boolean> =>
  finished(spawn(command, args, { cwd: root, env, stdio: 'inherit' }));

const finished = (child: ChildProcess): Promise<boolean> =>
  new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${child.spawnfile} did not start: ${error.message}`);
      resolve(false);
    });
    child.on('close', (exitCode) => resolve(exitCode === 0));
  });

/** How many passed and failed, by step: said again at the end, after the failures themselves. */
const summaries = new Map<string, string>();
/** Seconds that each file took. */
const secondsOf = new Map<string, number>();

/** Runs test files, begun in this order; true where all tests passed. */
const testsSucceed = async (
  name: string,
  files: readonly string[],
  filesAtOnce: number,
): Promise<boolean> => {
  const tests = run({
    files: files.map((file) => join(root, file)),
    concurrency: filesAtOnce,
    timeout: options.long ? longestLongFileMs : longestFileMs,
    env,
  });
  let passed = false;
  tests.on('test:complete', ({ name, details, nesting }) => {
    if (nesting === 0 && name.startsWith(root))
      secondsOf.set(relative(root, name), details.duration_ms / 1000);
  });
  tests.on('test:summary', ({ file, success, counts }) => {
    // Each file has a summary, too.
    if (file !== undefined) return;
    passed = success;
    const told = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
    summaries.set(name, told.join(', '));
  });
  for await (const line of tests.compose(spec)) process.stdout.write(line);
  return passed;
};

const matching = (patterns: readonly string[]): string[] =>
  patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).sort());

const alone = options.long ? timedTestFiles : [];
const steps: readonly (readonly [name: string, run: () => Promise<boolean>])[] = [
  ['types', () => succeeds('tsc', ['-p', '.'])],
  ['lint', () => succeeds('biome', ['check', '.'])],
  ['unused', () => succeeds('knip', [])],
  [
    'tests',
    () =>
      testsSucceed(
        'tests',
        matching(testFiles).filter((file) => !alone.includes(file)),
        concurrency,
      ),
  ],
  ...alone.map((file) => [file, () => testsSucceed(file, [file], 1)] as const),
  [
    'network tests',
    () =>
      testsSucceed(
        'network tests',
        matching(networkTestFiles).filter((file) => !matching(testFiles).includes(file)),
        1,
      ),
  ],
];

const failed: string[] = [];
for (const [name, run] of steps) {
  console.log(`\n== ${name}`);
  if (!(await run())) failed.push(name);
}
const dearest = [...secondsOf].sort(([, a], [, b]) => b - a).slice(0, dearestShown);
console.log(`\n== what took longest, in seconds`);
for (const [file, seconds] of dearest) console.log(`${seconds.toFixed(1).padStart(7)}  ${file}`);
if (failed.length > 0) {
  console.log(`\n== summary\nFailed: ${failed.join(', ')}.`);
  for (const [name, told] of summaries) console.log(`${name}: ${told}`);
  process.exitCode = 1;
}
