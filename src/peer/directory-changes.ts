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
/** Things told of before others get their turn: about a millisecond. */
const tellBatch = 16;

/** The changes of the directory, for as long as a peer runs. */
export class DirectoryChanges {
  readonly #listeners = new Set<(change: DirectoryChange) => void>();
  #known: Set<string> | undefined;
  /** Things that something may have changed about, and where to look; told of in later turns. */
  readonly #untold = new Map<string, Directory>();
  #isTelling = false;
  readonly #yieldTurn: () => Promise<void>;

  /** @param yieldTurn lets other work go on between pieces of a long one */
  constructor(yieldTurn: () => Promise<void>) {
    this.#yieldTurn = yieldTurn;
  }

  /** Calls back on every change until the returned function is called. Throws `too-many` past 512 listeners. */
  listen(listener: (change: DirectoryChange) => void, directory: Directory): () => void {
    if (this.#listeners.size >= maxListeners)
      throw new AlthingError('too-many', `The directory has ${maxListeners} listeners already.`);
    this.#known ??= new Set(directory.find().map(({ id }) => id));
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#known = undefined;
      this.#untold.clear();
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

  /** Something may have changed about the Things with these ids: a few are told of at once, the others in later turns. */
  tellThings(ids: readonly string[], directory: Directory): void {
    if (!this.#known) return;
    for (const id of ids) this.#untold.set(id, directory);
    if (!this.#isTelling) void this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    this.#isTelling = true;
    let told = 0;
    try {
      for (const [id, directory] of this.#untold) {
        if (told > 0 && told % tellBatch === 0) await this.#yieldTurn();
        // The last listener may have gone meanwhile.
        if (!this.#untold.delete(id)) continue;
        this.#tellOne(id, directory);
        told += 1;
      }
    } finally {
      this.#isTelling = false;
    }
  }

  #tellOne(id: string, directory: Directory): void {
    const change = this.#known && this.#changeOf(id, directory.byId(id), this.#known);
    if (change) for (const listener of this.#listeners) listener(change);
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
