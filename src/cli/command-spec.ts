/**
 * What the table says of a command: arguments, options, and where its own file is.
 * Relies on nothing at load time.
 */
import type { RunCommand } from './command.ts';

/** An option as help shows it: `--name <name>`, `--no-mdns`. */
export interface OptionSpec {
  readonly flags: string;
  readonly summary: string;
  /** May be given several times. */
  readonly many?: true;
}

/** A command. `name` holds a blank where it is a command of a command. */
export interface CommandSpec {
  readonly name: string;
  readonly args: readonly (readonly [argument: string, summary: string])[];
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly load: () => Promise<{ run: RunCommand }>;
}
