/**
 * The Things that this peer knows of as `althing things` shows them: where each is, and whether it can be used now.
 * Relies on the directory for what there is; changes nothing.
 */
import type { ThingInfo } from '../core/api-shapes.ts';
import type { ThingFilter } from '../thing/scripting-api.ts';
import { typesOf } from '../thing/thing-filter.ts';
import type { Directory, ListedThing } from './directory.ts';

/**
 * Every Thing that matches, in the order of their titles. `isOnline`: whether it can be used now; null
 * where that is not known.
 */
export const thingList = (
  directory: Directory,
  isOnline: (thing: ListedThing) => boolean | null,
  filter?: ThingFilter,
): ThingInfo[] =>
  directory.listed(filter).map((thing) => {
    const { td, peer } = thing;
    return {
      id: td.id,
      title: td.title,
      types: typesOf(td),
      peer,
      online: isOnline(thing),
      ...directory.labels.of(td.id),
    };
  });
