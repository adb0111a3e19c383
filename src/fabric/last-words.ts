/**
 * Statements of which the latest about a subject counts, and how late it is: roles, restrictions, replacements.
 * Relies on stamps alone, so whoever says something anew must stamp it above what was said before.
 */
import { toHex } from '../core/bytes.ts';
import type { ControlRecord, Statement } from './control.ts';

/** Names what a statement is about where the latest about it counts; undefined for all others. */
export const subjectOf = (statement: Statement | null): string | undefined => {
  switch (statement?.type) {
    case 'role':
      return `role/${toHex(statement.peer)}`;
    case 'restriction':
      return `restriction/${statement.thing}`;
    case 'replacement':
      return `replacement/${toHex(statement.old)}`;
    default:
      return undefined;
  }
};

/** The stamp of the latest word about each subject. `spoken`: what counts as an admin's word, sorted. */
export const lastWords = (spoken: readonly ControlRecord[]): Map<string, number> => {
  const words = new Map<string, number>();
  for (const { statement, hlc } of spoken) {
    const subject = subjectOf(statement);
    if (subject !== undefined) words.set(subject, hlc);
  }
  return words;
};
