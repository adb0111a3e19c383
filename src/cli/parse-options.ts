/**
 * Reads options by the command table without commander, for the start of a peer.
 * Relies on Node's own `parseArgs`; gives the names and values that commander would.
 */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { AlthingError } from '../core/errors.ts';
import type { OptionValues } from './command.ts';
import type { OptionSpec } from './command-spec.ts';

/**
 * The options in `argv`, whose only other argument is the command's name.
 * Throws `bad-option` for what the table does not have.
 */
export const parseOptions = (
  argv: readonly string[],
  command: string,
  specs: readonly OptionSpec[],
): OptionValues => {
  const flags = specs.map(({ flags, many }) => {
    const [flag = '', value] = flags.split(' ');
    return { name: flag.slice(2), takesValue: value !== undefined, many: many === true };
  });
  const config: ParseArgsOptionsConfig = Object.fromEntries(
    flags.map(({ name, takesValue, many }) => [
      name,
      { type: takesValue ? 'string' : 'boolean', multiple: many },
    ]),
  );
  const { values, positionals } = parse(argv, config);
  const extra = positionals[0] === command ? positionals[1] : positionals[0];
  if (extra !== undefined)
    throw new AlthingError('bad-option', `"${command}" takes no argument, and "${extra}" is one.`);
  const options: Record<string, unknown> = {};
  for (const { name } of flags) {
    if (name.startsWith('no-')) options[name.slice(3)] = values[name] !== true;
    else if (values[name] !== undefined) options[name] = values[name];
  }
  return options;
};

const parse = (argv: readonly string[], options: ParseArgsOptionsConfig) => {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    // Only the first sentence: the others explain Node's conventions.
    const [said = ''] = (error as Error).message.split('. ');
    throw new AlthingError('bad-option', `${said.replace(/\.$/, '')}.`, { cause: error });
  }
};
