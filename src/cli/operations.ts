/**
 * Lists on the command line: names by commas, and the operations that a permission allows.
 * Relies on nothing but the error class.
 */
import { AlthingError } from '../core/errors.ts';
import type { GrantOperation } from '../core/governance-shapes.ts';

const operations: readonly string[] = ['read', 'write', 'invoke', 'subscribe'];

/** The names in a text, which commas part. */
export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** The operations in a text. Throws `bad-option`. */
export const operationsOf = (text: string): GrantOperation[] => {
  const list = listOf(text);
  const wrong = list.find((one) => !operations.includes(one));
  if (wrong !== undefined || list.length === 0)
    throw new AlthingError(
      'bad-option',
      `--ops takes some of ${operations.join(',')}, not "${wrong ?? text}".`,
    );
  return list as GrantOperation[];
};
