/**
 * Keeps the replicas of peers in session equal: tells positions, asks for what is missing, pushes news.
 * Relies on the replica for every check and on its owner for sending, time and delay.
 */

import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { comparePositions, type Position } from './record.ts';
import type { RecordStream } from './record-store.ts';
import type { IncomingRange, Replica, ReplicaChange, VectorEntry } from './replica.ts';

/** What peers say to one another about records. */
export type SyncMessage =
  | { readonly kind: 'vector'; readonly entries: readonly VectorEntry[] }
  | {
      readonly kind: 'want';
      readonly stream: RecordStream;
      readonly author: Uint8Array;
      readonly from: Position;
    }
  | ({ readonly kind: 'records' } & IncomingRange);

/** One session as the reconciler sees it. */
export interface SyncLink {
  readonly peer: PeerId;
  /** Queues a message; never throws. */
  send(message: SyncMessage): void;
  /** Ends the session: the other side broke the protocol. */
  fail(error: AlthingError): void;
}

export interface ReconcilerOptions {
  readonly now: () => number;
  /** Calls back once after `delayMs`, unless the returned function was called before. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly random: () => number;
  readonly logger: Logger;
}

/** Most bytes of records in one message: well under a frame, so that commands pass in between. */
const chunkBytes = 128 * 1024;
/** Most entries in one vector message. */
export const maxVectorEntries = 2000;
/** Most authors that one session may tell of. */
const maxRemoteEntries = 20_000;
/** An answer that has not come by then is asked for elsewhere. */
const wantTimeoutMs = 5000;
/** News of others is told on after this long, unless the other side has told it first. */
const relayDelayMs = 60;

interface LinkState {
  readonly link: SyncLink;
  /** The furthest position that the other side is known to hold, by stream and author. */
  readonly remote: Map<string, Position & { stream: RecordStream; author: Uint8Array }>;
}

const keyOf = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;

/** All sessions' reconciliation. Pull-based: whoever is behind asks, one asking at a time for each author. */
export class Reconciler {
  /** Set by the owner; called when a vector has been heard and nothing that was asked for is missing. */
  onSettled: () => void = () => {};
  readonly #replica: Replica;
  readonly #options: ReconcilerOptions;
  readonly #links = new Map<SyncLink, LinkState>();
  /** What has been asked for and not yet come. */
  readonly #asked = new Map<string, { link: SyncLink; until: number }>();
  readonly #toRelay = new Set<string>();
  #cancelRelay: (() => void) | undefined;
  readonly #warned = new Set<string>();

  constructor(replica: Replica, options: ReconcilerOptions) {
    this.#replica = replica;
    this.#options = options;
  }

  /** A session has begun: tells the other side where everything stands here. */
  add(link: SyncLink): void {
    this.#links.set(link, { link, remote: new Map() });
    this.#sendVector(link, this.#replica.vector());
  }

  /** A session has ended: what was asked of it is asked elsewhere. */
  remove(link: SyncLink): void {
    this.#links.delete(link);
    for (const [key, asked] of this.#asked) if (asked.link === link) this.#asked.delete(key);
    this.#askAll();
  }

  /** Call about once a second: asks again for what did not come. */
  tick(): void {
    const now = this.#options.now();
    let late = false;
    for (const [key, asked] of this.#asked) {
      if (asked.until > now) continue;
      this.#asked.delete(key);
      late = true;
    }
    if (late) this.#askAll();
  }

  close(): void {
    this.#cancelRelay?.();
    this.#links.clear();
    this.#asked.clear();
  }

  /** A message of the other side. Resolves when it has been dealt with, so that the session can push back. */
  async handle(link: SyncLink, message: SyncMessage): Promise<void> {
    const state = this.#links.get(link);
    if (!state) return;
    if (message.kind === 'vector') this.#hear(state, message.entries);
    else if (message.kind === 'want') this.#answer(state, message);
    else await this.#take(state, message);
    if (message.kind !== 'want' && this.#asked.size === 0) this.onSettled();
  }

  /** Tells the sessions of a change in the replica: own news at once, others' after a moment. */
  replicaChanged(change: ReplicaChange): void {
    const newest = change.records.at(-1);
    if (newest) {
      const key = keyOf(newest.stream, newest.authorId);
      if (change.own) this.#push(newest.stream, newest.authorId, change.from);
      else this.#relayLater(key);
    }
    if (change.membership) this.#askAll();
  }

  #push(stream: RecordStream, author: PeerId, from: Position): void {
    const range = this.#replica.range(stream, author, from, chunkBytes);
    if (!range) return;
    const raw = range.records.map((record) => record.raw);
    const rest = comparePositions(range.to, this.#replica.position(stream, author)) < 0;
    for (const { link, remote } of this.#links.values()) {
      link.send({
        kind: 'records',
        stream,
        author: range.records[0]!.author,
        from,
        to: range.to,
        records: raw,
      });
      remote.set(keyOf(stream, author), { ...range.to, stream, author: range.records[0]!.author });
      if (rest) this.#sendVector(link, [this.#replica.entry(stream, author)!]);
    }
  }

  #relayLater(key: string): void {
    this.#toRelay.add(key);
    if (this.#cancelRelay) return;
    const delay = relayDelayMs * (0.5 + this.#options.random());
    this.#cancelRelay = this.#options.schedule(delay, () => {
      this.#cancelRelay = undefined;
      this.#relay();
    });
  }

  /** Says where the changed authors stand, to those who are not known to stand there too. */
  #relay(): void {
    const keys = [...this.#toRelay];
    this.#toRelay.clear();
    for (const { link, remote } of this.#links.values()) {
      const news: VectorEntry[] = [];
      for (const key of keys) {
        const [stream, author] = key.split('/') as [RecordStream, PeerId];
        const entry = this.#replica.entry(stream, author);
        const known = remote.get(key);
        if (entry && author !== link.peer && (!known || comparePositions(known, entry) < 0)) news.push(entry);
      }
      this.#sendVector(link, news);
    }
  }

  #sendVector(link: SyncLink, entries: readonly VectorEntry[]): void {
    const controlFirst = [...entries].sort((a, b) =>
      a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0,
    );
    for (let at = 0; at < controlFirst.length; at += maxVectorEntries)
      link.send({ kind: 'vector', entries: controlFirst.slice(at, at + maxVectorEntries) });
  }

  #hear(state: LinkState, entries: readonly VectorEntry[]): void {
    for (const entry of entries) {
      const author = peerIdOf(entry.author);
      this.#note(state, entry.stream, entry.author, entry);
      if (
        author === this.#replica.self &&
        comparePositions(entry, this.#replica.position(entry.stream, author)) > 0
      )
        this.#replica.hearOwn(entry);
      this.#checkDigest(state.link, author, entry);
      this.#ask(state, keyOf(entry.stream, author));
    }
  }

  #note(state: LinkState, stream: RecordStream, author: Uint8Array, position: Position): void {
    const key = keyOf(stream, peerIdOf(author));
    const known = state.remote.get(key);
    if (known && comparePositions(known, position) >= 0) return;
    if (!known && state.remote.size >= maxRemoteEntries) {
      state.link.fail(new AlthingError('too-many', `A vector may name at most ${maxRemoteEntries} authors.`));
      return;
    }
    state.remote.set(key, { epoch: position.epoch, seq: position.seq, stream, author });
  }

  #checkDigest(link: SyncLink, author: PeerId, entry: VectorEntry): void {
    const mine = this.#replica.entry(entry.stream, author);
    if (!mine || comparePositions(mine, entry) !== 0) return;
    if (mine.digest.every((byte, at) => byte === entry.digest[at])) return;
    const key = keyOf(entry.stream, author);
    if (this.#warned.has(key) || this.#warned.size >= 1000) return;
    this.#warned.add(key);
    this.#options.logger.warn(
      { author, stream: entry.stream, peer: link.peer },
      'Two peers hold different records of one author at the same position.',
    );
  }

  /** Asks one session for an author's records where it holds more and nobody is being asked already. */
  #ask(state: LinkState, key: string): void {
    const known = state.remote.get(key);
    if (!known || this.#asked.has(key)) return;
    const author = peerIdOf(known.author);
    const here = this.#replica.position(known.stream, author);
    if (comparePositions(here, known) >= 0) return;
    const role = this.#replica.authority.members.get(author)?.role;
    // Asked again as soon as the membership changes.
    if (role === undefined || role === 'guest') return;
    this.#asked.set(key, { link: state.link, until: this.#options.now() + wantTimeoutMs });
    state.link.send({ kind: 'want', stream: known.stream, author: known.author, from: here });
  }

  #askAll(): void {
    for (const stream of ['control', 'data'] as const)
      for (const state of this.#links.values())
        for (const [key, known] of state.remote) if (known.stream === stream) this.#ask(state, key);
  }

  #answer(state: LinkState, want: Extract<SyncMessage, { kind: 'want' }>): void {
    const author = peerIdOf(want.author);
    const range = this.#replica.range(want.stream, author, want.from, chunkBytes);
    if (!range) return;
    this.#note(state, want.stream, want.author, range.to);
    state.link.send({
      kind: 'records',
      stream: want.stream,
      author: want.author,
      from: want.from,
      to: range.to,
      records: range.records.map((record) => record.raw),
    });
  }

  async #take(state: LinkState, range: IncomingRange): Promise<void> {
    const author = peerIdOf(range.author);
    const key = keyOf(range.stream, author);
    this.#note(state, range.stream, range.author, range.to);
    try {
      await this.#replica.receive(range);
    } catch (error) {
      if (error instanceof AlthingError && error.code === 'record-invalid') state.link.fail(error);
      else if (this.#links.size > 0)
        this.#options.logger.error({ err: error, author }, 'Records could not be stored.');
      return;
    } finally {
      if (this.#asked.get(key)?.link === state.link) this.#asked.delete(key);
    }
    // There may be more: the range was one chunk, or something before it is missing here.
    if (this.#links.has(state.link)) this.#ask(state, key);
    for (const other of this.#links.values()) if (other !== state) this.#ask(other, key);
  }
}
