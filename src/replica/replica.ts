/**
 * One peer's copy of the fabric's shared state: what it holds, what it may add, what it reads from it.
 * Relies on a durable store, a clock and cryptography passed in; knows nothing of sessions.
 */
import { stampMs } from '../core/clock.ts';
import { AlthingError, isDiskFailure, toAlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { type Authority, computeAuthority, type FraudCuts } from '../fabric/authority.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { checkInner } from '../fabric/inner-signatures.ts';
import type { AuthorLog, RecordRange } from './author-log.ts';
import type { Draft } from './draft.ts';
import { type FraudEntry, type FraudProof, FraudProofs, openProof } from './fraud-proofs.ts';
import { type HeldBack, HeldBackAuthors } from './held-back.ts';
import { Holdings } from './holdings.ts';
import {
  type IncomingRange,
  maxAheadMs,
  type Reach,
  type ReceiveOutcome,
  type Sifted,
  sift,
  verifyRange,
} from './incoming-range.ts';
import { holdingsOf } from './open-holdings.ts';
import { OwnPosition } from './own-position.ts';
import { signDrafts } from './own-records.ts';
import { checkOwnWord } from './own-word.ts';
import { Allowance, fitting, protocolQuotas, type Quotas, wasAdmin } from './quotas.ts';
import { comparePositions, origin, type Position, type SignedRecord, streamOf } from './record.ts';
import type { RecordStream, StoredState } from './record-store.ts';
import { type ReplicaChange, unchanged } from './replica-change.ts';
import type { ReplicaOptions } from './replica-options.ts';
import { Standing } from './standing.ts';

/** Where one author stands in one stream, and the digest of its live records there. */
export interface VectorEntry extends Position {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly digest: Uint8Array;
}

/** Records put in their places before others get their turn: about 5 ms in the longest log. */
const keepBatch = 64;

/** The shared state. All changes go through one queue; `onChange` is called after each became durable. */
export class Replica {
  readonly fabric: Fabric;
  readonly self: PeerId;
  /** Set by the owner; called once a change is durable and visible. */
  onChange: (change: ReplicaChange) => void = () => {};
  readonly #options: ReplicaOptions;
  readonly #holdings: Holdings;
  readonly #frauds: FraudProofs;
  readonly #heldBack = new HeldBackAuthors();
  readonly #own: OwnPosition;
  readonly #standing: Standing;
  /** The turn that draws the conclusions of a changed authority is waiting. */
  #settling = false;
  /** Something is held that should not be, since the store did not forget it. */
  #unpurged = false;
  readonly #newFrauds: PeerId[] = [];
  /** The authority that the owner was told of. */
  #settledFor: Authority;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param stored records as the store gave them, or what `openHoldings` made of them */
  constructor(stored: readonly Uint8Array[] | Holdings, options: ReplicaOptions) {
    this.#options = options;
    const { fabric, crypto } = options;
    this.fabric = fabric;
    this.self = peerIdOf(options.signer.publicKey);
    this.#holdings = stored instanceof Holdings ? stored : holdingsOf(stored, fabric.id, crypto);
    for (const log of this.#holdings.logs()) this.#see(log.live);
    this.#frauds = new FraudProofs(options.notes ?? new Map(), fabric.id, crypto);
    this.#standing = new Standing({
      self: this.self,
      fabric,
      crypto,
      holdings: this.#holdings,
      frauds: this.#frauds,
      compute: options.authorityOf ?? computeAuthority,
    });
    this.#settledFor = this.authority;
    const known = [this.position('control', this.self), this.position('data', this.self)];
    this.#own = new OwnPosition({
      crypto,
      lastEpoch: Math.max(options.now(), options.lastEpoch ?? 0, ...known.map(({ epoch }) => epoch)),
      epochOpened: options.epochOpened,
    });
    this.#unpurged = this.#standing.doomed().length > 0 || this.#frauds.staleNotes.length > 0;
  }

  /** Who belongs, by the control records held now. */
  get authority(): Authority {
    return this.#standing.authority;
  }

  /** The record that counts for this key: the greatest (clock, author) among the entitled ones; none if deleted. */
  get(collection: string, key: string): SignedRecord | undefined {
    const slots = this.#holdings.slots(collection, key);
    return slots && this.#standing.winner(slots.values());
  }

  /** All records of a collection that count, in no particular order. */
  list(collection: string): SignedRecord[] {
    return [...this.each(collection)];
  }

  /** The same one by one, for whoever lets others have their turn meanwhile: what changes then may be told or not. */
  *each(collection: string): Generator<SignedRecord> {
    for (const slots of this.#holdings.allSlots(collection)) {
      const winner = this.#standing.winner(slots.values());
      if (winner) yield winner;
    }
  }

  /** This author's records in these collections that count now, tombstones included: for whoever signs them anew. */
  countingOf(author: PeerId, collections: ReadonlySet<string>): SignedRecord[] {
    const found: SignedRecord[] = [];
    for (const collection of collections)
      for (const slots of this.#holdings.allSlots(collection)) {
        const best = this.#standing.greatest(slots.values());
        if (best?.authorId === author) found.push(best);
      }
    return found;
  }

  /** Every control record held, for proofs. */
  get control(): readonly SignedRecord[] {
    return this.#holdings.control;
  }

  /** Where every author stands here whose records are to be held, of those whose keys `isMeant` says are meant. */
  vector(isMeant: (author: Uint8Array) => boolean = () => true): VectorEntry[] {
    const told = [...this.#holdings.logs()].filter(
      (log) => isMeant(log.author) && this.#standing.isTold(log),
    );
    return told.map((log) => this.#entry(log));
  }

  /** Where one author stands here; the origin where nothing is held. */
  position(stream: RecordStream, author: PeerId): Position {
    return this.#holdings.find(stream, author)?.position ?? origin;
  }

  /** Where one author stands here, undefined where nothing is held or nothing is to be told of it. */
  entry(stream: RecordStream, author: PeerId): VectorEntry | undefined {
    const log = this.log(stream, author);
    return log && this.#entry(log);
  }

  /** The author's live records after `from`, about `maxBytes` of them; undefined where there are none to tell. */
  range(stream: RecordStream, author: PeerId, from: Position, maxBytes: number): RecordRange | undefined {
    return this.log(stream, author)?.range(from, maxBytes);
  }

  /** The author's live records in one stream, not to be changed; undefined where there are none to tell. */
  log(stream: RecordStream, author: PeerId): AuthorLog | undefined {
    const log = this.#holdings.find(stream, author);
    return log && this.#standing.isTold(log) ? log : undefined;
  }

  /** What a store holds for this replica. */
  stored(): StoredState {
    const records = [...this.#holdings.logs()].flatMap((log) => log.live.map(({ raw }) => raw));
    return { records, local: this.#frauds.notes() };
  }

  /** Whether records of this author in this stream are taken in. */
  takes(stream: RecordStream, author: PeerId): boolean {
    return this.#standing.takes(stream, author);
  }

  /**
   * Whether asking one who holds this author's records up to `position` is in vain for now: what is missing here is ahead
   * of the fabric's time or over the author's quota.
   */
  waits(stream: RecordStream, author: PeerId, position: Position): boolean {
    return this.#heldBack.waits(stream, author, position);
  }

  /** Whether a record of this author at this position counts for nothing, whatever it says. */
  voids(stream: RecordStream, author: PeerId, position: Position): boolean {
    return this.#standing.voids(stream, author, position);
  }

  /** Authors whose data is far ahead of the fabric's time, and until when their next records are not taken in. */
  quarantined(): HeldBack[] {
    return this.#heldBack.list('ahead');
  }

  /** Authors who have as much here as one may have, and wrote more. */
  overQuota(): HeldBack[] {
    return this.#heldBack.list('over-quota');
  }

  /** Authors who are proven to have signed two records for one position, with the proofs. */
  frauds(): FraudProof[] {
    return this.#frauds.list();
  }

  /** From where on the control records of those authors are void: for computing authority with more records. */
  get fraudCuts(): FraudCuts {
    return this.#frauds.cuts;
  }

  /** The proofs to tell others of: those about authors whose records anybody might hold. */
  fraudEntries(): FraudEntry[] {
    const { controlAuthors } = this.authority;
    return this.frauds().filter(({ authorId }) => controlAuthors.has(authorId));
  }

  /** Whether a proof of this author at this position would be news, about somebody of whom we hold records. */
  needsProof({ stream, author, ...position }: FraudEntry): boolean {
    const id = peerIdOf(author);
    const isKnown = this.authority.controlAuthors.has(id) || this.#holdings.find(stream, id) !== undefined;
    return isKnown && this.#frauds.isNews(stream, id, position);
  }

  /**
   * Writes records of this peer. `draft` is called when its turn comes, with the state as it is then, and may throw.
   * Resolves once they are durable. Throws the store's codes, `value-too-large`, `too-many` beyond this peer's quota,
   * `not-a-member` after it was put out of the fabric, `forbidden` where its word cannot count: a copy of it ran, or
   * another admin's cannot be overridden.
   */
  write(draft: () => readonly Draft[]): Promise<SignedRecord[]> {
    return this.#inTurn(async () => {
      const drafts = draft();
      const written: SignedRecord[] = [];
      for (const stream of ['control', 'data'] as const) {
        const mine = drafts.filter((one) => streamOf(one.collection) === stream);
        if (mine.length > 0) written.push(...(await this.#append(stream, mine)));
      }
      return written;
    });
  }

  /**
   * Takes in records of another peer's telling. Throws `record-invalid` where one is malformed, badly signed or not
   * what the range claims, which is the fault of whoever sent it: nothing of the range is kept then. What only an
   * author can have got wrong never throws, since the teller may be innocent.
   * `reach`: `all` where the range follows on what this teller told from the beginning, `holes` where it was asked for
   * by name, so that it may fill holes before our position.
   */
  receive(range: IncomingRange, options: { reach?: Reach } = {}): Promise<ReceiveOutcome> {
    return this.#inTurn(() => this.#receive(range, options.reach ?? 'next'));
  }

  /**
   * Takes in a proof that an author signed two records for one position; false where it is no news. Throws
   * `record-invalid` where it proves nothing.
   */
  receiveProof(raw: readonly Uint8Array[]): Promise<boolean> {
    return this.#inTurn(async () => {
      const proof = openProof(raw, this.fabric.id, this.#options.crypto);
      return this.needsProof(proof) && this.#expose(proof);
    });
  }

  /**
   * Somebody claims to hold a position of our own that we do not: this home may be a restored copy, so open an epoch
   * above. Claims that no honest peer makes are not believed.
   */
  hearOwn(position: Position): void {
    this.#own.hear(position.epoch);
  }

  /**
   * Call about once a second, with milliseconds on a clock that is never set. True where authors that were held back may
   * be asked for again.
   */
  tick(now: number): boolean {
    if (this.#unpurged) this.#settleLater();
    return this.#heldBack.release(now, this.#fabricTime());
  }

  /** Takes no more changes; resolves when those under way are done, so that the store can serve another fabric. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => {
      if (this.#closed) throw new AlthingError('cancelled', 'The peer is leaving this fabric or stopping.');
      return work();
    });
    // The queue goes on whatever became of one piece of work; its caller gets the error.
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #append(stream: RecordStream, drafts: readonly Draft[]): Promise<SignedRecord[]> {
    const { signer, crypto, clock, store } = this.#options;
    checkOwnWord(drafts, {
      gone: this.authority.gone.get(this.self)?.how,
      isVoid: stream === 'control' && this.voids('control', this.self, this.#own.after('control')),
    });
    await this.#own.keep();
    const log = this.#holdings.log(stream, signer.publicKey);
    const from = log.position;
    const records = signDrafts(drafts, {
      ...{ stream, signer, crypto, clock, fabric: this.fabric.id },
      placeOf: (at) => this.#own.after(stream, at),
      prev: log.last?.hash ?? null,
      lastWords: this.authority.lastWords,
      allowance: this.#allowance(log),
    });
    await store.commit(log.batch(records));
    this.#own.wrote(stream, records.at(-1)!);
    await this.#keepAll(records);
    this.onChange({ ...unchanged, records, own: true, from });
    return records;
  }

  async #receive(range: IncomingRange, reach: Reach): Promise<ReceiveOutcome> {
    const { stream } = range;
    const author = peerIdOf(range.author);
    if (!this.takes(stream, author)) return 'unauthorised';
    const log = this.#holdings.log(stream, range.author);
    const from = log.position;
    if (reach === 'next' && comparePositions(from, range.to) >= 0) return 'known';
    if (reach === 'next' && comparePositions(from, range.from) < 0) return 'behind';
    // What nobody asked for while it waits costs no signature.
    const why = reach === 'next' && this.#heldBack.why(stream, author, range.to);
    if (why) return why;

    const { crypto, yieldTurn } = this.#options;
    const opened = await verifyRange(range, {
      fabric: this.fabric.id,
      crypto,
      yieldTurn,
      held: (hash) => log.named(hash),
      prepare: (record) => checkInner(record, this.fabric, crypto),
    });
    const sifted = () => {
      const isAdmins = stream === 'control' && wasAdmin(author, this.authority);
      return sift(opened, log, {
        self: this.self,
        reach,
        allowance: this.#allowance(log),
        stopsAtQuota: isAdmins,
        keepsTwins: isAdmins,
        fabricTimeMs: this.#fabricTime(),
        voids: (position) => this.voids(stream, author, position),
        isNews: (position) => this.#frauds.isNews(stream, author, position),
      });
    };
    let found = sifted();
    // What is left of the range depends on what the proof means for its author. Signatures are checked once.
    while (found.fraud) {
      await this.#expose(found.fraud);
      if (!this.takes(stream, author)) return 'unauthorised';
      found = sifted();
    }
    const fits = found.isTooMuch ? fitting(log, found.records, this.#quotas) : undefined;
    this.#noteHeldBack(range, author, found, fits?.bound);
    const records = fits ? found.records.filter((record) => fits.records.has(record)) : found.records;
    const removed = fits ? log.live.filter((record) => !fits.records.has(record)) : [];
    if (records.length > 0 || removed.length > 0) {
      const { put = [], remove = [] } = log.batch(records);
      await this.#options.store.commit({ put, remove: [...remove, ...removed] });
      this.#see(records);
      if (author === this.self) this.#own.openAbove(range.to.epoch);
      this.#drop(log, removed);
      await this.#keepAll(records);
      this.onChange({ ...unchanged, records, removed, own: false, from });
    }
    return found.stoppedBy ?? (records.length > 0 ? 'applied' : 'known');
  }

  /** What does not fit any more is told of here as what was stopped is: it is not asked for again at once. */
  #noteHeldBack(
    { stream, to }: IncomingRange,
    peer: PeerId,
    { stoppedBy, stoppedAt }: Sifted,
    bound: SignedRecord | undefined,
  ): void {
    if (bound) {
      const { epoch, seq } = bound;
      const held = { peer, stream, why: 'over-quota', at: { epoch, seq }, untilMs: null } as const;
      this.#heldBack.note(held);
    } else if (stoppedBy === 'ahead' || stoppedBy === 'over-quota') {
      const { epoch, seq, hlc } = stoppedAt!;
      const untilMs = stoppedBy === 'ahead' ? stampMs(hlc) - maxAheadMs : null;
      const held = { peer, stream, why: stoppedBy, at: { epoch, seq }, untilMs };
      this.#heldBack.note(held);
    } else if (stoppedBy === undefined) this.#heldBack.clear(stream, peer, to);
  }

  /** Keeps a proof for good and draws the conclusions. */
  async #expose(proof: FraudProof): Promise<true> {
    await this.#options.store.commit({ local: [this.#frauds.note(proof)] });
    this.#frauds.add(proof);
    this.#newFrauds.push(proof.authorId);
    const whose = proof.authorId === this.self ? 'A copy of this peer has run' : 'A peer is fraudulent';
    this.#options.logger.warn(
      { author: proof.authorId, stream: proof.stream },
      `${whose}: two records were signed for one position.`,
    );
    this.#authorityChanged();
    return true;
  }

  /**
   * Moves the clock past these records where they are believable, and past our own data in any case. Our own word may
   * stand above somebody's whose clock was far ahead, as `signDrafts` stamps it: that is no time of ours.
   */
  #see(records: readonly SignedRecord[]): void {
    const latest = this.#fabricTime() + maxAheadMs;
    for (const { hlc, authorId, stream } of records)
      if ((authorId === this.self && stream === 'data') || stampMs(hlc) <= latest)
        this.#options.clock.see(hlc);
  }

  /** A slot in a long log costs: others get their turn in between, and may see the first of these before the rest. */
  async #keepAll(records: readonly SignedRecord[]): Promise<void> {
    for (const [at, record] of records.entries()) {
      if (at % keepBatch === keepBatch - 1) await this.#options.yieldTurn();
      this.#holdings.keep(record);
      if (record.stream === 'control') this.#authorityChanged();
    }
  }

  /** Control records came or went: authority is computed when it is next asked for, what follows is done after what waits. */
  #authorityChanged(): void {
    this.#standing.changed();
    this.#settleLater();
  }

  #settleLater(): void {
    if (this.#settling) return;
    this.#settling = true;
    this.#inTurn(() => this.#settle()).catch((error: unknown) => {
      if (this.#closed) return;
      this.#unpurged = true;
      if (!isDiskFailure(error))
        this.#options.logger.error({ err: toAlthingError(error) }, 'Records could not be dropped.');
    });
  }

  /** Drops what nobody is entitled to have kept any more, and tells of the changed membership. */
  async #settle(): Promise<void> {
    this.#settling = false;
    const membership = this.authority !== this.#settledFor;
    this.#settledFor = this.authority;
    const frauds = this.#newFrauds.splice(0);
    const removed: SignedRecord[] = [];
    try {
      removed.push(...(await this.#purge()));
    } finally {
      this.#heldBack.prune(({ stream, peer }) => this.takes(stream, peer));
      if (membership || removed.length > 0 || frauds.length > 0)
        this.onChange({ ...unchanged, removed, membership, frauds });
    }
  }

  async #purge(): Promise<SignedRecord[]> {
    const doomed = this.#standing.doomed();
    const remove = doomed.flatMap(([, records]) => records);
    const local = this.#frauds.staleNotes;
    if (remove.length > 0 || local.length > 0) await this.#options.store.commit({ remove, local });
    this.#frauds.forgot();
    this.#unpurged = false;
    for (const [log, records] of doomed) this.#drop(log, records);
    return remove;
  }

  #drop({ stream, authorId }: AuthorLog, records: readonly SignedRecord[]): void {
    if (records.length === 0) return;
    this.#holdings.drop(stream, authorId, records);
    if (stream === 'control') this.#authorityChanged();
  }

  #entry(log: AuthorLog): VectorEntry {
    const { epoch, seq } = log.position;
    return { stream: log.stream, author: log.author, epoch, seq, digest: log.digest(this.#options.crypto) };
  }

  #allowance(log: AuthorLog): Allowance {
    return new Allowance(log, this.#quotas, () => wasAdmin(log.authorId, this.authority));
  }

  get #quotas(): Quotas {
    return this.#options.quotas ?? protocolQuotas;
  }

  #fabricTime(): number {
    const { fabricTimeMs, now } = this.#options;
    return (fabricTimeMs ?? now)();
  }
}
