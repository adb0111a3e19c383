/**
 * The Things of those whose place this peer took: which of their ids a Thing that is exposed here answers to.
 * Relies on what the records say of them; computed when it is asked for, and again after they have changed.
 */
import { type PeerId, parseThingId } from '../core/ids.ts';
import type { SignedRecord } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import { type IdentifiedThing, identitiesOf } from './thing-identity.ts';

/** What is there to be taken over, and what has been. */
export class InheritedThings {
  readonly #replica: () => Replica;
  readonly #claimed = new Set<string>();
  #things: readonly IdentifiedThing[] | undefined;

  constructor(replica: () => Replica) {
    this.#replica = replica;
  }

  /** Records have come that may say something else: what was computed is computed again. */
  forget(): void {
    this.#things = undefined;
  }

  /** Takes the id of the Thing with this identity, or else with this name; undefined where none is left of either. */
  claim(identity: string, name: string): string | undefined {
    const free = this.#all().filter(({ id }) => !this.#claimed.has(id));
    const found =
      free.find((thing) => thing.identity === identity) ?? free.find((thing) => thing.name === name);
    if (found) this.#claimed.add(found.id);
    return found?.id;
  }

  /** The id may be taken again. */
  release(id: string): void {
    this.#claimed.delete(id);
  }

  #all(): readonly IdentifiedThing[] {
    this.#things ??= inheritedBy(this.#replica());
    return this.#things;
  }
}

const inheritedBy = (replica: Replica): IdentifiedThing[] => {
  const { self, authority } = replica;
  const predecessors = authority.predecessorsOf(self);
  if (predecessors.length === 0) return [];
  const records = new Map<PeerId, SignedRecord[]>(predecessors.map((peer) => [peer, []]));
  for (const record of replica.list('thing')) records.get(parseThingId(record.key)?.peer ?? '')?.push(record);
  return [...records.values()].flatMap(identitiesOf);
};
