/**
 * Keeps the replicas of peers in session equal: compares summaries and positions, asks for what is missing, pushes news.
 * Relies on the replica for every check and on its owner for sending, time and delay.
 */

import { concat, equalBytes, toHex } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError, isDiskFailure } from '../core/errors.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { FraudExchange } from './fraud-exchange.ts';
import type { ReceiveOutcome } from './incoming-range.ts';
import { advance, askedNext, begun, chunkBytes, tellHashes, tellNamed, tookHashes } from './mending.ts';
import { type Asked, maxOpenQuestions, OpenQuestions } from './open-questions.ts';
import { comparePositions, origin, type Position } from './record.ts';
import type { RecordStream } from './record-store.ts';
import { type Known, keyOf, RemoteSide } from './remote-side.ts';
import type { Replica, VectorEntry } from './replica.ts';
import type { ReplicaChange } from './replica-change.ts';
import {
  type HashesMessage,
  maxTold,
  maxVectorEntries,
  type RecordsMessage,
  type SyncLink,
  type SyncMessage,
  toldBytes,
} from './sync-messages.ts';
import { differingGroups, groupOf, ReplicaSummary, type VectorSummary } from './vector-summary.ts';
import { type Withheld, WithheldRecords } from './withheld.ts';

export interface ReconcilerOptions {
  /** Milliseconds since any moment, never set: a wall clock that is put back would keep everybody waiting. */
  readonly now: () => number;
  /** Wall clock, milliseconds since 1970: tells people when something was noticed. */
  readonly wallNow: () => number;
  /** Calls back once after `delayMs`, unless the returned function was called before. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly random: () => number;
  readonly crypto: Crypto;
  readonly logger: Logger;
}

/** An answer that has not come by then is asked for elsewhere. */
const wantTimeoutMs = 5000;
/** Everybody in session is sent a summary again: whatever went unnoticed is noticed then. */
const retellMs = 60_000;
/** Nobody has to compare summaries with one session more often. */
const minSummaryPauseMs = 5000;
/** News of others is told on after this long, unless the other side has told it first. */
const relayDelayMs = 60;
/** Who has left so many questions about one author unanswered withholds something. */
const missesToTell = 3;
/** Differences that are told in the log. */
const maxToldDifferences = 1000;

/** All sessions' reconciliation. Pull-based: whoever is behind asks, one asking at a time for each author. */
export class Reconciler {
  /** Set by the owner; called while all that the first vector told of is here, as far as it is to be taken in. */
  onSettled: (() => void) | undefined;
  readonly #replica: Replica;
  readonly #options: ReconcilerOptions;
  readonly #sides = new Map<SyncLink, RemoteSide>();
  readonly #asked = new OpenQuestions();
  readonly #summary: ReplicaSummary;
  readonly #frauds: FraudExchange;
  readonly #withheld = new WithheldRecords();
  readonly #toRelay = new Set<string>();
  #cancelRelay: (() => void) | undefined;
  readonly #toldDifferences = new Set<string>();
  /** What the first vector told of. News that comes meanwhile does not move it. */
  #goal: readonly VectorEntry[] | undefined;

  constructor(replica: Replica, options: ReconcilerOptions) {
    this.#replica = replica;
    this.#options = options;
    this.#summary = new ReplicaSummary(replica, options.crypto);
    this.#frauds = new FraudExchange(replica, options.now);
  }

  /** A session has begun: tells the other side in short what is held here. */
  add(link: SyncLink): void {
    const retellAt = this.#options.now() + retellMs * this.#options.random();
    this.#sides.set(link, new RemoteSide(link, retellAt));
    this.#frauds.add(link);
    link.send({ kind: 'summary', groups: this.#summary.get() });
  }

  /** A session has ended: what was asked of it is asked elsewhere. */
  remove(link: SyncLink): void {
    this.#sides.delete(link);
    this.#frauds.remove(link);
    this.#asked.endAllOf(link);
    this.#askAll();
  }

  /** Claims of sessions that were not made good: three questions unanswered, or records that lead nowhere. */
  withheld(): Withheld[] {
    return this.#withheld.list((stream, author) =>
      this.#replica.takes(stream, author) ? this.#replica.position(stream, author) : undefined,
    );
  }

  /**
   * Call about once a second: asks again for what did not come, those first who have not let us wait, and tells again
   * what is held here.
   */
  tick(): void {
    const now = this.#options.now();
    let isDue = this.#replica.tick(now);
    for (const [key, asked] of this.#asked.takeOverdue(now)) {
      isDue = true;
      this.#missed(key, asked);
    }
    if (isDue) this.#askAll();
    this.#frauds.tick();
    for (const side of this.#sides.values()) {
      if (side.retellAt > now) continue;
      side.retellAt = now + retellMs;
      side.link.send({ kind: 'summary', groups: this.#summary.get() });
    }
  }

  close(): void {
    this.#cancelRelay?.();
    this.#sides.clear();
    this.#asked.clear();
  }

  /** A message of the other side. Resolves when it has been dealt with, so that the session can push back. */
  async handle(link: SyncLink, message: SyncMessage): Promise<void> {
    const side = this.#sides.get(link);
    if (!side) return;
    try {
      await this.#handle(side, message);
      if (this.#sides.has(link)) this.#askMore(side);
    } catch (error) {
      // What was asked for and could not be stored is asked for again when its time is over.
      if (error instanceof AlthingError && error.code === 'record-invalid') link.fail(error);
      else if (this.#sides.size > 0 && !isDiskFailure(error))
        this.#options.logger.error({ err: error, peer: link.peer }, 'Records could not be stored.');
      return;
    }
    if (this.onSettled && !message.kind.startsWith('want') && this.#settled()) this.onSettled();
  }

  async #handle(side: RemoteSide, message: SyncMessage): Promise<void> {
    const { link } = side;
    switch (message.kind) {
      case 'summary':
        this.#compareSummaries(side, message.groups);
        break;
      case 'vector':
        this.#hear(side, message.entries);
        this.#goal ??= message.entries;
        break;
      case 'want':
        this.#answer(side, message);
        break;
      case 'records':
        await this.#take(side, message);
        break;
      case 'want-hashes':
        this.#reply(link, message, tellHashes(this.#replica, message));
        break;
      case 'hashes':
        this.#takeHashes(side, message);
        break;
      case 'want-named':
        this.#reply(link, message, tellNamed(this.#replica, message));
        break;
      case 'frauds':
        this.#frauds.hear(link, message);
        break;
      case 'want-fraud':
        this.#frauds.answer(link, message);
        break;
      case 'fraud':
        await this.#frauds.take(link, message);
    }
  }

  #settled(): boolean {
    return (this.#goal ?? []).every(({ stream, author, ...position }) => {
      const id = peerIdOf(author);
      const isWanted = this.#replica.takes(stream, id) && !this.#replica.waits(stream, id, position);
      if (!isWanted || this.#replica.voids(stream, id, position)) return true;
      return comparePositions(this.#replica.position(stream, id), position) >= 0;
    });
  }

  /** Tells the sessions of a change in the replica: own news at once, others' after a moment. */
  replicaChanged(change: ReplicaChange): void {
    const newest = change.records.at(-1);
    if (newest) {
      this.#summary.changed(newest.author);
      if (change.own) this.#push(newest.stream, newest.authorId, change.from);
      else this.#relayLater(keyOf(newest));
    }
    if (change.membership || change.removed.length > 0 || change.frauds.length > 0) this.#summary.changed();
    if (change.membership) {
      // What could not be had may be had now, by those who belong now.
      for (const { gaps } of this.#sides.values()) gaps.clear();
      this.#askAll();
    }
    if (change.frauds.length > 0) this.#frauds.tellAll(change.frauds);
  }

  #push(stream: RecordStream, author: PeerId, from: Position): void {
    const range = this.#replica.range(stream, author, from, chunkBytes);
    if (!range) return;
    const { to } = range;
    const { author: key } = range.records[0]!;
    const sides = [...this.#sides.values()];
    const names = sides.slice(0, maxTold).map(({ link }) => publicKeyOf(link.peer).subarray(0, toldBytes));
    const records = range.records.map((record) => record.raw);
    const rest = comparePositions(to, this.#replica.position(stream, author)) < 0;
    for (const side of sides) {
      side.link.send({ kind: 'records', stream, author: key, from, to, records, told: concat(...names) });
      side.holds({ ...to, stream, author: key, authorId: author, digest: undefined });
      if (rest) this.#sendVector(side.link, [this.#replica.entry(stream, author)!]);
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
    const news: [key: string, entry: VectorEntry][] = [];
    for (const key of this.#toRelay) {
      const [stream, author] = key.split('/') as [RecordStream, PeerId];
      const entry = this.#replica.entry(stream, author);
      if (entry) news.push([key, entry]);
    }
    this.#toRelay.clear();
    for (const side of this.#sides.values()) {
      const own = publicKeyOf(side.link.peer);
      const untold = news.filter(
        ([key, entry]) => !equalBytes(entry.author, own) && !side.isPast(key, entry),
      );
      this.#sendVector(
        side.link,
        untold.map(([, entry]) => entry),
      );
    }
  }

  #sendVector(link: SyncLink, entries: readonly VectorEntry[]): void {
    const controlFirst = [...entries].sort((a, b) =>
      a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0,
    );
    for (let at = 0; at < controlFirst.length; at += maxVectorEntries)
      link.send({ kind: 'vector', entries: controlFirst.slice(at, at + maxVectorEntries) });
  }

  /** In the groups in which the two sides differ the other one is told where everything stands here. */
  #compareSummaries(side: RemoteSide, theirs: VectorSummary): void {
    const { link } = side;
    const now = this.#options.now();
    if (side.summaryAt > now - minSummaryPauseMs) return;
    side.summaryAt = now;
    const groups = differingGroups(this.#summary.get(), theirs);
    if (groups.size === 0) {
      this.#goal ??= [];
      return;
    }
    const isMeant = (author: Uint8Array): boolean => groups.has(groupOf(author));
    const entries = this.#replica.vector(isMeant);
    if (entries.length > 0) this.#sendVector(link, entries);
    // Says that there is nothing: the other side may wait for that.
    else link.send({ kind: 'vector', entries: [] });
    this.#frauds.tell(link, isMeant);
  }

  #hear(side: RemoteSide, entries: readonly VectorEntry[]): void {
    for (const entry of entries) {
      const author = peerIdOf(entry.author);
      const known = { ...entry, authorId: author };
      const key = keyOf(known);
      side.claims(known);
      const here = this.#replica.position(entry.stream, author);
      if (author === this.#replica.self && comparePositions(entry, here) > 0) this.#replica.hearOwn(entry);
      const asked = this.#asked.get(key);
      // What was asked for is not there: this is the answer.
      if (
        asked?.link === side.link &&
        asked.what !== 'want-named' &&
        comparePositions(entry, asked.from) <= 0
      ) {
        this.#asked.end(key);
        side.misses.delete(key);
      }
      this.#compare(side, key);
      this.#ask(side, key);
    }
  }

  /**
   * At equal positions the records must be equal too, and what one holds of control must be the beginning of what one
   * holds who is ahead. Where it is not, one of the two was restored from a backup, something was left out on the way, or
   * the author wrote too much or two for one position: each goes through what the other holds, once for each state of both.
   */
  #compare(side: RemoteSide, key: string): void {
    const known = side.known.get(key);
    if (!known?.digest) return;
    const author = known.authorId;
    const order = comparePositions(this.#replica.position(known.stream, author), known);
    const isComparable = order === 0 || (order > 0 && known.stream === 'control' && known.seq > 0);
    const mine = this.#replica.entry(known.stream, author);
    if (!mine || !isComparable) return;
    const both = toHex(mine.digest) + toHex(known.digest);
    if (side.compared.get(key) === both) return;
    side.compared.set(key, both);
    const log = this.#replica.log(known.stream, author)!;
    const digest = order === 0 ? mine.digest : log.digestUpTo(known, this.#options.crypto);
    if (equalBytes(digest, known.digest)) return;
    side.mending.set(key, begun(log));
    if (this.#toldDifferences.has(key) || this.#toldDifferences.size >= maxToldDifferences) return;
    this.#toldDifferences.add(key);
    this.#options.logger.info(
      { author, stream: known.stream, peer: side.link.peer },
      'Two peers hold different records of one author up to the same position: they are compared.',
    );
  }

  /** Asks one session for an author's records where it holds more and nobody is being asked already. */
  #ask(side: RemoteSide, key: string): void {
    const known = side.known.get(key);
    if (!known || this.#asked.get(key)) return;
    const { stream, author, authorId: id } = known;
    // Asked again as soon as the membership changes, or the time has come.
    if (!this.#replica.takes(stream, id) || this.#replica.waits(stream, id, known)) return;
    if (side.gaps.get(key) === this.#gap(known)) return;
    this.#mendedIfEqual(side, key, known);
    const mending = side.mending.get(key);
    const from = this.#replica.position(stream, id);
    if (!mending && comparePositions(from, known) >= 0) return;
    if (this.#asked.of(side.link) >= maxOpenQuestions) {
      side.hasUnasked = true;
      return;
    }
    const message = mending ? askedNext(mending, known) : ({ kind: 'want', stream, author, from } as const);
    const until = this.#options.now() + wantTimeoutMs;
    const askedFrom = message.kind === 'want-named' ? origin : message.from;
    this.#asked.begin(key, { link: side.link, what: message.kind, from: askedFrom, until });
    side.link.send(message);
  }

  /** Ends the going through of an author's records where that is done, or not needed any more. */
  #mendedIfEqual(side: RemoteSide, key: string, known: Known): void {
    const mending = side.mending.get(key);
    if (!mending) return;
    const mine = this.#replica.entry(known.stream, known.authorId);
    const isEqual =
      mine && known.digest && comparePositions(mine, known) === 0 && equalBytes(mine.digest, known.digest);
    const isDone = mending.missing.length === 0 && comparePositions(mending.cursor, known) >= 0;
    if (isEqual || isDone) side.mending.delete(key);
  }

  /** Names the state in which an author's records cannot be had: what is there does not follow on what is here. */
  #gap({ stream, authorId, epoch, seq }: Known): string {
    const here = this.#replica.position(stream, authorId);
    return `${here.epoch} ${here.seq} ${epoch} ${seq}`;
  }

  #askAll(): void {
    for (const stream of ['control', 'data'] as const)
      for (const side of this.#sides.values()) this.#askFor(side, stream);
  }

  #askFor(side: RemoteSide, stream: RecordStream): void {
    for (const [key, known] of side.known) if (known.stream === stream) this.#ask(side, key);
  }

  /** What a session had too many questions for is asked as it answers. */
  #askMore(side: RemoteSide): void {
    if (!side.hasUnasked || this.#asked.of(side.link) > maxOpenQuestions / 2) return;
    side.hasUnasked = false;
    for (const stream of ['control', 'data'] as const) this.#askFor(side, stream);
  }

  #answer(side: RemoteSide, want: Extract<SyncMessage, { kind: 'want' }>): void {
    const { stream, author, from } = want;
    const authorId = peerIdOf(author);
    const range = this.#replica.range(stream, authorId, from, chunkBytes);
    if (range) side.holds({ ...range.to, stream, author, authorId, digest: undefined });
    const records = range?.records.map((record) => record.raw) ?? [];
    this.#reply(side.link, want, range && { kind: 'records', stream, author, from, to: range.to, records });
  }

  /** Gives the answer; where there is none says where the author stands here: nobody shall wait for it. */
  #reply(
    link: SyncLink,
    { stream, author }: { readonly stream: RecordStream; readonly author: Uint8Array },
    answer: SyncMessage | undefined,
  ): void {
    const nothing = { stream, author, ...origin, digest: new Uint8Array(32) };
    const entry = this.#replica.entry(stream, peerIdOf(author)) ?? nothing;
    link.send(answer ?? { kind: 'vector', entries: [entry] });
  }

  async #take(side: RemoteSide, range: RecordsMessage): Promise<void> {
    const { stream } = range;
    const author = peerIdOf(range.author);
    const key = keyOf(range);
    side.holds({ ...range.to, stream, author: range.author, authorId: author, digest: undefined });
    if (range.told && author === side.link.peer) this.#toldByAuthor(key, range.to, range.told);
    const asked = this.#asked.get(key);
    const isAnswer =
      asked?.link === side.link &&
      asked.what !== 'want-hashes' &&
      comparePositions(asked.from, range.from) === 0;
    const mending = isAnswer ? side.mending.get(key) : undefined;
    const isByName = isAnswer && asked.what === 'want-named';
    const isMend = mending !== undefined && comparePositions(mending.cursor, range.from) === 0;
    const reach = isByName ? 'holes' : isMend ? 'all' : 'next';
    const outcome = await this.#replica.receive(range, { reach });
    if (isAnswer && this.#asked.get(key) === asked) this.#asked.end(key);
    if (isAnswer) side.misses.delete(key);
    if (!this.#sides.has(side.link)) return;
    if (mending && (isByName || isMend)) advance(mending, range, isByName);
    this.#conclude(side, key, outcome, reach !== 'next');
    this.#compare(side, key);
    // There may be more: the range was one chunk, or something before it is missing here.
    for (const one of [side, ...this.#sides.values()]) this.#ask(one, key);
  }

  /** What follows where a range was not taken in. */
  #conclude(side: RemoteSide, key: string, outcome: ReceiveOutcome, isMend: boolean): void {
    const known = side.known.get(key);
    if (outcome === 'ahead' || outcome === 'over-quota') {
      // Gone through again when its time has come.
      side.mending.delete(key);
      side.compared.delete(key);
    } else if (outcome === 'gap' && !isMend) side.mending.set(key, begun(undefined));
    else if (outcome === 'gap' || outcome === 'void') {
      side.mending.delete(key);
      if (known) side.gaps.set(key, this.#gap(known));
      if (known && outcome === 'gap') this.#noteWithheld(side, known);
    }
  }

  #takeHashes(side: RemoteSide, message: HashesMessage): void {
    const key = keyOf(message);
    const asked = this.#asked.get(key);
    const mending = side.mending.get(key);
    if (!mending || asked?.link !== side.link || asked.what !== 'want-hashes') return;
    if (comparePositions(asked.from, message.from) !== 0) return;
    this.#asked.end(key);
    side.misses.delete(key);
    const log = this.#replica.log(message.stream, peerIdOf(message.author));
    if (!log || !tookHashes(mending, message, log)) side.mending.delete(key);
    this.#ask(side, key);
  }

  /** Authors tell their news to all in session with them: those need not hear it from us. */
  #toldByAuthor(key: string, position: Position, told: Uint8Array): void {
    const names = new Set<string>();
    for (let at = 0; at + toldBytes <= told.length; at += toldBytes)
      names.add(toHex(told.subarray(at, at + toldBytes)));
    for (const side of this.#sides.values())
      if (names.has(side.shortName)) side.toldByAuthor.set(key, { epoch: position.epoch, seq: position.seq });
  }

  /** An answer did not come: others are asked before this session is again. */
  #missed(key: string, { link, what }: Asked): void {
    const side = this.#sides.get(link);
    if (!side) return;
    this.#sides.delete(link);
    this.#sides.set(link, side);
    if (what !== 'want') side.mending.delete(key);
    // Records asked for by name may have given way to newer ones meanwhile.
    if (what === 'want-named') return;
    const misses = (side.misses.get(key) ?? 0) + 1;
    side.misses.set(key, misses);
    const known = side.known.get(key);
    if (known && misses >= missesToTell) this.#noteWithheld(side, known);
  }

  #noteWithheld({ link }: RemoteSide, { stream, authorId, epoch, seq }: Known): void {
    this.#withheld.note({
      peer: link.peer,
      author: authorId,
      stream,
      position: { epoch, seq },
      sinceMs: this.#options.wallNow(),
    });
  }
}
