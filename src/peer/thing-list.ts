/**
 * The Things of the running fabric as `althing things` shows them: where each is, and whether it can be used now.
 * Relies on the run for all of it; changes nothing.
 */
import type { ThingInfo } from '../core/api-shapes.ts';
import type { ThingFilter } from '../thing/scripting-api.ts';
import { typesOf } from '../thing/thing-filter.ts';
import type { FabricRun } from './fabric-run.ts';

/** Every Thing that matches, in the order of their titles. `isExposed`: whether one of this peer's is exposed now. */
export const thingList = (
  { directory, supervisor, replica }: FabricRun,
  isExposed: (id: string) => boolean,
  filter?: ThingFilter,
): ThingInfo[] =>
  directory.find(filter).map((td) => {
    const peer = directory.speakerOf(td);
    // What its device never exposed, but the one whose place it took, is there to be removed or exposed again.
    const isSpokenFor = replica.get('thing', td.id)?.authorId === peer;
    const unknown = supervisor.seeks(peer) ? false : null;
    const online = peer === replica.self ? isExposed(td.id) : supervisor.session(peer) ? true : unknown;
    return {
      id: td.id,
      title: td.title,
      types: typesOf(td),
      peer,
      online: isSpokenFor && online,
      ...directory.labels.of(td.id),
    };
  });
