/**
 * The command line's entry: takes the short way to `up`, the long one through commander to everything else.
 * Relies on the command table; turns whatever is thrown into the error table's exit code.
 */
import { resolve } from 'node:path';
import { type AlthingError, errorTable, toAlthingError } from '../core/errors.ts';
import { defaultHomeDir } from '../store/home.ts';
import type { CommandCall, RunCommand } from './command.ts';
import { commandNamed, commonOptions } from './command-table.ts';
import { createOutput, type Output } from './output.ts';
import { parseOptions } from './parse-options.ts';

/**
 * Runs one command. Never throws: a failure is told on stderr and sets the exit code.
 * @param argv the arguments after the program's name
 */
export const main = async (argv: readonly string[]): Promise<void> => {
  const end = argv.indexOf('--');
  const json = argv.slice(0, end < 0 ? argv.length : end).includes('--json');
  const out = createOutput(json, process.stdout, process.stderr);
  process.on('uncaughtException', (thrown) => {
    process.exit(report(out, toAlthingError(thrown)));
  });
  try {
    await (isPlainUp(argv) ? runUp(argv, out) : runOther(argv, out));
  } catch (thrown) {
    process.exitCode = report(out, toAlthingError(thrown));
  }
};

const report = (out: Output, error: AlthingError): number => {
  out.failure(error);
  // Only a bug of ours needs a stack; every other failure is told by its message.
  if (error.code === 'internal')
    out.note((error.cause instanceof Error && error.cause.stack) || String(error.stack));
  return errorTable[error.code].exit;
};

/** `up` without a request for help: what services start, on devices where commander's megabytes count. */
const isPlainUp = (argv: readonly string[]): boolean => {
  if (argv.some((arg) => arg === '--help' || arg === '-h')) return false;
  let at = 0;
  while (argv[at]?.startsWith('--')) at += argv[at] === '--home' ? 2 : 1;
  return argv[at] === 'up';
};

const runUp = async (argv: readonly string[], out: Output): Promise<void> => {
  const spec = commandNamed('up');
  const options = parseOptions(argv, 'up', [...commonOptions, ...spec.options]);
  const { run } = await spec.load();
  await runCommand(run, { args: [], options, out });
};

const runOther = async (argv: readonly string[], out: Output): Promise<void> => {
  const { runProgram } = await import('./program.ts');
  await runProgram(argv, async (spec, args, options) => {
    const { run } = await spec.load();
    await runCommand(run, { args, options, out });
  });
};

const runCommand = (run: RunCommand, call: Omit<CommandCall, 'home'>): Promise<void> =>
  run({ ...call, home: call.options.home ? resolve(call.options.home) : defaultHomeDir() });
