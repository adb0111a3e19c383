/**
 * Whether a Thing Description is what `discover` looks for (Scripting API, ThingFilter).
 * Relies on the TD's shape alone; the room comes from outside, since labels are not part of a TD.
 */
import { isPlainObject } from './plain-value.ts';
import type { ThingFilter } from './scripting-api.ts';
import type { ThingDescription } from './thing-description.ts';

/**
 * Whether every given member of the filter matches. A fragment matches where each of its members is in the TD: equal,
 * or, for objects and lists, contained; a string also matches a list that has it and an object that has a member of
 * that name (`properties: 'on'`). `query` ignores case.
 */
export const matchesFilter = (
  td: ThingDescription,
  filter: ThingFilter,
  labels: { readonly room?: string } = {},
): boolean => {
  if (filter.type !== undefined && !typesOf(td).includes(filter.type)) return false;
  if (filter.room !== undefined && filter.room !== labels.room) return false;
  if (filter.query !== undefined && !mentions(td, filter.query)) return false;
  return filter.fragment === undefined || contains(td, filter.fragment);
};

/** The `@type`s of a TD, as a list. */
export const typesOf = (td: { readonly '@type'?: string | string[] }): string[] => {
  const types = td['@type'];
  return types === undefined ? [] : Array.isArray(types) ? types : [types];
};

const mentions = (td: ThingDescription, query: string): boolean => {
  const wanted = query.trim().toLowerCase();
  return [td.id, td.title, ...typesOf(td)].some((text) => text.toLowerCase().includes(wanted));
};

/** Goes no deeper than the TD, whose depth is limited, however deep a fragment is: lists of lists never match. */
const contains = (actual: unknown, wanted: unknown): boolean => {
  if (Array.isArray(wanted)) return wanted.every((part) => !Array.isArray(part) && contains(actual, part));
  if (Array.isArray(actual)) return actual.some((part) => contains(part, wanted));
  if (typeof wanted === 'string' && isPlainObject(actual)) return Object.hasOwn(actual, wanted);
  if (!isPlainObject(wanted)) return actual === wanted;
  return (
    isPlainObject(actual) &&
    Object.entries(wanted).every(
      ([name, part]) => Object.hasOwn(actual, name) && contains(actual[name], part),
    )
  );
};
