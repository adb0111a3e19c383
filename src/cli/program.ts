/**
 * The command table as a commander program: parsing, help, and errors in our own form.
 * Relies on commander for everything but the running of commands.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { AlthingError } from '../core/errors.ts';
import type { OptionValues } from './command.ts';
import type { CommandSpec, OptionSpec } from './command-spec.ts';
import { commands, commonOptions } from './command-table.ts';

/** Runs a command that was found in the table. */
export type Dispatch = (spec: CommandSpec, args: readonly string[], options: OptionValues) => Promise<void>;

/** Parses `argv` and dispatches. Throws `bad-option` for what the table does not have, and what the command throws. */
export const runProgram = async (argv: readonly string[], dispatch: Dispatch): Promise<void> => {
  const program = buildProgram(dispatch);
  if (argv.length === 0) {
    program.outputHelp();
    return;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return; // Help or version was shown.
    throw new AlthingError('bad-option', sentenceOf(error), { cause: error });
  }
};

const buildProgram = (dispatch: Dispatch): Command => {
  const program = new Command('althing')
    .description('Peer-to-peer IoT: devices that talk to each other directly.')
    .version(packageVersion(), '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show help for a command')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  addOptions(program, commonOptions);
  for (const spec of commands) addCommand(program, spec, dispatch);
  return program;
};

const addCommand = (program: Command, spec: CommandSpec, dispatch: Dispatch): void => {
  const [first = '', second] = spec.name.split(' ');
  const parent =
    second === undefined ? program : program.commands.find((command) => command.name() === first)!;
  const command = parent
    .command(second ?? first)
    .summary(spec.summary)
    .description(`${spec.summary[0]!.toUpperCase()}${spec.summary.slice(1)}.`);
  for (const [argument, summary] of spec.args) command.argument(argument, summary);
  addOptions(command, spec.options);
  command.action(() => dispatch(spec, command.args, command.optsWithGlobals<OptionValues>()));
};

const addOptions = (command: Command, specs: readonly OptionSpec[]): void => {
  for (const { flags, summary, many } of specs) {
    const option = new Option(flags, summary);
    if (many) option.argParser((value: string, former: string[] = []) => [...former, value]);
    command.addOption(option);
  }
};

const sentenceOf = ({ code, message }: CommanderError): string => {
  if (code === 'commander.help') return 'No command was given.';
  const text = message.replace(/^error: /, '').replace(/\s*\n\s*/g, '. ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}`.replace(/([^.)?])$/, '$1.');
};

const packageVersion = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;
