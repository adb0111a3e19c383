/**
 * Validation of Thing Descriptions against TD 1.1: the W3C's JSON Schema, and what it misses.
 * Relies on the JSON Schema engine and on the schema out of `wot-thing-description-types`, loaded on first use.
 */
import type { ErrorObject, ValidateFunction } from 'ajv';
import { utf8 } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import { duplicateKeys } from './duplicate-keys.ts';
import { describeProblem, newEngine } from './json-schema-engine.ts';
import { copyPlain, isPlainObject } from './plain-value.ts';
import { inconsistencies, type TdProblem } from './td-consistency.ts';

/** Largest TD, in bytes of JSON: it has to fit into one record. */
export const maxTdBytes = 60 * 1024;

/** Longest text that is read as a TD, its white space included. */
const maxTextLength = 4 * maxTdBytes;
const maxProblems = 5;
let validator: Promise<ValidateFunction> | undefined;

/**
 * Checks a whole TD (forms included). Throws `td-invalid`: the message names the first problem and where it is (RFC
 * 6901), `details.problems` has up to five as { pointer, problem }.
 */
export const validateTd = async (td: unknown): Promise<void> => {
  const problems = await problemsOf(td);
  if (problems.length > 0) throw invalid(problems, titleOf(td));
};

/**
 * A TD out of its JSON text, checked as `validateTd` does, and refused where an object has a member twice (two
 * affordances or security definitions of one name). Throws `td-invalid`.
 */
export const parseTd = async (text: string): Promise<Readonly<Record<string, unknown>>> => {
  if (text.length > maxTextLength)
    throw new AlthingError(
      'td-invalid',
      `The text has ${text.length} characters, a Thing Description at most ${maxTextLength}.`,
    );
  let td: unknown;
  try {
    td = JSON.parse(text);
  } catch (error) {
    throw new AlthingError('td-invalid', `The Thing Description is not JSON: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  const repeated = duplicateKeys(text, maxProblems);
  if (repeated.length > 0)
    throw invalid(
      repeated.map((pointer) => ({ pointer, problem: 'is there twice' })),
      titleOf(td),
    );
  await validateTd(td);
  return td as Readonly<Record<string, unknown>>;
};

const problemsOf = async (td: unknown): Promise<TdProblem[]> => {
  if (!isPlainObject(td)) return [{ pointer: '', problem: 'must be an object' }];
  try {
    copyPlain(td);
  } catch (error) {
    return [{ pointer: '', problem: `is not plain data: ${(error as Error).message}` }];
  }
  const sizeBytes = utf8(JSON.stringify(td)).length;
  if (sizeBytes > maxTdBytes)
    return [{ pointer: '', problem: `has ${sizeBytes} bytes as JSON, at most ${maxTdBytes} are allowed` }];
  const found = inconsistencies(td);
  validator ??= loadValidator();
  const validate = await validator;
  if (!validate(td)) found.push(...describe(validate.errors!));
  return found.slice(0, maxProblems);
};

const loadValidator = async (): Promise<ValidateFunction> => {
  const [engine, { default: schema }] = await Promise.all([
    newEngine({ allErrors: true }),
    import('wot-thing-description-types/schema/td-json-schema-validation.json', { with: { type: 'json' } }),
  ]);
  return engine.compile(schema);
};

/** One problem a place: of alternatives that all failed, what each of them wanted says less than that none fits. */
const describe = (errors: ErrorObject[]): TdProblem[] => {
  const undecided = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf');
  const places = new Set(undecided.map(({ instancePath }) => instancePath));
  const told = errors.filter((error) => !places.has(error.instancePath));
  const problems = new Map<string, TdProblem>();
  const tell = (pointer: string, problem: string) => {
    if (!problems.has(pointer)) problems.set(pointer, { pointer, problem });
  };
  for (const error of told) tell(error.instancePath, describeProblem(error));
  for (const { instancePath } of undecided) {
    const explained = told.some((error) => error.instancePath.startsWith(`${instancePath}/`));
    const listed = errors.find((error) => error.instancePath === instancePath && error.keyword === 'enum');
    if (!explained) tell(instancePath, listed ? describeProblem(listed) : expectationOf(instancePath));
  }
  return [...problems.values()];
};

const expectationOf = (pointer: string): string =>
  pointer === '/@context'
    ? 'must be "https://www.w3.org/2022/wot/td/v1.1", or a list that begins with it'
    : 'has none of the forms that TD 1.1 allows here';

const invalid = (problems: TdProblem[], title: string): AlthingError => {
  const { pointer, problem } = problems[0]!;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  const place = pointer === '' ? 'it' : `at ${pointer.slice(0, 200)}: it`;
  return new AlthingError(
    'td-invalid',
    `The Thing Description${title} is not valid: ${place} ${problem}${more}.`,
    { details: { problems } },
  );
};

const titleOf = (td: unknown): string =>
  isPlainObject(td) && typeof td.title === 'string' ? ` of "${td.title.slice(0, 60)}"` : '';
