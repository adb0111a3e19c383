/**
 * The `uriVariables` of an affordance (TD 1.1, section 5.3.1.2): turned from text into values, and checked.
 * Relies on DataSchema checkers; what an affordance does not declare is refused.
 */
import { AlthingError } from '../core/errors.ts';
import { type Checker, compileSchema } from './data-schema.ts';
import { copyPlain } from './plain-value.ts';
import type { DataSchema } from './thing-description.ts';

export type UriVariables = Readonly<Record<string, unknown>>;

/** Checked variables out of given ones. Throws `uri-variable-invalid`. */
export type UriVariablesChecker = (given: UriVariables | undefined) => UriVariables;

/** No variables at all: one object, so that the common case allocates nothing. */
export const noUriVariables: UriVariables = Object.freeze({});

/** The checker of a set of declared variables. Throws `td-invalid` for a schema that is none. */
export const compileUriVariables = async (
  declared: Readonly<Record<string, DataSchema>> | undefined,
): Promise<UriVariablesChecker> => {
  const checkers = new Map<string, { schema: DataSchema; check: Checker }>();
  for (const [name, schema] of Object.entries(declared ?? {}))
    checkers.set(name, { schema, check: await compileSchema(schema) });

  return (given) => {
    if (given === undefined || isEmpty(given)) return noUriVariables;
    const checked = Object.entries(given).map(([name, raw]) => {
      const known = checkers.get(name);
      if (!known)
        throw new AlthingError(
          'uri-variable-invalid',
          `There is no URI variable "${name.slice(0, 100)}"${checkers.size === 0 ? '' : `, only ${[...checkers.keys()].join(', ')}`}.`,
        );
      return [name, checkOne(name, raw, known.schema, known.check)] as const;
    });
    return Object.fromEntries(checked);
  };
};

/**
 * The variables given for one use of an affordance as values: text becomes a number, boolean or null where the schema
 * says so. Throws `uri-variable-invalid` for unknown names and values that do not fit, `td-invalid`.
 */
export const checkUriVariables = async (
  affordance: { readonly uriVariables?: Readonly<Record<string, DataSchema>> },
  given: UriVariables | undefined,
): Promise<UriVariables> => (await compileUriVariables(affordance.uriVariables))(given);

const checkOne = (name: string, raw: unknown, schema: DataSchema, check: Checker): unknown => {
  let problem: string | undefined;
  try {
    const value = typeof raw === 'string' ? valueOfText(raw, schema.type) : copyPlain(raw);
    problem = check(value);
    if (problem === undefined) return value;
  } catch (thrown) {
    problem = (thrown as Error).message;
  }
  throw new AlthingError('uri-variable-invalid', `The URI variable "${name}" does not fit: ${problem}.`);
};

/** Text as the type that the schema names; as it is where it names none or the text says something else. */
const valueOfText = (text: string, type: unknown): unknown => {
  if (type === 'integer' || type === 'number') {
    const number = Number(text);
    return text.trim() !== '' && Number.isFinite(number) ? number : text;
  }
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (type === 'null') return text === 'null' ? null : text;
  return text;
};

const isEmpty = (object: object): boolean => {
  for (const _ in object) return false;
  return true;
};
