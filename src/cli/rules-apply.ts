/**
 * `althing rules apply`: makes or changes the rules of a file, all or none, with problems and warnings at their lines.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { RuleNote } from '../core/rule-shapes.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [file = ''], home, out }) => {
  const yaml = file === '-' ? await text(process.stdin) : await textOf(file);
  const shownFile = file === '-' ? 'stdin' : file;
  try {
    const applied = await clientOf(home).rules.apply(yaml);
    out.answer(applied, () =>
      applied
        .flatMap(({ rule, name, result, warnings }) => [
          `${resultWords[result]} ${name} (${rule})`,
          ...warnings.map(
            (note) => `  ${placed(shownFile, { ...note, message: `warning: ${note.message}` })}`,
          ),
        ])
        .join('\n'),
    );
  } catch (thrown) {
    throw out.json ? thrown : withPlaces(toAlthingError(thrown), shownFile);
  }
};

const resultWords = { created: 'created  ', changed: 'changed  ', same: 'unchanged' } as const;

const textOf = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AlthingError('bad-input', `${file} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
};

/** A line that editors and people can follow. */
const placed = (file: string, { line, column, message }: RuleNote): string =>
  `${file}:${line}:${column}: ${message}`;

const withPlaces = (error: AlthingError, file: string): AlthingError => {
  const problems = error.details?.problems as readonly RuleNote[] | undefined;
  if (error.code !== 'rule-invalid' || !problems?.length) return error;
  const lines = problems.map((problem) => placed(file, problem));
  return new AlthingError('rule-invalid', `Nothing was applied.\n${lines.join('\n')}`, { cause: error });
};
