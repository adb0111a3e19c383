/**
 * Lists on the command line: names by commas, and the operations that a permission allows.
 * Relies on nothing but the error class.
 */
import { AlthingError } from '../core/errors.ts';
import type { GrantOperation } from '../core/governance-shapes.ts';

type ShareOperation = Exclude<GrantOperation, 'rule'>;

const shared: readonly string[] = ['read', 'write', 'invoke', 'subscribe'];
const granted: readonly string[] = [...shared, 'rule'];

/** The names in a text, which commas part. */
export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** The operations in a text that a grant can allow. Throws `bad-option`. */
export const operationsOf = (text: string): GrantOperation[] => someOf(granted, text) as GrantOperation[];

/** The operations in a text that can be shared. Throws `bad-option`. */
export const sharedOperationsOf = (text: string): ShareOperation[] =>
  someOf(shared, text) as ShareOperation[];

const someOf = (operations: readonly string[], text: string): string[] => {
  const list = listOf(text);
  const wrong = list.find((one) => !operations.includes(one));
  if (wrong !== undefined || list.length === 0)
    throw new AlthingError(
      'bad-option',
      `--ops takes some of ${operations.join(',')}, not "${wrong ?? text}".`,
    );
  return list;
};
