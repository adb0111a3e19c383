/**
 * The JSON Schema engine (draft-07, as TD 1.1 uses it), loaded the first time that something is validated.
 * Relies on `ajv` and `ajv-formats`; a peer that validates nothing never pays for them.
 */
import type { Ajv, ErrorObject } from 'ajv';

let loading: Promise<(allErrors: boolean) => Ajv> | undefined;

/** A new engine: `allErrors` finds every problem instead of the first. Unknown terms and formats are ignored. */
export const newEngine = async (options: { allErrors: boolean }): Promise<Ajv> => {
  loading ??= load();
  return (await loading)(options.allErrors);
};

const load = async () => {
  const [{ Ajv }, formats] = await Promise.all([import('ajv'), import('ajv-formats')]);
  return (allErrors: boolean): Ajv => {
    const engine = new Ajv({
      allErrors,
      strict: false,
      logger: false,
      ownProperties: true,
      // Steps such as 0.1 are not exact in binary: 0.3 is a multiple of it to people.
      multipleOfPrecision: 8,
    });
    formats.default.default(engine);
    return engine;
  };
};

/** What the engine found, in a few words: `must be >= 0`, `must be one of "a", "b"`. */
export const describeProblem = (error: ErrorObject): string => {
  if (error.keyword === 'enum') return `must be one of ${listOf(error.params.allowedValues)}`;
  if (error.keyword === 'const') return `must be ${short(error.params.allowedValue)}`;
  if (error.keyword === 'additionalProperties')
    return `must not have ${short(error.params.additionalProperty)}`;
  return (error.message ?? `breaks "${error.keyword}"`).slice(0, 200);
};

const listOf = (values: unknown): string =>
  Array.isArray(values) ? values.slice(0, 12).map(short).join(', ') : short(values);

const short = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
};
