/**
 * What a rule's conditions come to together.
 * Relies on nothing that evaluates them, so that a rule without conditions loads no language.
 */
import type { Evaluation } from './expression.ts';

/** All of a rule's conditions: false if one is, else unknown if one is (an error counts as unknown), else true. */
export const allHold = (evaluations: readonly Evaluation[]): boolean | 'unknown' => {
  let outcome: boolean | 'unknown' = true;
  for (const evaluation of evaluations) {
    if (evaluation.kind === 'value' && evaluation.value === false) return false;
    if (evaluation.kind !== 'value' || evaluation.value !== true) outcome = 'unknown';
  }
  return outcome;
};
