/**
 * Compiled expressions, each text once, and what of the world they need.
 * Relies on `rules/expression.ts`, which is loaded with the first expression that anybody evaluates.
 */
import type { Expression } from '../../rules/expression.ts';

/** An expression, and whether the mere passing of time can change it. */
export interface Compiled {
  readonly expression: Expression;
  readonly usesTime: boolean;
}

/** Those that were used last; a fabric's rules have far fewer. */
const maxKept = 512;
const timeNames = ['now', 'hour', 'minute', 'weekday', 'date', 'time'] as const;
const kept = new Map<string, Compiled>();

/** The expression of a text. Throws `rule-invalid`. */
export const compiled = async (text: string): Promise<Compiled> => {
  const known = kept.get(text);
  if (known) return known;
  const [{ compileExpression }, { readExpression }] = await Promise.all([
    import('../../rules/expression.ts'),
    import('../../rules/expression-syntax.ts'),
  ]);
  const expression = compileExpression(text);
  const { names } = readExpression(text);
  const made = { expression, usesTime: timeNames.some((name) => names.has(name)) };
  if (kept.size >= maxKept) kept.delete(kept.keys().next().value!);
  kept.set(text, made);
  return made;
};
