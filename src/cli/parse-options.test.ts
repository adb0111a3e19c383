/**
 * The promise that the short way to `up` reads options exactly as commander does.
 * Relies on the command table, which both read.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import type { OptionValues } from './command.ts';
import { commandNamed, commonOptions } from './command-table.ts';
import { parseOptions } from './parse-options.ts';
import { runProgram } from './program.ts';

const specs = [...commonOptions, ...commandNamed('up').options];

const byCommander = async (argv: readonly string[]): Promise<OptionValues> => {
  let seen: OptionValues | undefined;
  await runProgram(argv, async (_spec, _args, options) => {
    seen = options;
  });
  assert.ok(seen);
  return seen;
};

for (const argv of [
  ['up'],
  ['up', '--json', '--home', '/tmp/x', '--name', 'hall'],
  ['--home=/tmp/x', '--json', 'up', '--no-mdns', '--no-system'],
  ['up', '--things', 'a.js', '--things', 'b.js', '--bootstrap', '127.0.0.1:1', '--listen=127.0.0.1:0'],
  ['--json', 'up', '--http', '127.0.0.1:0', '--things=a b.js'],
])
  test(`"${argv.join(' ')}" means the same both ways`, async () => {
    assert.deepEqual(parseOptions(argv, 'up', specs), { ...(await byCommander(argv)) });
  });

for (const argv of [
  ['up', '--nonsense'],
  ['up', '--name'],
  ['up', 'x'],
  ['up', '--json=1'],
])
  test(`"${argv.join(' ')}" is refused both ways`, async () => {
    const isBadOption = (error: unknown) => error instanceof AlthingError && error.code === 'bad-option';
    assert.throws(() => parseOptions(argv, 'up', specs), isBadOption);
    await assert.rejects(byCommander(argv), isBadOption);
  });
