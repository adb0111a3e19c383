/**
 * One simulated peer that runs rules: engine, book, store, desk and step gate are the real ones.
 * Relies on the lab around it for time, network and chance, and on a disk that keeps what was synced when the power goes.
 */
import type { Activity } from '../core/api-shapes.ts';
import { HybridClock } from '../core/clock.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import type { ExecutionInfo } from '../core/rule-shapes.ts';
import { RuleEngine } from '../peer/rules/engine.ts';
import { ObeyedCommands } from '../peer/rules/obeyed.ts';
import { RuleBook } from '../peer/rules/rule-book.ts';
import { RuleDesk } from '../peer/rules/rule-desk.ts';
import { type RuleChanges, RuleStore } from '../peer/rules/rule-store.ts';
import type { RuleThings, RuleWorld } from '../peer/rules/rule-world.ts';
import { StepGate } from '../peer/rules/step-gate.ts';
import { StepLedger } from '../peer/rules/step-ledger.ts';
import type { SignedRecord } from '../replica/record.ts';
import type { StateBatch, StateStore } from '../replica/record-store.ts';
import { unchanged } from '../replica/replica-change.ts';
import { LocalNotes } from '../store/local-notes.ts';
import type {
  RequestOperation,
  StreamHandle,
  StreamSink,
  ThingCall,
  ThingConnector,
} from '../thing/operations.ts';
import type { Cause, InteractionContext } from '../thing/scripting-api.ts';
import type { FakeClock } from './fake-clock.ts';
import { MemoryJournal, MemoryJournalFile } from './memory-journal.ts';
import { MemoryDisk, MemoryStateStore } from './memory-store.ts';
import { type LabAct, LabLife, type LabSaying, type LabThing, LabThings, never } from './rule-lab-things.ts';
import type { RuleNetwork, RuleStation } from './rule-network.ts';

/** A record of the lab: nobody checks what it holds, so it need not be signed. */
export interface LabRecord extends SignedRecord {
  readonly isDeleted: boolean;
}

/** Who watches from outside; every part may be left out. */
export interface LabWitness {
  /** A peer is at a point at which its power may go: it looks whether it is up still when this returns. */
  at?(peer: LabPeer, point: string): void;
  said?(peer: LabPeer, saying: LabSaying): void;
  /** Changes became durable at a peer. */
  keeps?(peer: LabPeer, changes: RuleChanges): void;
  /** A peer that starts found this on its disk. */
  found?(peer: LabPeer, runs: RuleChanges['runs'], executions: readonly ExecutionInfo[]): void;
  /** A peer knows another version of a rule. */
  learned?(peer: LabPeer, rule: string): void;
  /** A peer or its Things have come or gone; or, where there is another peer, a session with that one. */
  changed?(peer: LabPeer, other?: PeerId): void;
}

/** What a peer needs of the lab around it. */
export interface LabAround {
  readonly clock: FakeClock;
  readonly network: RuleNetwork;
  readonly random: () => number;
  readonly crypto: Crypto;
  readonly witness: LabWitness;
  /** A sync of a disk takes up to so long. */
  readonly syncMs: number;
  /** Things come up to so long after their peer. */
  readonly exposeMs: number;
  readonly peers: readonly LabPeer[];
  readonly acts: LabAct[];
  readonly lastKnown: ReadonlyMap<string, { readonly value: unknown; readonly ageMs: number }>;
  record(collection: string, key: string, value: unknown): LabRecord;
}

const streamRetryMs = 250;
const defaultTimeoutMs = 10_000;

/** One peer. */
export class LabPeer implements RuleStation {
  readonly id: PeerId;
  readonly name: string;
  readonly told: Omit<Activity, 'time'>[] = [];
  readonly book: RuleBook;
  readonly disk = new MemoryDisk();
  readonly journal = new MemoryJournalFile();
  engine!: RuleEngine;
  /** By how much its own clock is wrong. */
  offsetMs = 0;
  readonly #around: LabAround;
  readonly #things: LabThings;
  readonly #records = new Map<string, Map<string, LabRecord>>();
  /** Streams that wait for a session with a peer. */
  readonly #reopening = new Map<PeerId, Set<() => void>>();
  #life: LabLife | undefined;
  #state!: MemoryStateStore;
  #store!: RuleStore;
  #journal!: MemoryJournal;
  #gate!: StepGate;
  #desk!: RuleDesk;
  #hybrid!: HybridClock;
  #starts = 0;

  constructor(around: LabAround, name: string, id: PeerId) {
    this.#around = around;
    this.id = id;
    this.name = name;
    const { clock, acts, witness } = around;
    this.#things = new LabThings({ peer: id, clock, acts, said: (saying) => witness.said?.(this, saying) });
    const recordsOf = (collection: string) =>
      [...(this.#records.get(collection)?.values() ?? [])].filter(({ isDeleted }) => !isDeleted);
    this.book = new RuleBook(
      {
        get: (collection, key) => recordsOf(collection).find((record) => record.key === key),
        list: recordsOf,
      },
      'UTC',
    );
  }

  get isUp(): boolean {
    return this.#life !== undefined;
  }

  get things(): ReadonlyMap<string, LabThing> {
    return this.#things.all;
  }

  start(): void {
    const { clock, network, syncMs, witness } = this.#around;
    this.#starts += 1;
    const life = new LabLife(`${this.name}${this.#starts}`, clock, (point) => witness.at?.(this, point));
    this.#life = life;
    this.#things.begin(life);
    this.#state = new MemoryStateStore(this.disk, { byHand: syncMs > 0 });
    const notes = new LocalNotes(this.#lateStore(life, this.#state), new Map(this.disk.local));
    const fabric = 'ab'.repeat(32);
    this.#store = new RuleStore(notes, fabric);
    const stamps = [...this.#records.values()].flatMap((records) => [...records.values()]);
    this.#hybrid = new HybridClock(() => this.#now(), Math.max(0, ...stamps.map(({ hlc }) => hlc)));
    const { schedule } = life;
    const obeyed = new ObeyedCommands({
      kept: () => this.#store.obeyed(),
      keep: async () => {},
      now: () => this.#now(),
      monotonic: clock.now,
      schedule,
      logger: silentLogger,
    });
    const time = () => ({ ms: this.#now(), known: true });
    this.#journal = new MemoryJournal(this.journal);
    const ledger = new StepLedger({
      ...{
        notes,
        fabric,
        journal: this.#journal,
        time,
        monotonic: clock.now,
        schedule,
        logger: silentLogger,
      },
    });
    void ledger.start();
    this.#gate = new StepGate({ self: this.id, ledger, obeyed, time, schedule, now: clock.now });
    this.#desk = new RuleDesk({
      roleOf: () => 'member',
      ask: (step, waitMs, from) => this.#gate.ask(step, waitMs, from),
      executions: (filter) => this.#store.executions(filter),
      obeyed: () => [],
      now: clock.now,
    });
    this.engine = new RuleEngine(this.#world(life, (thing, name) => obeyed.causeOf(thing, name)));
    this.#desk.serve(this.engine.handlers);
    witness.changed?.(this);
    // What had just reached the disk when the power went nobody heard of.
    witness.found?.(this, [...this.#store.runs()], this.#store.executions({ limit: 1000 }));
    this.#exposeAll(life);
    this.engine.start();
    network.started(this);
  }

  /** From now on nothing can be stored here. */
  failDisk(): void {
    this.#state.commit = () => Promise.reject(new AlthingError('disk-full', 'The disk is full.'));
  }

  /** The process dies, or with `power` the machine: what was durable stays, and of the rest as much as chance has it. */
  crash({ power = false } = {}): void {
    if (!this.#life) return;
    const { random } = this.#around;
    this.#state.crash(Math.floor(random() * (this.#state.waiting + 1)));
    this.#journal.close();
    if (power) this.journal.cutPower(() => random() < 0.5);
    this.#leave();
    void this.engine.close();
  }

  async stop(): Promise<void> {
    if (!this.#life) return;
    const closed = this.engine.close();
    await this.#state.close();
    this.#journal.close();
    this.#leave();
    await closed;
  }

  /** Exposes a Thing with these properties, observable unless it says otherwise, an event `bell` and an action `go`. */
  expose(name: string, values: Record<string, unknown> = {}, observable = true): LabThing {
    const thing = this.#things.add(name, values, observable);
    for (const peer of this.#around.peers) if (peer.isUp) peer.engine.changed();
    return thing;
  }

  /** The Thing says that a property is this now, or that an event came. */
  emit(thing: LabThing, name: string, value: unknown): void {
    this.#things.emit(thing, name, value);
  }

  executions(rule?: string): ExecutionInfo[] {
    return this.engine.executions(rule === undefined ? {} : { rule });
  }

  /** How executions of a rule ended, oldest first. */
  outcomes(rule: string): string[] {
    return this.executions(rule)
      .map(({ outcome }) => outcome)
      .reverse();
  }

  /** Takes records in that it does not have yet, and passes them on. */
  take(records: readonly LabRecord[]): void {
    const news = records.filter(({ collection, key, hlc }) => {
      const known = this.#records.get(collection)?.get(key);
      return !known || known.hlc < hlc;
    });
    if (news.length === 0) return;
    for (const record of news) {
      const kept = this.#records.get(record.collection) ?? new Map<string, LabRecord>();
      this.#records.set(record.collection, kept.set(record.key, record));
      if (record.collection === 'rule') this.#around.witness.learned?.(this, record.key);
    }
    this.book.recordsChanged({ ...unchanged, records: news });
    for (const other of this.#life ? this.#around.network.peersOf(this) : []) this.#passOn(other, news);
  }

  sessionChanged(peer: PeerId, isOnline: boolean): void {
    this.#around.witness.changed?.(this, peer);
    if (isOnline) {
      this.#passOn(
        peer,
        [...this.#records.values()].flatMap((records) => [...records.values()]),
      );
      for (const reopen of [...(this.#reopening.get(peer) ?? [])]) reopen();
    }
    this.engine.presenceChanged(peer, isOnline);
  }

  #passOn(to: PeerId, records: readonly LabRecord[]): void {
    if (records.length > 0) this.#around.network.post(this, to, () => this.#peer(to)?.take(records));
  }

  #leave(): void {
    this.#life!.isOver = true;
    this.#life = undefined;
    this.#things.end();
    this.#reopening.clear();
    this.#around.network.gone(this);
    this.#around.witness.changed?.(this);
  }

  #exposeAll({ schedule }: LabLife): void {
    const { exposeMs, random, witness } = this.#around;
    for (const thing of this.things.values()) {
      if (exposeMs === 0) thing.isExposed = true;
      else
        schedule(Math.ceil(exposeMs * random()), () => {
          thing.isExposed = true;
          witness.changed?.(this);
          this.engine.changed();
        });
    }
  }

  #peer(id: PeerId | undefined): LabPeer | undefined {
    return this.#around.peers.find((peer) => peer.id === id);
  }

  #ownerOf(thing: string): LabPeer {
    const owner = this.#peer(parseThingId(thing)?.peer);
    if (!owner) throw new AlthingError('thing-unknown', 'There is no such Thing.');
    return owner;
  }

  /** The fabric's time: the middle of the clocks of those in session, this one's included. */
  #now(): number {
    const { clock, network } = this.#around;
    const others = network.peersOf(this).map((id) => this.#peer(id)!);
    const offsets = [this, ...others].map(({ offsetMs }) => offsetMs).sort((a, b) => a - b);
    return clock.now() + offsets[offsets.length >> 1]!;
  }

  /** Commits wait for the disk, several together. */
  #lateStore(life: LabLife, store: MemoryStateStore): StateStore {
    const { syncMs, random } = this.#around;
    if (syncMs === 0) return store;
    const sync = (): void => {
      if (!life.isOverAt('sync')) store.sync();
    };
    return {
      load: () => store.load(),
      close: () => store.close(),
      commit: (batch: StateBatch) => {
        if (life.isOverAt('commit')) return never();
        if (store.waiting === 0) life.schedule(Math.ceil(syncMs * random()), sync);
        return store.commit(batch);
      },
    };
  }

  /** A request that came to this device. */
  async #serve(
    call: ThingCall<RequestOperation>,
    from: PeerId,
    { cause, timeoutMs }: { readonly cause: Cause; readonly timeoutMs: number },
  ): Promise<unknown> {
    const life = this.#life!;
    if (life.isOverAt(`arrived ${call.op}`)) return never();
    const context: InteractionContext = {
      ...{ peer: from, cause, uriVariables: {} },
      signal: new AbortController().signal,
      deadline: this.#around.clock.now() + timeoutMs,
    };
    const acting = {
      check: async () => {},
      request: (_call: ThingCall, { signal }: InteractionContext) =>
        this.#things.request(call, { cause, signal }),
    };
    try {
      return await this.#gate.request(acting, call, context);
    } finally {
      if (life.isOverAt(`answer ${call.op}`)) await never();
    }
  }

  #world(life: LabLife, causeOf: RuleWorld['causeOf']): RuleWorld {
    const { network, crypto, witness, record } = this.#around;
    const store = this.#store;
    return {
      self: this.id,
      crypto,
      logger: silentLogger,
      now: () => this.#now(),
      isTimeKnown: () => true,
      schedule: life.schedule,
      stamp: () => this.#hybrid.next(),
      book: this.book,
      store: {
        write: async (changes) => {
          await store.write(changes);
          witness.keeps?.(this, changes);
        },
        runs: () => store.runs(),
        triggers: () => store.triggers(),
        executions: (filter) => store.executions(filter),
        hasExecution: (firing) => store.hasExecution(firing),
      },
      connector: this.#connector(life),
      things: this.#known(),
      presence: {
        isMember: () => true,
        live: () => new Set([this.id, ...network.peersOf(this)]),
        isOnline: (id) => id === this.id || network.isOnline(this.id, id),
        rttMs: () => 1,
      },
      ask: async (to, { name, input, timeoutMs }) => {
        if (life.isOverAt(`ask ${name}`)) return never();
        const call = { thing: 'desk', op: 'invokeaction', name, input: structuredClone(input) } as const;
        const caller = { peer: this.id, visitor: { kind: 'member' } } as const;
        try {
          return (await this.#reach(to, (peer) => peer.#desk.request(caller, call), timeoutMs)) as never;
        } finally {
          if (life.isOverAt(`heard ${name}`)) await never();
        }
      },
      setValue: async (name, value) => this.take([record('value', name, value)]),
      causeOf,
      tell: (activity) => this.told.push(activity),
    };
  }

  #known(): RuleThings {
    const { peers, network, lastKnown } = this.#around;
    const isUsable = (thing: string, peer: PeerId): boolean =>
      peer === this.id ? this.#things.isHere(thing) : network.isOnline(this.id, peer);
    return {
      isHere: (thing) => this.#things.isHere(thing),
      td: (thing) => this.#peer(parseThingId(thing)?.peer)?.things.get(thing)?.td,
      speakerOf: (thing) => parseThingId(thing)?.peer,
      find: ({ type, capability, online }) =>
        peers
          .flatMap((peer) => [...peer.things.values()].map(({ td }) => ({ td, peer: peer.id })))
          .filter(({ td }) => type === undefined || td['@type'] === type)
          .filter(({ td }) => capability === undefined || Object.hasOwn(td.properties ?? {}, capability))
          .filter(({ td, peer }) => online === undefined || isUsable(td.id, peer) === online)
          .map(({ td, peer }) => ({ thing: td.id, peer })),
      lastKnown: (thing, property) => lastKnown.get(`${thing} ${property}`),
      nameOf: (id) => this.#peer(id)?.name ?? parseThingId(id)?.name ?? id,
    };
  }

  #reach(to: PeerId, serve: (peer: LabPeer) => Promise<unknown>, timeoutMs: number): Promise<unknown> {
    if (to === this.id) return serve(this);
    return this.#around.network.request(this, to, () => serve(this.#peer(to)!), timeoutMs);
  }

  #connector(life: LabLife): ThingConnector {
    return {
      request: async (call, { cause, timeoutMs = defaultTimeoutMs } = {}) => {
        if (life.isOverAt(`ask ${call.op}`)) return never();
        const why = { cause: cause ?? ({ id: 'lab', origin: 'program', peer: this.id } as const), timeoutMs };
        try {
          const serve = (peer: LabPeer) => peer.#serve(structuredClone(call), this.id, why);
          return await this.#reach(this.#ownerOf(call.thing).id, serve, timeoutMs);
        } finally {
          if (life.isOverAt(`heard ${call.op}`)) await never();
        }
      },
      stream: async (call, sink) => {
        const owner = this.#ownerOf(call.thing);
        return owner === this
          ? { stop: this.#things.subscribe(call, sink) }
          : this.#follow(life, owner, call, sink);
      },
    };
  }

  /** A stream that goes on with the next session, as `remote-streams.ts` sees to; what it missed it only says. */
  async #follow(life: LabLife, owner: LabPeer, call: ThingCall, sink: StreamSink): Promise<StreamHandle> {
    const { network } = this.#around;
    const reopening = this.#reopening.get(owner.id) ?? new Set();
    this.#reopening.set(owner.id, reopening);
    let stop = (): void => {};
    let stopped = false;
    const open = async (): Promise<void> => {
      const follower: Parameters<typeof network.stream>[3] = {
        next: (value, position) => !stopped && sink.next(value, position),
        lost: () => reopening.add(reopen),
      };
      stop = await network.stream(
        this,
        owner.id,
        (next) => owner.#things.subscribe(call, { next }),
        follower,
      );
      if (stopped) stop();
    };
    const reopen = (): void => {
      reopening.delete(reopen);
      if (stopped) return;
      open().then(
        () => sink.error(new AlthingError('values-missed', 'Some values did not arrive.')),
        (error: AlthingError) => {
          if (error.code === 'thing-unknown') life.schedule(streamRetryMs, reopen);
          else reopening.add(reopen);
        },
      );
    };
    await open();
    return {
      stop: () => {
        stopped = true;
        reopening.delete(reopen);
        stop();
      },
    };
  }
}
