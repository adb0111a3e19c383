/**
 * What makes a Thing the same one when it is exposed again: the id that its program gave it, else its title.
 * Relies on TDs alone, so that it can be told of Things that another run, or another device, exposed.
 */
import { parseThingId } from '../core/ids.ts';
import { recordValue, type SignedRecord } from '../replica/record.ts';

const notePrefix = 'thing-name/';
const maxIdentityLength = 200;

/** The note that holds the name of the Thing with this identity. */
export const thingNameKey = (identity: string): string => notePrefix + identity;
/** What the keys of all such notes begin with. */
export const thingNamePrefix: string = notePrefix;

/** The identity of a Thing among those that have one already: its own id, else its title, numbered where it is taken. */
export const identityOf = (
  td: { readonly id?: unknown; readonly title?: unknown },
  taken: { has(identity: string): boolean },
): string => {
  const own = typeof td.id === 'string' && td.id !== '' ? td.id : undefined;
  const base = (own ? `id:${own}` : `title:${td.title}`).slice(0, maxIdentityLength);
  let identity = base;
  for (let number = 2; taken.has(identity); number++) identity = `${base}#${number}`;
  return identity;
};

/** A Thing as a record tells it. */
export interface IdentifiedThing {
  readonly id: string;
  readonly name: string;
  readonly identity: string;
}

/** The identities of the Things that one peer exposed, out of their `thing` records; what is no TD is left out. */
export const identitiesOf = (records: readonly SignedRecord[]): IdentifiedThing[] => {
  const things = records
    .flatMap((record) => {
      const name = parseThingId(record.key)?.name;
      const td = tdOf(record);
      return name !== undefined && td ? [{ id: record.key, name, td }] : [];
    })
    // Of several with one title the first exposed has the plain name, and the shorter number comes before the longer.
    .sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  const identities = new Set<string>();
  return things.map(({ id, name, td }) => {
    const identity = identityOf({ id: td['althing:originalId'], title: td.title }, identities);
    identities.add(identity);
    return { id, name, identity };
  });
};

const tdOf = (record: SignedRecord): Record<string, unknown> | undefined => {
  const text = (recordValue(record) as { td?: unknown } | null)?.td;
  if (typeof text !== 'string') return undefined;
  try {
    const td: unknown = JSON.parse(text);
    return typeof td === 'object' && td !== null ? (td as Record<string, unknown>) : undefined;
  } catch {
    // The record holds no TD: whoever wrote it exposed nothing by it.
    return undefined;
  }
};
