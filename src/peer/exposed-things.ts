/**
 * The Things that this peer exposes: their names, which last, and their TDs, which the fabric learns.
 * Relies on the local notes for names and on the replica for telling; the Things themselves are `thing/`'s.
 */
import { AlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId, slugOf, thingIdOf } from '../core/ids.ts';
import { recordValue } from '../replica/record.ts';
import type { Draft, Replica } from '../replica/replica.ts';
import type { LocalNotes } from '../store/local-notes.ts';
import { completeTd } from '../thing/complete-td.ts';
import type { ExposedThing } from '../thing/exposed-thing.ts';
import type { PartialThingDescription, ThingDescription } from '../thing/thing-description.ts';

/** Things that one peer may expose at once. */
const maxThings = 10_000;
const notePrefix = 'thing-name/';
/** A number must fit into a name behind it. */
const maxSlugBeforeNumber = 56;

export interface ExposedThingsOptions {
  readonly self: PeerId;
  readonly notes: LocalNotes;
  /** The replica of the fabric that the peer is in now. */
  readonly replica: () => Replica;
  /** Checks a TD; loads the validator when first called. */
  readonly validate: (td: unknown) => Promise<void>;
  readonly changed: (kind: 'thing-exposed' | 'thing-gone', id: string) => void;
}

interface Exposed {
  readonly thing: ExposedThing;
  readonly td: ThingDescription;
  readonly identity: string;
}

/** The note that holds the name of the Thing with this identity. */
export const thingNameKey = (identity: string): string => notePrefix + identity;

/** The identity of a Thing among those that have one already: its own id, else its title, numbered where it is taken. */
export const identityOf = (
  td: { readonly id?: unknown; readonly title?: unknown },
  taken: { has(identity: string): boolean },
): string => {
  const own = typeof td.id === 'string' && td.id !== '' ? td.id : undefined;
  const base = (own ? `id:${own}` : `title:${td.title}`).slice(0, 200);
  let identity = base;
  for (let number = 2; taken.has(identity); number++) identity = `${base}#${number}`;
  return identity;
};

/** What is exposed here, now. */
export class ExposedThings {
  readonly #options: ExposedThingsOptions;
  readonly #byId = new Map<string, Exposed>();
  /** Who is exposed or about to be. */
  readonly #identities = new Set<string>();
  /** Every name that was ever given here. */
  #taken: Set<unknown> | undefined;

  constructor(options: ExposedThingsOptions) {
    this.#options = options;
  }

  /** The Thing that answers under this id, or undefined. */
  get(id: string): ExposedThing | undefined {
    return this.#byId.get(id)?.thing;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /**
   * Gives a Thing its lasting name, checks its TD and tells the fabric; resolves with the whole TD.
   * `trusted` skips the check, for TDs that this program made and tests. Throws `td-invalid`, `too-many`, the store's codes.
   */
  async expose(
    thing: ExposedThing,
    partial: PartialThingDescription,
    options: { trusted?: boolean } = {},
  ): Promise<ThingDescription> {
    if (this.#byId.size >= maxThings)
      throw new AlthingError('too-many', `A peer exposes at most ${maxThings} Things.`);
    if (typeof partial.title !== 'string' || partial.title === '')
      throw new AlthingError('td-invalid', 'A Thing Description needs a title.');
    const { self } = this.#options;
    const identity = identityOf(partial, this.#identities);
    const name = this.#nameFor(identity, partial.title);
    // Taken before anything is waited for: others may be exposed in the same moment.
    this.#identities.add(identity);
    const id = thingIdOf(self, name);
    try {
      const td = completeTd(partial, { id, peer: self, name });
      if (!options.trusted) await this.#options.validate(td);
      const { notes } = this.#options;
      // A Thing that was here before needs no disk, which may be full just now.
      if (notes.get(thingNameKey(identity)) !== name) await notes.set(thingNameKey(identity), name);
      this.#byId.set(id, { thing, td, identity });
      await this.#tell([id]);
      this.#options.changed('thing-exposed', id);
      return td;
    } catch (error) {
      this.#byId.delete(id);
      this.#identities.delete(identity);
      if (this.#options.notes.get(thingNameKey(identity)) === undefined) this.#taken?.delete(name);
      throw error;
    }
  }

  /** The Thing is gone for good: the fabric forgets it, its name stays reserved for it here. */
  async retract(thing: ExposedThing): Promise<void> {
    for (const [id, exposed] of this.#byId) {
      if (exposed.thing !== thing) continue;
      this.#byId.delete(id);
      this.#identities.delete(exposed.identity);
      await this.#options.replica().write(() => this.#deletion(id));
      this.#options.changed('thing-gone', id);
    }
  }

  /** Writes the records of what is exposed, where they say something else or nothing yet. */
  publish(): Promise<void> {
    return this.#tell(this.#byId.keys());
  }

  /** Makes the fabric forget Things of this peer that nothing exposes any more. */
  async forgetOthers(): Promise<void> {
    await this.#options.replica().write(() =>
      this.#options
        .replica()
        .list('thing')
        .filter(({ key }) => parseThingId(key)?.peer === this.#options.self && !this.#byId.has(key))
        .flatMap(({ key }) => this.#deletion(key)),
    );
  }

  async #tell(ids: Iterable<string>): Promise<void> {
    const replica = this.#options.replica();
    await replica.write(() => {
      const drafts: Draft[] = [];
      for (const id of ids) {
        const exposed = this.#byId.get(id);
        if (!exposed) continue;
        const value = { td: JSON.stringify(exposed.td) };
        const known = replica.get('thing', id);
        if (known && (recordValue(known) as { td?: unknown }).td === value.td) continue;
        drafts.push({ collection: 'thing', key: id, value });
      }
      return drafts;
    });
  }

  #deletion(id: string): Draft[] {
    if (!this.#options.replica().get('thing', id)) return [];
    return [{ collection: 'thing', key: id, value: null, deleted: true }];
  }

  #nameFor(identity: string, title: string): string {
    const known = this.#options.notes.get(thingNameKey(identity));
    if (typeof known === 'string') return known;
    // Read once: with thousands of Things, reading all the names for each would take minutes.
    this.#taken ??= new Set(this.#options.notes.list(notePrefix).values());
    const taken = this.#taken;
    const slug = slugOf(title);
    let name = slug;
    for (let number = 2; taken.has(name); number++)
      name = `${slug.slice(0, maxSlugBeforeNumber).replace(/-+$/, '')}-${number}`;
    taken.add(name);
    return name;
  }
}
