/**
 * The JSON Schema of rules in YAML, for editors: `docs/rule.schema.json` is this, written out.
 * Relies on `rule-shape.ts`, so that editor and reader never differ.
 */
import { ruleShape } from './rule-shape.ts';
import { jsonSchemaOf } from './shape.ts';

/** A rule in YAML as JSON Schema (2020-12). */
export const ruleJsonSchema = (): object => {
  const definitions: Record<string, object> = {};
  const rule = jsonSchemaOf(ruleShape, definitions);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Rule of Althing',
    ...rule,
    $defs: definitions,
  };
};
