/**
 * What was last known of a Thing, for while its device sleeps: the values in its `shadow` record with their ages.
 * Relies on the replica alone, so it answers with everybody else out of reach.
 */
import type { ShadowInfo } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import { isRestricted } from '../fabric/access.ts';
import type { Replica } from '../replica/replica.ts';
import { typesOf } from '../thing/thing-filter.ts';
import type { Directory } from './directory.ts';
import { readShadow } from './shadow-values.ts';

/** The last known values of a Thing by its id. Throws `thing-unknown`, and `value-unknown` where there are none. */
export const lastKnown = (
  { directory, replica }: { readonly directory: Directory; readonly replica: Replica },
  thing: string,
  nowMs: number,
): ShadowInfo => {
  const td = directory.byId(thing);
  if (!td) throw new AlthingError('thing-unknown', `No Thing has the id "${thing}".`);
  const { authority, self } = replica;
  if (isRestricted(authority, { id: thing, types: typesOf(td) }))
    throw new AlthingError(
      'value-unknown',
      `"${td.title}" is restricted: what it last said is told to nobody.`,
    );
  const role = authority.members.get(self)?.role;
  // What a guest may still have from better days is not the last that was known.
  const record = role === 'admin' || role === 'member' ? replica.get('shadow', thing) : undefined;
  if (!record)
    throw new AlthingError('value-unknown', `Nothing is known here of the values of "${td.title}".`);
  const { known, omitted } = readShadow(record);
  const properties = [...known].map(([name, { value, timeMs }]) => {
    const time = new Date(timeMs).toISOString();
    return [name, { value, time, ageMs: Math.max(0, nowMs - timeMs) }] as const;
  });
  return { thing, properties: Object.fromEntries(properties), omitted: [...omitted] };
};
