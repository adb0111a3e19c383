/**
 * The names of this peer's Things out of its own records, for a home whose notes of them were lost.
 * Relies on the records having come back from the other members.
 */
import { parseThingId } from '../core/ids.ts';
import type { Replica } from '../replica/replica.ts';
import { type LocalNotes, noteChange } from '../store/local-notes.ts';
import { identitiesOf, thingNameKey } from './thing-identity.ts';

/** Notes the names that the peer's own Things have, where none is noted: they keep their ids when exposed again. */
export const recallNames = async (replica: Replica, notes: LocalNotes): Promise<void> => {
  const own = replica.list('thing').filter(({ key }) => parseThingId(key)?.peer === replica.self);
  const changes = identitiesOf(own).flatMap(({ name, identity }) => {
    const key = thingNameKey(identity);
    return notes.get(key) === undefined ? [noteChange(key, name)] : [];
  });
  if (changes.length > 0) await notes.commit(changes);
};
