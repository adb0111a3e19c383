/**
 * What one fabric's rules need of this peer to run, and the engine that runs them, loaded with the first rule.
 * Relies on the fabric's parts; this is where timers and the clock come from.
 */
import type { Activity } from '../../core/api-shapes.ts';
import type { Crypto } from '../../core/crypto.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { ExecutionInfo } from '../../core/rule-shapes.ts';
import type { ReplicaChange } from '../../replica/replica-change.ts';
import type { CauseChain } from '../../rules/causes.ts';
import { sameValue } from '../../rules/trigger-state.ts';
import type { ThingConnector } from '../../thing/operations.ts';
import { authorsConnector } from './authors-connector.ts';
import type { RuleEngine } from './engine.ts';
import { type FabricThings, rulePresence, ruleThings } from './fabric-things.ts';
import { NameResolving } from './name-resolving.ts';
import type { RuleBook } from './rule-book.ts';
import type { StandbyHandlers } from './rule-desk.ts';
import type { ExecutionFilter, RuleStore } from './rule-store.ts';
import type { AskPeer, RuleWorld } from './rule-world.ts';

export interface RuleHostOptions extends Omit<FabricThings, 'now'> {
  readonly book: RuleBook;
  readonly crypto: Crypto;
  readonly store: RuleStore;
  /** The fabric's time in milliseconds since 1970, and whether this device knows it. */
  readonly time: () => { readonly ms: number; readonly known: boolean };
  /** A new stamp of the fabric's hybrid clock. */
  readonly stamp: () => number;
  readonly connector: ThingConnector;
  readonly ask: AskPeer;
  readonly causeOf: (thing: string, affordance: string) => CauseChain;
  readonly activity: (activity: Omit<Activity, 'time'>) => void;
  /** What members' rules may do may have changed, since a grant has begun or ended. */
  readonly rightsChanged: () => void;
  readonly logger: Logger;
}

/** Node fires at once where it is asked to wait longer; whoever waits looks at the clock again. */
const maxDelayMs = 2 ** 31 - 1;

/** The rules of one fabric at this peer. */
export class RuleHost implements StandbyHandlers {
  readonly book: RuleBook;
  readonly #options: RuleHostOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #names: NameResolving;
  #cancelRights: (() => void) | undefined;
  #engine: RuleEngine | undefined;
  #loading: Promise<RuleEngine> | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor(options: RuleHostOptions) {
    this.#options = options;
    this.book = options.book;
    const { replica, directory, crypto, logger } = options;
    this.#names = new NameResolving({
      ...{ replica, directory, crypto, logger, book: this.book },
      live: () => rulePresence({ ...options, now: () => options.time().ms }).live(),
      schedule: (delayMs, callback) => this.#schedule(delayMs, callback),
    });
  }

  /** From now on rules run, as soon as there are any. */
  start(): void {
    this.#isStarted = true;
    this.#watchRights();
    this.#consider();
  }

  recordsChanged(change: ReplicaChange): void {
    this.book.recordsChanged(change);
    const isAboutThings = [...change.records, ...change.removed].some(
      ({ collection }) => collection === 'thing' || collection === 'label',
    );
    if (change.membership || isAboutThings) this.thingsChanged();
    if (change.membership && this.#isStarted) this.#watchRights();
    if (this.#isStarted) this.#names.changed();
    this.#consider();
  }

  /** Things, here or elsewhere, have come, changed or gone. */
  thingsChanged(): void {
    this.#engine?.changed();
  }

  /** A session with a peer has begun or ended. */
  presenceChanged(peer: PeerId, isOnline: boolean): void {
    this.#engine?.presenceChanged(peer, isOnline);
    if (this.#isStarted) this.#names.changed();
  }

  /** The peers that rules here have to do with: sessions with them are kept, however many members there are. */
  get needed(): Iterable<PeerId> {
    const { membership } = this.#options;
    return [...(this.#engine?.needed ?? [])].filter((peer) => membership.roleOf(peer) !== undefined);
  }

  async standby(from: PeerId, input: unknown): Promise<unknown> {
    return (await this.engine()).handlers.standby(from, input);
  }

  async over(from: PeerId, input: unknown): Promise<unknown> {
    return (await this.engine()).handlers.over(from, input);
  }

  /** What rules did and do at this peer, newest first. */
  executions(filter: ExecutionFilter): ExecutionInfo[] {
    return this.#engine ? this.#engine.executions(filter) : this.#options.store.executions(filter);
  }

  /** The engine, whether there are rules or not. */
  engine(): Promise<RuleEngine> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      // As while the package is being replaced: whoever asks next tries again.
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  /** Resolves when the rules that are known now are watched for; at once where they cannot be run, which was logged. */
  async settled(): Promise<void> {
    const engine = await this.#loading?.catch(() => undefined);
    engine?.settle();
  }

  /** Stops what runs; it goes on after the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    // What could not be loaded was told to whoever asked for it, and has nothing to stop.
    const engine = await this.#loading?.catch(() => undefined);
    await engine?.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Grants that let members write rules begin and end by time alone. */
  #watchRights(): void {
    this.#cancelRights?.();
    this.#cancelRights = undefined;
    const inMs = this.book.nextChangeMs();
    if (inMs === undefined) return;
    this.#cancelRights = this.#schedule(inMs, () => {
      this.thingsChanged();
      this.#options.rightsChanged();
      this.#consider();
      this.#watchRights();
    });
  }

  #consider(): void {
    if (!this.#isStarted || this.#isClosed || this.#loading) return;
    if (this.book.rules().length === 0 && this.#options.store.runs().size === 0) return;
    this.engine().catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'Rules cannot be run.');
    });
  }

  async #load(): Promise<RuleEngine> {
    const { RuleEngine } = await import('./engine.ts');
    const engine = new RuleEngine(this.world());
    if (!this.#isClosed) {
      this.#engine = engine;
      engine.start();
    }
    return engine;
  }

  /** What rules see of this peer. */
  world(): RuleWorld {
    const { replica, crypto, store, time, stamp, ask, causeOf, activity, logger } = this.#options;
    const fabric: FabricThings = { ...this.#options, now: () => time().ms };
    const things = ruleThings(fabric);
    return {
      ...{ self: replica.self, crypto, store, stamp, ask, causeOf, logger, things },
      book: this.book,
      connector: authorsConnector(this.#options.connector, this.book, things),
      presence: rulePresence(fabric),
      now: nowOf(time),
      isTimeKnown: () => time().known,
      schedule: (delayMs, callback) => this.#schedule(delayMs, callback),
      tell: activity,
      setValue: async (name, value) => {
        if (sameValue(this.book.value(name), value)) return;
        await replica.write(() => [{ collection: 'value', key: name, value }]);
      },
    };
  }

  #schedule(delayMs: number, callback: () => void): () => void {
    if (this.#isClosed) return () => {};
    if (delayMs <= 0) {
      const turn = setImmediate(callback);
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        callback();
      },
      Math.min(delayMs, maxDelayMs),
    );
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }
}

/** The fabric's time; where it is not known it stands still, but what waits five minutes is to wait five minutes. */
const nowOf = (time: RuleHostOptions['time']): (() => number) => {
  let unknownSince: number | undefined;
  return () => {
    const { ms, known } = time();
    if (known) {
      unknownSince = undefined;
      return ms;
    }
    unknownSince ??= performance.now();
    return Math.round(ms + performance.now() - unknownSince);
  };
};
