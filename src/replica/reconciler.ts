/**
 * Keeps the replicas of peers in session equal: tells positions, asks for what is missing, pushes news.
 * Relies on the replica for every check and on its owner for sending, time and delay.
 */

import { equalBytes, toHex } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError, isDiskFailure } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { comparePositions, origin, type Position } from './record.ts';
import type { RecordStream } from './record-store.ts';
import type { IncomingRange, ReceiveOutcome, Replica, ReplicaChange, VectorEntry } from './replica.ts';
import { groupOf, summarise, type VectorSummary } from './vector-summary.ts';

/** What peers say to one another about records. */
export type SyncMessage =
  | { readonly kind: 'summary'; readonly groups: VectorSummary }
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
  readonly crypto: Crypto;
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
/** Everybody in session is told again where everything stands: whatever went unnoticed is noticed then. */
const retellMs = 60_000;
/** News of others is told on after this long, unless the other side has told it first. */
const relayDelayMs = 60;

/** The furthest position that the other side of a session is known to hold of one author. */
interface Known extends Position {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  /** What it said of its records at this position. */
  readonly digest: Uint8Array | undefined;
}

interface LinkState {
  readonly link: SyncLink;
  /** When to tell it again where everything stands. */
  retellAt: number;
  /** By stream and author. */
  readonly remote: Map<string, Known>;
  /** Authors whose records are gone through from the beginning, since ours differ: how far that got. */
  readonly mending: Map<string, Position>;
  /** Digests here and there for which that was done: once is enough. */
  readonly compared: Map<string, string>;
  /** Positions here and there at which the other side's records do not follow on what is here, even so. */
  readonly gaps: Map<string, string>;
}

const keyOf = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;

/** All sessions' reconciliation. Pull-based: whoever is behind asks, one asking at a time for each author. */
export class Reconciler {
  /** Set by the owner; called while all that the first vector told of is here, as far as its authors are members. */
  onSettled: (() => void) | undefined;
  readonly #replica: Replica;
  readonly #options: ReconcilerOptions;
  readonly #links = new Map<SyncLink, LinkState>();
  /** What has been asked for and not yet come. */
  readonly #asked = new Map<string, { link: SyncLink; from: Position; until: number }>();
  readonly #toRelay = new Set<string>();
  #cancelRelay: (() => void) | undefined;
  readonly #told = new Set<string>();
  /** What the first vector told of. News that comes meanwhile does not move it. */
  #goal: readonly VectorEntry[] | undefined;
  /** Kept until something changes: all sessions are told the same. */
  #summary: VectorSummary | undefined;

  constructor(replica: Replica, options: ReconcilerOptions) {
    this.#replica = replica;
    this.#options = options;
  }

  /** A session has begun: tells the other side in short where everything stands here. */
  add(link: SyncLink): void {
    const retellAt = this.#options.now() + retellMs * this.#options.random();
    const state = {
      link,
      retellAt,
      remote: new Map(),
      mending: new Map(),
      compared: new Map(),
      gaps: new Map(),
    };
    this.#links.set(link, state);
    this.#sendSummary(link);
  }

  /** A session has ended: what was asked of it is asked elsewhere. */
  remove(link: SyncLink): void {
    this.#links.delete(link);
    for (const [key, asked] of this.#asked) if (asked.link === link) this.#asked.delete(key);
    this.#askAll();
  }

  /**
   * Call about once a second: asks again for what did not come, those first who have not let us wait, and tells again
   * where everything stands.
   */
  tick(): void {
    const now = this.#options.now();
    let late = false;
    for (const [key, { link, until }] of this.#asked) {
      if (until > now) continue;
      this.#asked.delete(key);
      late = true;
      const state = this.#links.get(link);
      if (!state) continue;
      this.#links.delete(link);
      this.#links.set(link, state);
    }
    if (late) this.#askAll();
    for (const state of this.#links.values()) {
      if (state.retellAt > now) continue;
      state.retellAt = now + retellMs;
      this.#sendSummary(state.link);
    }
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
    if (message.kind === 'summary') this.#contrast(state, message.groups);
    else if (message.kind === 'vector') this.#hear(state, message.entries);
    else if (message.kind === 'want') this.#answer(state, message);
    else await this.#take(state, message);
    if (message.kind === 'vector') this.#goal ??= message.entries;
    if (this.onSettled && message.kind !== 'want' && this.#settled()) this.onSettled();
  }

  #settled(): boolean {
    const { members } = this.#replica.authority;
    return (this.#goal ?? []).every(({ stream, author, ...position }) => {
      const id = peerIdOf(author);
      return !members.has(id) || comparePositions(this.#replica.position(stream, id), position) >= 0;
    });
  }

  /** Tells the sessions of a change in the replica: own news at once, others' after a moment. */
  replicaChanged(change: ReplicaChange): void {
    this.#summary = undefined;
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
      const { author: key } = range.records[0]!;
      remote.set(keyOf(stream, author), { ...range.to, stream, author: key, digest: undefined });
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

  #sendSummary(link: SyncLink): void {
    this.#summary ??= summarise(this.#replica.vector(), this.#options.crypto);
    link.send({ kind: 'summary', groups: this.#summary });
  }

  /** The other side told in short where everything stands there: it gets all of the groups that differ here. */
  #contrast(state: LinkState, theirs: VectorSummary): void {
    this.#summary ??= summarise(this.#replica.vector(), this.#options.crypto);
    const differing = new Set<number>();
    for (const [group, mine] of this.#summary.entries()) {
      const their = theirs[group] ?? null;
      if (mine && their ? !equalBytes(mine, their) : mine !== their) differing.add(group);
    }
    if (differing.size === 0) {
      this.#goal ??= [];
      return;
    }
    const entries = this.#replica
      .vector()
      .filter(({ epoch, author }) => epoch > 0 && differing.has(groupOf(author)));
    // Even where it is empty: the other side waits for it.
    if (entries.length === 0) state.link.send({ kind: 'vector', entries });
    else this.#sendVector(state.link, entries);
  }

  #hear(state: LinkState, entries: readonly VectorEntry[]): void {
    for (const entry of entries) {
      const author = peerIdOf(entry.author);
      const key = keyOf(entry.stream, author);
      this.#note(state, entry.stream, entry.author, entry, entry.digest);
      if (
        author === this.#replica.self &&
        comparePositions(entry, this.#replica.position(entry.stream, author)) > 0
      )
        this.#replica.hearOwn(entry);
      this.#compare(state, key);
      this.#ask(state, key);
    }
  }

  #note(
    state: LinkState,
    stream: RecordStream,
    author: Uint8Array,
    { epoch, seq }: Position,
    digest?: Uint8Array,
  ): void {
    const key = keyOf(stream, peerIdOf(author));
    const known = state.remote.get(key);
    const later = known ? comparePositions({ epoch, seq }, known) : 1;
    if (later < 0 || (later === 0 && !digest)) return;
    if (!known && state.remote.size >= maxRemoteEntries) {
      state.link.fail(new AlthingError('too-many', `A vector may name at most ${maxRemoteEntries} authors.`));
      return;
    }
    state.remote.set(key, { epoch, seq, stream, author, digest });
  }

  /**
   * At equal positions the records must be equal too. Where they are not, one of the two was restored from a backup or
   * something was left out on the way: each goes through what the other holds, once for each state of both.
   */
  #compare(state: LinkState, key: string): void {
    const known = state.remote.get(key);
    if (!known?.digest) return;
    const author = peerIdOf(known.author);
    if (comparePositions(this.#replica.position(known.stream, author), known) !== 0) return;
    const mine = this.#replica.entry(known.stream, author);
    if (!mine || equalBytes(mine.digest, known.digest)) return;
    const both = toHex(mine.digest) + toHex(known.digest);
    if (state.compared.get(key) === both) return;
    state.compared.set(key, both);
    state.mending.set(key, origin);
    if (this.#told.has(key) || this.#told.size >= 1000) return;
    this.#told.add(key);
    this.#options.logger.info(
      { author, stream: known.stream, peer: state.link.peer },
      'Two peers hold different records of one author at the same position: they are compared.',
    );
  }

  /** Asks one session for an author's records where it holds more and nobody is being asked already. */
  #ask(state: LinkState, key: string): void {
    const known = state.remote.get(key);
    if (!known || this.#asked.has(key)) return;
    const author = peerIdOf(known.author);
    const from = this.#mendedTo(state, key, known) ?? this.#replica.position(known.stream, author);
    if (comparePositions(from, known) >= 0 || state.gaps.get(key) === this.#gap(known)) return;
    const role = this.#replica.authority.members.get(author)?.role;
    // Asked again as soon as the membership changes.
    if (role === undefined || role === 'guest') return;
    this.#asked.set(key, { link: state.link, from, until: this.#options.now() + wantTimeoutMs });
    state.link.send({ kind: 'want', stream: known.stream, author: known.author, from });
  }

  /** How far the other side's records have been gone through; undefined where that is done, or not needed any more. */
  #mendedTo(state: LinkState, key: string, known: Known): Position | undefined {
    const cursor = state.mending.get(key);
    if (!cursor) return undefined;
    const mine = this.#replica.entry(known.stream, peerIdOf(known.author));
    const equal =
      mine && known.digest && comparePositions(mine, known) === 0 && equalBytes(mine.digest, known.digest);
    if (!equal && comparePositions(cursor, known) < 0) return cursor;
    state.mending.delete(key);
    return undefined;
  }

  /** Names the state in which an author's records cannot be had: what is there does not follow on what is here. */
  #gap({ stream, author, epoch, seq }: Known): string {
    const here = this.#replica.position(stream, peerIdOf(author));
    return `${here.epoch} ${here.seq} ${epoch} ${seq}`;
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
    const asked = this.#asked.get(key);
    const isAnswer = asked?.link === state.link && comparePositions(asked.from, range.from) === 0;
    const cursor = state.mending.get(key);
    const mend = isAnswer && cursor !== undefined && comparePositions(cursor, range.from) === 0;
    let outcome: ReceiveOutcome;
    try {
      outcome = await this.#replica.receive(range, { mend });
    } catch (error) {
      // What was asked for and could not be stored is asked for again when its time is over.
      if (error instanceof AlthingError && error.code === 'record-invalid') state.link.fail(error);
      else if (this.#links.size > 0 && !isDiskFailure(error))
        this.#options.logger.error({ err: error, author }, 'Records could not be stored.');
      return;
    }
    if (isAnswer && this.#asked.get(key) === asked) this.#asked.delete(key);
    if (!this.#links.has(state.link)) return;
    if (mend) state.mending.set(key, range.to);
    if (outcome === 'gap') this.#gapped(state, key, mend);
    this.#compare(state, key);
    // There may be more: the range was one chunk, or something before it is missing here.
    for (const one of [state, ...this.#links.values()]) this.#ask(one, key);
  }

  /** A range did not follow on what is here: gone through from the beginning, unless that was it already. */
  #gapped(state: LinkState, key: string, mend: boolean): void {
    if (!mend) {
      state.mending.set(key, origin);
      return;
    }
    state.mending.delete(key);
    state.gaps.set(key, this.#gap(state.remote.get(key)!));
  }
}
