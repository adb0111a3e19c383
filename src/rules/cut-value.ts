/**
 * Values as traces keep them: whole where they are small, else the beginning of their text.
 * Relies on values being plain data.
 */

/** What a kept value may have, as JSON, and what is left of one that has more. */
const maxLength = 2048;
const shownLength = 200;

/** The value, or the beginning of its JSON text where that is longer than 2048 characters. */
export const cutValue = (value: unknown): unknown => {
  if (typeof value !== 'object' && typeof value !== 'string') return value;
  if (value === null || (typeof value === 'string' && value.length <= maxLength)) return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.length <= maxLength) return value;
  return `${text.slice(0, shownLength).toWellFormed()}… (${text.length} characters)`;
};
