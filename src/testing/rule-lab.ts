/**
 * Several peers that run rules, in one process with one clock that the test turns: engines, stores and step gates are
 * the real ones. Relies on a simulated network, whose links a test cuts, and on Things that remember what they did.
 */

import type { Activity } from '../core/api-shapes.ts';
import { stampOf } from '../core/clock.ts';
import { encode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId, peerIdOf, thingIdOf } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import type { ExecutionInfo } from '../core/rule-shapes.ts';
import { RuleEngine } from '../peer/rules/engine.ts';
import { ObeyedCommands } from '../peer/rules/obeyed.ts';
import { RuleBook } from '../peer/rules/rule-book.ts';
import { RuleDesk } from '../peer/rules/rule-desk.ts';
import { RuleStore } from '../peer/rules/rule-store.ts';
import type { RuleWorld } from '../peer/rules/rule-world.ts';
import { StepGate } from '../peer/rules/step-gate.ts';
import { StepLedger } from '../peer/rules/step-ledger.ts';
import type { SignedRecord } from '../replica/record.ts';
import { unchanged } from '../replica/replica-change.ts';
import { parseRule, type Rule, type Scene } from '../rules/rule.ts';
import { LocalNotes } from '../store/local-notes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import type { RequestOperation, StreamSink, ThingCall, ThingConnector } from '../thing/operations.ts';
import type { Cause, InteractionContext } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryJournal, MemoryJournalFile } from './memory-journal.ts';
import { MemoryDisk, MemoryStateStore } from './memory-store.ts';

/** What a Thing did, in the order in which it did it. */
export interface LabDeed {
  readonly thing: string;
  readonly name: string;
  readonly input: unknown;
  readonly atMs: number;
  readonly cause: Cause;
}

/** What expressions and plans need, loaded before the clock is turned. */
const loadLanguages = () =>
  Promise.all([
    import('../rules/expression.ts'),
    import('../rules/expression-syntax.ts'),
    import('../rules/schedule.ts'),
  ]);

/** The fabric of a test. */
export class RuleLab {
  readonly clock = new FakeClock();
  readonly peers: LabPeer[] = [];
  /** Everything that any Thing did. */
  readonly deeds: LabDeed[] = [];
  /** What was last known of values, by Thing and property. */
  readonly lastKnown = new Map<string, { readonly value: unknown; readonly ageMs: number }>();
  readonly #records = new Map<string, Map<string, SignedRecord>>();
  readonly #cut = new Set<string>();
  #stamp = 0;

  /** A peer that runs. */
  async start(name: string): Promise<LabPeer> {
    await loadLanguages();
    const peer = new LabPeer(this, name, peerIdOf(new Uint8Array(32).fill(this.peers.length + 1)));
    this.peers.push(peer);
    peer.start();
    return peer;
  }

  peer(id: PeerId): LabPeer | undefined {
    return this.peers.find((peer) => peer.id === id);
  }

  /** Writes a rule as an admin does; null removes it. */
  rule(key: string, rule: Partial<Rule> | null): void {
    const whole = rule && { name: key, enabled: true, mode: 'single', conditions: [], ...rule };
    if (whole && !parseRule(whole)) throw new Error(`${key} is no rule`);
    this.write('rule', key, whole);
  }

  scene(key: string, scene: Scene): void {
    this.write('scene', key, scene);
  }

  write(collection: string, key: string, value: unknown): void {
    const records = this.recordsOf(collection);
    const raw = new Uint8Array([...new Uint8Array(64), ...encode([0, 0, 0, 0, 0, 0, 0, value])]);
    const record = { collection, key, raw, hlc: this.stamp(), authorId: this.peers[0]!.id };
    if (value === null) records.delete(key);
    else records.set(key, record as unknown as SignedRecord);
    const change = { ...unchanged, records: [record as unknown as SignedRecord] };
    for (const peer of this.peers) peer.book.recordsChanged(change);
  }

  recordsOf(collection: string): Map<string, SignedRecord> {
    let records = this.#records.get(collection);
    if (!records) {
      records = new Map();
      this.#records.set(collection, records);
    }
    return records;
  }

  stamp(): number {
    this.#stamp = Math.max(this.#stamp + 1, stampOf(this.clock.now()));
    return this.#stamp;
  }

  /** Whether two peers have a session. */
  isLinked(a: LabPeer, b: LabPeer): boolean {
    return a === b ? a.isUp : a.isUp && b.isUp && !this.#cut.has(linkOf(a, b));
  }

  /** Cuts the network between two peers, or mends it. */
  link(a: LabPeer, b: LabPeer, isLinked: boolean): void {
    if (isLinked) this.#cut.delete(linkOf(a, b));
    else this.#cut.add(linkOf(a, b));
    if (!a.isUp || !b.isUp) return;
    a.engine.presenceChanged(b.id, isLinked);
    b.engine.presenceChanged(a.id, isLinked);
  }

  /** A peer has started or stopped: the others see it. */
  presenceChanged(peer: LabPeer, isOnline: boolean): void {
    for (const other of this.peers) {
      if (other === peer || !other.isUp || this.#cut.has(linkOf(other, peer))) continue;
      other.engine.presenceChanged(peer.id, isOnline);
      if (isOnline) peer.engine.presenceChanged(other.id, true);
    }
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass, as it comes due. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.settle();
    for (let dueMs = this.clock.dueMs; dueMs !== undefined && dueMs <= until; dueMs = this.clock.dueMs) {
      this.clock.advance(Math.max(0, dueMs - this.clock.now()));
      await this.settle();
    }
    this.clock.advance(until - this.clock.now());
    await this.settle();
  }

  /** What was done, in short: `lamp.on=true`. */
  get done(): string[] {
    return this.deeds.map(
      ({ thing, name, input }) => `${parseThingId(thing)!.name}.${name}=${JSON.stringify(input)}`,
    );
  }

  async close(): Promise<void> {
    for (const peer of this.peers) await peer.stop();
  }
}

const linkOf = (a: LabPeer, b: LabPeer): string => [a.id, b.id].sort().join(' ');

/** A Thing of the lab: properties that anybody may write, actions that do nothing but are remembered. */
export interface LabThing {
  readonly id: string;
  readonly td: ThingDescription;
  readonly values: Record<string, unknown>;
  readonly sinks: Set<{ readonly name: string; readonly sink: StreamSink }>;
  /** What happens before a command is answered; what rejects is the command's failure. */
  acting: (call: ThingCall) => Promise<void>;
}

/** One peer. */
export class LabPeer {
  readonly id: PeerId;
  readonly name: string;
  readonly told: Omit<Activity, 'time'>[] = [];
  readonly things = new Map<string, LabThing>();
  readonly book: RuleBook;
  readonly disk = new MemoryDisk();
  readonly journal = new MemoryJournalFile();
  engine!: RuleEngine;
  isUp = false;
  readonly #lab: RuleLab;
  #state!: MemoryStateStore;
  #store!: RuleStore;
  #journal!: MemoryJournal;
  #gate!: StepGate;
  #desk!: RuleDesk;
  #seq = 0;
  #starts = 0;

  constructor(lab: RuleLab, name: string, id: PeerId) {
    this.#lab = lab;
    this.id = id;
    this.name = name;
    this.book = new RuleBook(
      {
        get: (collection, key) => lab.recordsOf(collection).get(key),
        list: (collection) => [...lab.recordsOf(collection).values()],
      },
      'UTC',
    );
  }

  start(): void {
    const { clock } = this.#lab;
    const time = () => ({ ms: clock.now(), known: true });
    this.#starts += 1;
    this.#state = new MemoryStateStore(this.disk);
    const notes = new LocalNotes(this.#state, new Map(this.disk.local));
    const fabric = 'ab'.repeat(32);
    this.#store = new RuleStore(notes, fabric);
    this.#journal = new MemoryJournal(this.journal);
    const { now: monotonic, schedule } = clock;
    const ledger = new StepLedger({
      ...{ notes, fabric, journal: this.#journal, time, monotonic, schedule, logger: silentLogger },
    });
    void ledger.start();
    const obeyed = new ObeyedCommands({
      kept: () => this.#store.obeyed(),
      keep: async () => {},
      now: clock.now,
      monotonic: clock.now,
      schedule: clock.schedule,
    });
    this.#gate = new StepGate({
      ...{ self: this.id, ledger, obeyed, time, schedule },
    });
    this.#desk = new RuleDesk({
      roleOf: () => 'member',
      ask: (step, waitMs, from) => this.#gate.ask(step, waitMs, from),
      executions: (filter) => this.#store.executions(filter),
      obeyed: () => [],
      now: clock.now,
    });
    this.engine = new RuleEngine(this.#world((thing, affordance) => obeyed.causeOf(thing, affordance)));
    this.#desk.serve(this.engine.handlers);
    this.isUp = true;
    this.engine.start();
    this.#lab.presenceChanged(this, true);
  }

  /** From now on nothing can be stored here. */
  failDisk(): void {
    this.#state.commit = () => Promise.reject(new AlthingError('disk-full', 'The disk is full.'));
  }

  /** The process dies, or with `power` the machine: what was durable stays, and what has reached the system where it lives. */
  crash({ power = false } = {}): void {
    this.isUp = false;
    this.#state.crash();
    this.#journal.close();
    if (power) this.journal.cutPower();
    void this.engine.close();
    for (const { sinks } of this.things.values()) sinks.clear();
    this.#lab.presenceChanged(this, false);
  }

  async stop(): Promise<void> {
    if (!this.isUp) return;
    this.isUp = false;
    await this.engine.close();
    await this.#state.close();
  }

  /** Exposes a Thing with these properties, observable unless it says otherwise, an event `bell` and an action `go`. */
  expose(name: string, values: Record<string, unknown> = {}, observable = true): LabThing {
    const properties = Object.fromEntries(Object.keys(values).map((property) => [property, { observable }]));
    const id = thingIdOf(this.id, name);
    const td = { id, title: name, '@type': 'Lab', properties, actions: { go: {} }, events: { bell: {} } };
    const thing: LabThing = {
      ...{ id, values: { ...values }, sinks: new Set() },
      td: td as unknown as ThingDescription,
      acting: async () => {},
    };
    this.things.set(id, thing);
    for (const peer of this.#lab.peers) if (peer.isUp) peer.engine.changed();
    return thing;
  }

  /** The Thing says that a property is this now, or that an event came. */
  emit(thing: LabThing, name: string, value: unknown): void {
    if (name in thing.values) thing.values[name] = value;
    const position = { run: `${this.name}${this.#starts}`, seq: ++this.#seq };
    for (const one of [...thing.sinks]) if (one.name === name) one.sink.next(value, position);
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

  /** A request that came to this device. */
  async serve(call: ThingCall<RequestOperation>, from: PeerId, cause: Cause): Promise<unknown> {
    const thing = this.things.get(call.thing);
    if (!thing) throw new AlthingError('thing-unknown', 'Nothing exposes it here.');
    const context: InteractionContext = {
      ...{ peer: from, cause, uriVariables: {} },
      signal: new AbortController().signal,
      deadline: Date.now() + 60_000,
    };
    const acting = { check: async () => {}, request: () => this.#act(thing, call, cause) };
    return this.#gate.request(acting, call, context);
  }

  async #act(thing: LabThing, call: ThingCall<RequestOperation>, cause: Cause): Promise<unknown> {
    const name = call.name!;
    if (call.op === 'readproperty') {
      if (!(name in thing.values)) throw new AlthingError('affordance-unknown', 'It has no such property.');
      return thing.values[name];
    }
    await thing.acting(call);
    const atMs = this.#lab.clock.now();
    this.#lab.deeds.push({ thing: thing.id, name, input: call.input, atMs, cause });
    if (call.op === 'writeproperty') this.emit(thing, name, call.input);
    return null;
  }

  #world(causeOf: RuleWorld['causeOf']): RuleWorld {
    const lab = this.#lab;
    const { clock } = lab;
    const speakerOf = (thing: string) => parseThingId(thing)?.peer;
    const tdOf = (thing: string) => lab.peer(speakerOf(thing) ?? '')?.things.get(thing)?.td;
    const epoch = this.#starts;
    return {
      self: this.id,
      crypto: nodeCrypto,
      logger: silentLogger,
      now: clock.now,
      isTimeKnown: () => true,
      // Nothing of a former start goes on.
      schedule: (delayMs, callback) => {
        const due = (): void => {
          if (this.isUp && this.#starts === epoch) callback();
        };
        if (delayMs > 0) return clock.schedule(delayMs, due);
        const turn = setImmediate(due);
        return () => clearImmediate(turn);
      },
      stamp: () => lab.stamp(),
      book: this.book,
      store: this.#store,
      connector: this.#connector(epoch),
      things: {
        isHere: (thing) => this.things.has(thing),
        td: tdOf,
        speakerOf,
        find: ({ type, capability }) =>
          lab.peers
            .flatMap((peer) => [...peer.things.values()].map(({ td }) => ({ td, peer: peer.id })))
            .filter(({ td }) => type === undefined || td['@type'] === type)
            .filter(({ td }) => capability === undefined || Object.hasOwn(td.properties ?? {}, capability))
            .map(({ td, peer }) => ({ thing: td.id, peer })),
        lastKnown: (thing, property) => lab.lastKnown.get(`${thing} ${property}`),
        nameOf: (id) => lab.peer(id)?.name ?? parseThingId(id)?.name ?? id,
      },
      presence: {
        isMember: () => true,
        live: () => new Set(lab.peers.filter((peer) => lab.isLinked(this, peer)).map(({ id }) => id)),
        isOnline: (id) => {
          const peer = lab.peer(id);
          return peer !== undefined && lab.isLinked(this, peer);
        },
        rttMs: () => 1,
      },
      ask: async (to, { name, input }) => {
        const peer = this.#reach(to);
        const caller = { peer: this.id, visitor: { kind: 'member' } } as const;
        const copy = structuredClone(input);
        const answer = await peer.#desk.request(caller, {
          ...{ thing: 'desk', op: 'invokeaction', name, input: copy },
        });
        if (!this.isUp || this.#starts !== epoch) return new Promise(() => {});
        this.#reach(to);
        return structuredClone(answer) as never;
      },
      setValue: async (name, value) => lab.write('value', name, value),
      causeOf,
      tell: (activity) => this.told.push(activity),
    };
  }

  #reach(id: PeerId): LabPeer {
    const peer = this.#lab.peer(id);
    if (peer && this.isUp && this.#lab.isLinked(this, peer)) return peer;
    throw new AlthingError('peer-offline', 'It cannot be reached.');
  }

  #connector(epoch: number): ThingConnector {
    const ownerOf = (thing: string) => parseThingId(thing)?.peer ?? '';
    return {
      request: async (call, { cause } = {}) => {
        const peer = this.#reach(ownerOf(call.thing));
        const why = cause ?? { id: 'lab', origin: 'program', peer: this.id };
        try {
          return await peer.serve(call, this.id, why);
        } finally {
          // One whose power went hears nothing; a broken connection brings no answer.
          if (!this.isUp || this.#starts !== epoch) await new Promise(() => {});
          if (!this.#lab.isLinked(this, peer))
            // biome-ignore lint/correctness/noUnsafeFinally: the answer is lost, whatever it was.
            throw new AlthingError('outcome-unknown', 'The connection broke.');
        }
      },
      stream: async (call, sink) => {
        const thing = this.#reach(ownerOf(call.thing)).things.get(call.thing);
        if (!thing) throw new AlthingError('thing-unknown', 'Nothing exposes it there.');
        const entry = { name: call.name!, sink };
        thing.sinks.add(entry);
        return { stop: () => thing.sinks.delete(entry) };
      },
    };
  }
}
