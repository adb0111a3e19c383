/**
 * The names of this peer's Things out of its own records, for a home whose notes of them were lost.
 * Relies on the records having come back from the other members.
 */
import { parseThingId } from '../core/ids.ts';
import { recordValue } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import { type LocalNotes, noteChange } from '../store/local-notes.ts';
import { identityOf, thingNameKey } from './exposed-things.ts';

/** Notes the names that the peer's own Things have, where none is noted: they keep their ids when exposed again. */
export const recallNames = async (replica: Replica, notes: LocalNotes): Promise<void> => {
  const own = replica
    .list('thing')
    .flatMap((record) => {
      const id = parseThingId(record.key);
      return id?.peer === replica.self ? [{ name: id.name, td: tdOf(recordValue(record)) }] : [];
    })
    // Of several with one title the first exposed has the plain name, and the shorter number comes before the longer.
    .sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  const identities = new Set<string>();
  const changes = own.flatMap(({ name, td }) => {
    const identity = identityOf({ id: td['althing:originalId'], title: td.title }, identities);
    identities.add(identity);
    const key = thingNameKey(identity);
    return notes.get(key) === undefined ? [noteChange(key, name)] : [];
  });
  if (changes.length > 0) await notes.commit(changes);
};

const tdOf = (value: unknown): Record<string, unknown> =>
  JSON.parse((value as { td: string }).td) as Record<string, unknown>;
