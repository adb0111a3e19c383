/**
 * The Things that other devices let this peer see where it holds no records of them: as a guest, or by a guest pass.
 * Relies on their directories, asked over sessions; what was seen last is kept in the local notes, for while they are away.
 */
import { toAlthingError } from '../../core/errors.ts';
import { type PeerId, parseThingId, peerIdOf } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Session } from '../../net/session.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import type { StreamHandle } from '../../thing/operations.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import { cardIn, type OtherThings, type PeerCard, tdIn } from '../directory.ts';
import { directoryIdOf } from './served-directory.ts';
import { askMembership } from './shown-membership.ts';

/** Peers whose Things are listed, Things of one of them, and the bytes of their TDs, at most. */
const maxPeers = 64;
const maxThings = 2000;
const maxBytes = 4 * 1024 * 1024;
/** A directory that changes all the time is read this long after it was read last. */
const readAgainMs = 1000;
/** A directory that could not be read is asked again after this. */
const againMs = 2000;

export interface SeenThingsOptions {
  readonly self: PeerId;
  readonly notes: LocalNotes;
  /** Notes with this beginning are these Things'. */
  readonly notePrefix: string;
  /** Which Things may be listed at all. */
  readonly admits: (id: string) => boolean;
  /** The Things with these ids are new, changed or gone. */
  readonly changed: (ids: readonly string[]) => void;
  /** A device has named others that carry Things for this peer. */
  readonly introduced: () => void;
  /** Raw records that a device shows of this peer's own membership. */
  readonly membership: (records: readonly Uint8Array[]) => void;
  readonly logger: Logger;
}

interface Seen {
  readonly texts: readonly string[];
  readonly things: ReadonlyMap<string, ThingDescription>;
}

/** One session over which a directory is followed. */
interface Followed {
  readonly session: Session;
  handle: StreamHandle | undefined;
  timer: NodeJS.Timeout | undefined;
  isReading: boolean;
  /** When it was read last, on the monotonic clock. */
  readAt: number;
  /** It has changed since reading began. */
  isStale: boolean;
}

/** What other devices showed. */
export class SeenThings implements OtherThings {
  readonly #options: SeenThingsOptions;
  readonly #seen = new Map<PeerId, Seen>();
  readonly #cards = new Map<PeerId, PeerCard>();
  readonly #followed = new Map<Session, Followed>();
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor(options: SeenThingsOptions) {
    this.#options = options;
    for (const [key, value] of options.notes.list(options.notePrefix)) this.#recall(key, value);
  }

  *tds(): Iterable<ThingDescription> {
    for (const { things } of this.#seen.values()) yield* things.values();
  }

  byId(id: string): ThingDescription | undefined {
    const owner = parseThingId(id)?.peer;
    return owner === undefined ? undefined : this.#seen.get(owner)?.things.get(id);
  }

  card(peer: PeerId): PeerCard | undefined {
    return this.#cards.get(peer);
  }

  /** Peers that were met or named by those that were. */
  peers(): Iterable<PeerId> {
    return this.#cards.keys();
  }

  /** A session has begun: what the other device shows is read, and read again whenever it changes. */
  async follow(session: Session): Promise<void> {
    if (this.#followed.has(session)) return;
    const followed: Followed = {
      session,
      handle: undefined,
      timer: undefined,
      isReading: false,
      readAt: Number.NEGATIVE_INFINITY,
      isStale: false,
    };
    this.#followed.set(session, followed);
    await this.#open(followed);
  }

  /** The session has ended. */
  unfollow(session: Session): void {
    const followed = this.#followed.get(session);
    if (!followed) return;
    clearTimeout(followed.timer);
    followed.handle?.stop();
    this.#followed.delete(session);
  }

  /** Resolves to true when a directory has been read next, to false after `timeoutMs`. */
  firstRead(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** What this device showed is no longer to be listed. */
  async forget(peer: PeerId): Promise<void> {
    const ids = [...(this.#seen.get(peer)?.things.keys() ?? [])];
    this.#seen.delete(peer);
    this.#cards.delete(peer);
    if (ids.length > 0) this.#options.changed(ids);
    const { notes, notePrefix, logger } = this.#options;
    try {
      await notes.set(notePrefix + peer, null);
    } catch (error) {
      // A disk that is full must not end the program; what is shown again replaces the note.
      logger.warn({ err: error, peer }, 'What a device showed could not be deleted.');
    }
  }

  /** Nothing is followed or listed any more. */
  async forgetAll(): Promise<void> {
    for (const session of [...this.#followed.keys()]) this.unfollow(session);
    for (const peer of [...this.#cards.keys()]) await this.forget(peer);
  }

  close(): void {
    this.#closed = true;
    for (const session of [...this.#followed.keys()]) this.unfollow(session);
  }

  async #open(followed: Followed): Promise<void> {
    const { session } = followed;
    try {
      const handle = await session.stream(
        { thing: directoryIdOf(session.peer), op: 'observeproperty', name: 'things' },
        { next: () => this.#news(followed), error: () => this.#later(followed) },
      );
      if (!this.#isFollowed(followed)) {
        handle.stop();
        return;
      }
      followed.handle?.stop();
      followed.handle = handle;
      await this.#read(followed);
    } catch (error) {
      this.#options.logger.debug(
        { peer: session.peer, code: toAlthingError(error).code },
        'A directory could not be followed.',
      );
      this.#later(followed);
    }
  }

  #isFollowed(followed: Followed): boolean {
    return !this.#closed && followed.session.usable && this.#followed.get(followed.session) === followed;
  }

  /** Begins anew after a while. */
  #later(followed: Followed): void {
    followed.handle?.stop();
    followed.handle = undefined;
    if (!this.#isFollowed(followed)) return;
    clearTimeout(followed.timer);
    followed.timer = setTimeout(() => void this.#open(followed), againMs);
  }

  /** The directory has changed: it is read at once, or when some time has passed since it was read last. */
  #news(followed: Followed): void {
    followed.isStale = true;
    if (followed.isReading || !this.#isFollowed(followed)) return;
    clearTimeout(followed.timer);
    const waitMs = followed.readAt + readAgainMs - performance.now();
    if (waitMs <= 0) void this.#read(followed);
    else followed.timer = setTimeout(() => void this.#read(followed), waitMs);
  }

  async #read(followed: Followed): Promise<void> {
    if (followed.isReading) return;
    followed.isReading = true;
    followed.isStale = false;
    try {
      await this.#readOnce(followed.session);
      followed.isReading = false;
      followed.readAt = performance.now();
      for (const done of this.#waiting.splice(0)) done();
      if (followed.isStale) this.#news(followed);
    } catch (error) {
      followed.isReading = false;
      this.#options.logger.debug(
        { peer: followed.session.peer, err: error },
        'A directory could not be read.',
      );
      this.#later(followed);
    }
  }

  async #readOnce(session: Session): Promise<void> {
    const membership = await askMembership(session);
    if (membership.length > 0) this.#options.membership(membership);
    const peers = await this.#ask(session, 'peers');
    const texts: string[] = [];
    let bytes = 0;
    for (let after: string | null = ''; after !== null; ) {
      const page = (await this.#ask(session, 'things', after)) as { things?: unknown; next?: unknown } | null;
      const things: unknown[] = Array.isArray(page?.things) ? page.things : [];
      for (const text of things) {
        if (typeof text !== 'string' || texts.length >= maxThings || bytes + text.length > maxBytes) continue;
        texts.push(text);
        bytes += text.length;
      }
      const next: unknown = page?.next;
      // Ids only grow from page to page: a device that turns in circles is not followed.
      after = typeof next === 'string' && next > after && texts.length < maxThings ? next : null;
    }
    if (this.#closed) return;
    this.#meet(session.peer, peers);
    await this.#take(session.peer, texts);
  }

  #ask(session: Session, name: string, after?: string): Promise<unknown> {
    return session.request({
      thing: directoryIdOf(session.peer),
      op: 'readproperty',
      name,
      ...(after && { uriVariables: { after } }),
    });
  }

  #meet(from: PeerId, peers: unknown): void {
    let isNew = false;
    for (const one of Array.isArray(peers) ? peers : []) {
      const [key, name, addresses] = Array.isArray(one) ? one : [];
      if (!(key instanceof Uint8Array) || key.length !== 32) continue;
      const peer = peerIdOf(key);
      const card = cardIn({ name, addresses });
      if (!card || peer === this.#options.self) continue;
      const known = this.#cards.has(peer);
      // What others say of a peer counts until it has spoken itself.
      if (peer !== from && known) continue;
      if (!known && this.#cards.size >= maxPeers) continue;
      this.#cards.set(peer, card);
      isNew ||= !known;
      if (peer !== from) void this.#keep(peer);
    }
    if (isNew) this.#options.introduced();
  }

  async #take(peer: PeerId, texts: readonly string[]): Promise<void> {
    const before = this.#seen.get(peer)?.things ?? new Map<string, ThingDescription>();
    const seen = seenIn(peer, texts, this.#options.admits);
    const changed = [...new Set([...before.keys(), ...seen.things.keys()])].filter(
      (id) => JSON.stringify(before.get(id)) !== JSON.stringify(seen.things.get(id)),
    );
    this.#seen.set(peer, seen);
    if (changed.length > 0) this.#options.changed(changed);
    await this.#keep(peer);
  }

  async #keep(peer: PeerId): Promise<void> {
    const { notes, notePrefix, logger } = this.#options;
    const card = this.#cards.get(peer);
    const note = [card?.name ?? '', card?.addresses ?? [], this.#seen.get(peer)?.texts ?? []];
    try {
      if (JSON.stringify(notes.get(notePrefix + peer)) !== JSON.stringify(note))
        await notes.set(notePrefix + peer, note);
    } catch (error) {
      // It is only needed while that device is away.
      logger.warn({ err: error, peer }, 'What a device shows could not be kept.');
    }
  }

  #recall(key: string, value: unknown): void {
    const peer = key.slice(this.#options.notePrefix.length);
    const [name, addresses, texts] = Array.isArray(value) ? value : [];
    const card = cardIn({ name, addresses });
    if (card) this.#cards.set(peer, card);
    if (Array.isArray(texts)) this.#seen.set(peer, seenIn(peer, texts, this.#options.admits));
  }
}

/** A device speaks for its own Things only, and nothing else of what it says is kept. */
const seenIn = (peer: PeerId, said: readonly unknown[], admits: (id: string) => boolean): Seen => {
  const things = new Map<string, ThingDescription>();
  const texts: string[] = [];
  for (const text of said) {
    const td = tdIn(text);
    if (!td || parseThingId(td.id)?.peer !== peer || !admits(td.id) || things.has(td.id)) continue;
    things.set(td.id, td);
    texts.push(text as string);
  }
  return { texts, things };
};
