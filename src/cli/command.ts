/**
 * What a command is to the program: its parsed options, one call of it, the function that each command's file exports.
 * Relies on the output alone, so that commands and their table need not know each other.
 */
import type { Output } from './output.ts';

/** The options of all commands together, as they come out of parsing. */
export interface OptionValues {
  readonly home?: string;
  readonly json?: boolean;
  readonly name?: string;
  readonly things?: readonly string[];
  readonly listen?: string;
  readonly http?: string;
  readonly mdns?: boolean;
  readonly bootstrap?: readonly string[];
  readonly system?: boolean;
  readonly fabric?: string;
  readonly scope?: string;
  readonly role?: string;
  readonly uses?: string;
  readonly expires?: string;
  readonly type?: string;
  readonly room?: string;
  readonly wait?: boolean;
  readonly once?: boolean;
  readonly last?: boolean;
  readonly all?: boolean;
  readonly ops?: string;
  readonly affordances?: string;
  readonly from?: string;
  readonly for?: string;
  readonly off?: boolean;
  readonly before?: string;
  readonly with?: string;
  readonly replaces?: string;
  readonly keep?: readonly string[];
  readonly revoke?: readonly string[];
  readonly yes?: boolean;
  readonly input?: string;
  readonly trigger?: string;
  readonly limit?: string;
  readonly follow?: boolean;
  readonly zone?: string;
  readonly latitude?: string;
  readonly longitude?: string;
}

/** One call of a command. */
export interface CommandCall {
  /** In the order of the table; optional ones may be missing. */
  readonly args: readonly string[];
  readonly options: OptionValues;
  /** The peer's home, absolute. */
  readonly home: string;
  readonly out: Output;
}

/** What each command's file exports as `run`. Throws an AlthingError where the command fails. */
export type RunCommand = (call: CommandCall) => Promise<void>;
