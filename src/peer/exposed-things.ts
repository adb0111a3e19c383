/**
 * The Things that this peer exposes: their names, which last, and their TDs, which the fabric learns.
 * Relies on the local notes for names and on the replica for telling; the Things themselves are `thing/`'s.
 */
import { AlthingError, isDiskFailure, toAlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId, slugOf, thingIdOf } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { ScopedThing } from '../fabric/scope.ts';
import type { Draft } from '../replica/draft.ts';
import { recordValue } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import type { ReplicaChange } from '../replica/replica-change.ts';
import type { LocalNotes } from '../store/local-notes.ts';
import { completeTd } from '../thing/complete-td.ts';
import type { ExposedThing } from '../thing/exposed-thing.ts';
import type { PartialThingDescription, ThingDescription } from '../thing/thing-description.ts';
import { typesOf } from '../thing/thing-filter.ts';
import { InheritedThings } from './inherited-things.ts';
import { identityOf, thingNameKey, thingNamePrefix } from './thing-identity.ts';
import { ThingShadows } from './thing-shadows.ts';

/** Things that one peer may expose at once. */
const maxThings = 10_000;
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
  /** Milliseconds since 1970, for the times of values. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** A Thing that is exposed here. */
export interface ServedThing {
  readonly thing: ExposedThing;
  readonly td: ThingDescription;
  /** The Thing as permissions see it. */
  readonly scoped: ScopedThing;
}

interface Exposed extends ServedThing {
  readonly identity: string;
  /** What it is called among this peer's own. */
  readonly name: string;
}

const scopedOf = (td: ThingDescription): ScopedThing => ({ id: td.id, types: typesOf(td) });

/** What is exposed here, now. */
export class ExposedThings {
  readonly #options: ExposedThingsOptions;
  readonly #byId = new Map<string, Exposed>();
  /** Who is exposed or about to be. */
  readonly #identities = new Set<string>();
  readonly #inherited: InheritedThings;
  readonly #shadows: ThingShadows;
  /** Every name that was ever given here. */
  #taken: Set<unknown> | undefined;

  constructor(options: ExposedThingsOptions) {
    this.#options = options;
    const { replica, now, logger } = options;
    this.#inherited = new InheritedThings(replica);
    this.#shadows = new ThingShadows({
      exposed: (id) => this.#byId.get(id)?.td,
      schedule: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
      ...{ replica, now, logger },
    });
  }

  /** The Thing that answers under this id, or undefined. */
  get(id: string): ExposedThing | undefined {
    return this.#byId.get(id)?.thing;
  }

  /** The same with what it says of itself. */
  served(id: string): ServedThing | undefined {
    return this.#byId.get(id);
  }

  /** All that is exposed now. */
  all(): Iterable<ServedThing> {
    return this.#byId.values();
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
    const inherited = this.#inherited.claim(identity, name);
    const id = inherited ?? thingIdOf(self, name);
    try {
      const td = completeTd(partial, { id, ...parseThingId(id)! });
      if (!options.trusted) await this.#options.validate(td);
      const { notes } = this.#options;
      // A Thing that was here before needs no disk, which may be full just now.
      if (notes.get(thingNameKey(identity)) !== name) await notes.set(thingNameKey(identity), name);
      const exposed = { thing, td, scoped: scopedOf(td), identity, name };
      this.#byId.set(id, exposed);
      await this.#tell([id]);
      this.#shadows.review([id]);
      this.#options.changed('thing-exposed', id);
      // This peer may have taken another's place while the Thing was being exposed.
      return (await this.#takeOver(id, exposed)) ?? td;
    } catch (error) {
      this.#byId.delete(id);
      if (inherited) this.#inherited.release(inherited);
      this.#identities.delete(identity);
      if (this.#options.notes.get(thingNameKey(identity)) === undefined) this.#taken?.delete(name);
      throw error;
    }
  }

  /** A Thing was seen to have this value: the fabric learns it in time. */
  learn(thing: ExposedThing, property: string, value: unknown): void {
    if (this.#byId.get(thing.id)?.thing === thing) this.#shadows.learn(thing.id, property, value);
  }

  /** The Thing is gone for good: the fabric forgets it, its name stays reserved for it here. */
  async retract(thing: ExposedThing): Promise<void> {
    for (const [id, exposed] of this.#byId) {
      if (exposed.thing !== thing) continue;
      this.#byId.delete(id);
      this.#identities.delete(exposed.identity);
      this.#inherited.release(id);
      this.#shadows.forget(id);
      await this.#options.replica().write(() => this.#deletion(id));
      this.#options.changed('thing-gone', id);
    }
  }

  /** Writes the records of what is exposed, where they say something else or nothing yet. */
  async publish(): Promise<void> {
    await this.#tell(this.#byId.keys());
    this.#shadows.review(this.#byId.keys());
  }

  /** Writes the last values that were seen. Call before the replica is closed for good. */
  close(): Promise<void> {
    return this.#shadows.close();
  }

  /** Records have changed: where this peer took another's place, it goes on with the Things of that one. */
  recordsChanged({ records, membership, own }: ReplicaChange): void {
    const { self, replica, logger } = this.#options;
    if (membership) this.#shadows.review(this.#byId.keys());
    const { authority } = replica();
    if (authority.predecessorsOf(self).length === 0) return;
    if (!membership && (own || records.every(({ collection }) => collection !== 'thing'))) return;
    this.#takeOverAll().catch((error: unknown) => {
      const { code } = toAlthingError(error);
      if (!isDiskFailure(error) && code !== 'cancelled')
        logger.error({ err: error }, 'Things could not be told to the fabric.');
    });
  }

  /** The Things exposed here that are those of the old device go on under the ids of these, and lose their own. */
  async #takeOverAll(): Promise<void> {
    this.#inherited.forget();
    for (const [id, exposed] of [...this.#byId]) await this.#takeOver(id, exposed);
    await this.publish();
  }

  async #takeOver(own: string, exposed: Exposed): Promise<ThingDescription | undefined> {
    const { self, changed } = this.#options;
    if (parseThingId(own)?.peer !== self || this.#byId.get(own) !== exposed) return undefined;
    const id = this.#inherited.claim(exposed.identity, exposed.name);
    if (id === undefined) return undefined;
    const { id: _own, ...partial } = exposed.td;
    const td = completeTd(partial as PartialThingDescription, { id, ...parseThingId(id)! });
    this.#byId.delete(own);
    this.#byId.set(id, { ...exposed, td, scoped: scopedOf(td) });
    exposed.thing.readdress(td);
    this.#shadows.move(own, id);
    await this.#options.replica().write(() => [...this.#news([id]), ...this.#deletion(own)]);
    changed('thing-gone', own);
    changed('thing-exposed', id);
    return td;
  }

  /** Makes the fabric forget Things of this peer that nothing exposes any more. */
  async forgetOthers(): Promise<void> {
    await this.#options.replica().write(() =>
      this.#options
        .replica()
        .list('thing')
        // What an admin signed for a device whose place this one took stays until this peer has exposed it once.
        .filter(({ key, authorId }) => authorId === this.#options.self && !this.#byId.has(key))
        .flatMap(({ key }) => this.#deletion(key)),
    );
  }

  async #tell(ids: Iterable<string>): Promise<void> {
    await this.#options.replica().write(() => this.#news(ids));
  }

  /** The records of these Things, where they say something else or nothing yet. */
  #news(ids: Iterable<string>): Draft[] {
    const replica = this.#options.replica();
    const drafts: Draft[] = [];
    for (const id of ids) {
      const exposed = this.#byId.get(id);
      if (!exposed) continue;
      const value = { td: JSON.stringify(exposed.td) };
      const known = replica.get('thing', id);
      const isOwn = known?.authorId === this.#options.self;
      if (isOwn && (recordValue(known) as { td?: unknown }).td === value.td) continue;
      drafts.push({ collection: 'thing', key: id, value });
    }
    return drafts;
  }

  #deletion(id: string): Draft[] {
    const there = ['thing', 'shadow'].filter((collection) => this.#options.replica().get(collection, id));
    return there.map((collection) => ({ collection, key: id, value: null, deleted: true }));
  }

  #nameFor(identity: string, title: string): string {
    const known = this.#options.notes.get(thingNameKey(identity));
    if (typeof known === 'string') return known;
    // Read once: with thousands of Things, reading all the names for each would take minutes.
    this.#taken ??= new Set(this.#options.notes.list(thingNamePrefix).values());
    const taken = this.#taken;
    const slug = slugOf(title);
    let name = slug;
    for (let number = 2; taken.has(name); number++)
      name = `${slug.slice(0, maxSlugBeforeNumber).replace(/-+$/, '')}-${number}`;
    taken.add(name);
    return name;
  }
}
