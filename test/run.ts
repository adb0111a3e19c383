/**
 * What `npm test` runs: types, lint, unused code, then every test; each step runs even where one before it failed.
 * Relies on the tools in node_modules, under the same Node that runs this file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const testFiles = [
  'src/**/*.test.ts',
  'test/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/durability/**/*.test.ts',
  'test/process/**/*.test.ts',
];
/** Peers that must notice and return within a second are given the machine for themselves. */
const networkTestFiles = ['test/netns/**/*.test.ts'];
/** So are those that the long form times: a thousand starts, and twenty peers that become a fabric within 10 s. */
const timedTestFiles = ['test/durability/kills.test.ts', 'test/process/many-peers.test.ts'];
/** Two files at once keep two cores busy; more would make processes wait for each other's deadlines. */
const concurrency = 2;
const longestTestMs = 120_000;
/** A thousand kills, each with a start, take a quarter of an hour on two idle cores. */
const longestLongTestMs = 2_400_000;

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

/** The test runner's last word: how many passed and failed. Said again at the end, after the failures themselves. */
const summaries = new Map<string, string[]>();

const testsSucceed = (name: string, files: readonly string[], filesAtOnce: number): Promise<boolean> => {
  const child = spawn(process.execPath, testArguments(files, filesAtOnce), {
    cwd: root,
    env: { ...env, ...(process.stdout.isTTY && { FORCE_COLOR: '1' }) },
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  createInterface({ input: child.stdout! }).on('line', (line) => {
    console.log(line);
    const plain = stripVTControlCharacters(line);
    if (plain.startsWith('ℹ tests ')) summaries.set(name, []);
    if (/^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(plain))
      summaries.get(name)?.push(plain);
  });
  return finished(child);
};

const testArguments = (files: readonly string[], filesAtOnce: number): string[] => [
  '--test',
  `--test-concurrency=${filesAtOnce}`,
  `--test-timeout=${options.long ? longestLongTestMs : longestTestMs}`,
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  ...files,
];

const matching = (patterns: readonly string[]): string[] =>
  patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();

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
  ['network tests', () => testsSucceed('network tests', matching(networkTestFiles), 1)],
];

const failed: string[] = [];
for (const [name, run] of steps) {
  console.log(`\n== ${name}`);
  if (!(await run())) failed.push(name);
}
if (failed.length > 0) {
  console.log(`\n== summary\nFailed: ${failed.join(', ')}.`);
  for (const [name, lines] of summaries) console.log(`${name}: ${lines.join(', ').replaceAll('ℹ ', '')}`);
  process.exitCode = 1;
}
