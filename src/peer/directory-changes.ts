/**
 * Tells listeners what changes in the fabric's directory of Things: created, updated, deleted.
 * Relies on the directory for what counts now; remembers which Things there were, to tell new ones from changed ones.
 */
import { AlthingError } from '../core/errors.ts';
import type { SignedRecord } from '../replica/record.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import type { Directory } from './directory.ts';
import type { DirectoryChange } from './peer-api.ts';

const maxListeners = 512;

/** The changes of the directory, for as long as a peer runs. */
export class DirectoryChanges {
  readonly #listeners = new Set<(change: DirectoryChange) => void>();
  #known: Set<string> | undefined;

  /** Calls back on every change until the returned function is called. Throws `too-many` past 512 listeners. */
  listen(listener: (change: DirectoryChange) => void, directory: Directory): () => void {
    if (this.#listeners.size >= maxListeners)
      throw new AlthingError('too-many', `The directory has ${maxListeners} listeners already.`);
    this.#known ??= new Set(directory.find().map(({ id }) => id));
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#known = undefined;
    };
  }

  /** Records have changed: says what that means for Things, to those who listen. */
  tell(records: readonly SignedRecord[], directory: Directory): void {
    if (!this.#known) return;
    // What admins call a Thing, and its room, are listed with it; labels of peers have no Thing's id.
    const keys = records.filter(({ collection }) => collection === 'thing' || collection === 'label');
    const ids = new Set(keys.map(({ key }) => key));
    this.tellThings([...ids], directory);
  }

  /** Something may have changed about the Things with these ids. */
  tellThings(ids: readonly string[], directory: Directory): void {
    const known = this.#known;
    if (!known) return;
    for (const key of ids) {
      const change = this.#changeOf(key, directory.byId(key), known);
      if (change) for (const listener of this.#listeners) listener(change);
    }
  }

  #changeOf(id: string, td: ThingDescription | undefined, known: Set<string>): DirectoryChange | undefined {
    const was = known.has(id);
    if (td) {
      known.add(id);
      return { kind: was ? 'thing_updated' : 'thing_created', td };
    }
    known.delete(id);
    return was ? { kind: 'thing_deleted', td: { id } as ThingDescription } : undefined;
  }
}
