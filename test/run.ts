/**
 * What `npm test` runs: types, lint, unused code, then every test; each step runs even where one before it failed.
 * Relies on the tools in node_modules, under the same Node that runs this file.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const testFiles = [
  'src/**/*.test.ts',
  'test/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/process/**/*.test.ts',
  'test/netns/**/*.test.ts',
];
/** Two files at once keep two cores busy; more would make processes wait for each other's deadlines. */
const concurrency = 2;
const longestTestMs = 120_000;
const longestLongTestMs = 1_200_000;

const { values: options } = parseArgs({ options: { long: { type: 'boolean', default: false } } });
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  ...(options.long && { ALTHING_TEST_LONG: '1' }),
};

/** Runs one tool to its end with its output passed through; true where it succeeded. */
const succeeds = (command: string, args: readonly string[]): boolean => {
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (error) console.error(`${command} did not start: ${error.message}`);
  return status === 0;
};

const testArguments = (): string[] => [
  '--test',
  `--test-concurrency=${concurrency}`,
  `--test-timeout=${options.long ? longestLongTestMs : longestTestMs}`,
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  ...testFiles.flatMap((pattern) => globSync(pattern, { cwd: root })).sort(),
];

const steps: readonly (readonly [name: string, run: () => boolean])[] = [
  ['types', () => succeeds('tsc', ['-p', '.'])],
  ['lint', () => succeeds('biome', ['check', '.'])],
  ['unused', () => succeeds('knip', [])],
  ['tests', () => succeeds(process.execPath, testArguments())],
];

const failed: string[] = [];
for (const [name, run] of steps) {
  console.log(`\n== ${name}`);
  if (!run()) failed.push(name);
}
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}.`);
  process.exitCode = 1;
}
