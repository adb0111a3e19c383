/**
 * What the Things of this device obeyed lately, for whom and why; and so what made a Thing say what it says.
 * Relies on the store for keeping it over a restart, which may lose the last seconds; a command waits for nothing here.
 */
import { errorTable, isErrorCode, toAlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { ObeyedInfo } from '../../core/rule-shapes.ts';
import { cutValue } from '../../rules/cut-value.ts';
import type { ThingCall } from '../../thing/operations.ts';
import type { Cause, CauseLink, InteractionContext } from '../../thing/scripting-api.ts';
import { inBackground } from './in-background.ts';

/** Commands kept of a Thing, and in all. */
const perThing = 16;
const inAll = 2000;
const flushMs = 5000;
/** What a Thing says this long after a command has ended is still its doing. */
const afterMs = 2000;
/** Commands of one Thing that run at once and are remembered. */
const maxOpen = 48;
const refusedExit = 4;

/** One command while it runs and after. */
class Obeyed {
  readonly thing: string;
  readonly op: string;
  readonly name: string | undefined;
  readonly input: unknown;
  readonly peer: PeerId;
  readonly cause: Cause;
  readonly atMs: number;
  outcome = 'running';
  /** On the monotonic clock. */
  endedMs = Number.POSITIVE_INFINITY;

  constructor(call: ThingCall, peer: PeerId, cause: Cause, atMs: number) {
    this.thing = call.thing;
    this.op = call.op;
    this.name = call.name;
    this.input = cutValue(call.input);
    this.peer = peer;
    this.cause = cause;
    this.atMs = atMs;
  }
}

/** What was kept of an earlier run, newest first, and what came in this one, newest last. */
interface Memory {
  readonly before: ObeyedInfo[];
  readonly now: Obeyed[];
}

export interface ObeyedOptions {
  /** What was kept before, by Thing; read once, when first needed. */
  readonly kept: () => ReadonlyMap<string, readonly ObeyedInfo[]>;
  /** Keeps what Things obeyed, by Thing; null forgets one. Its failures are its own. */
  readonly keep: (changes: readonly (readonly [string, readonly ObeyedInfo[] | null])[]) => Promise<void>;
  /** Told of each command that has ended and was not refused. */
  readonly ended?: (obeyed: ObeyedInfo) => void;
  /** Milliseconds since 1970, and on a monotonic clock. */
  readonly now: () => number;
  readonly monotonic: () => number;
  /** Calls back after a while, until the returned function is called. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  readonly logger: Logger;
}

/** The memory of one device's commands. */
export class ObeyedCommands {
  readonly #options: ObeyedOptions;
  /** The Thing that was commanded longest ago comes first. */
  #things: Map<string, Memory> | undefined;
  #count = 0;
  readonly #changed = new Set<string>();
  #cancelFlush: (() => void) | undefined;

  constructor(options: ObeyedOptions) {
    this.#options = options;
  }

  /** A command is about to be done: call the returned function's parts when it has ended. */
  begin(call: ThingCall, { peer, cause }: Pick<InteractionContext, 'peer' | 'cause'>): Obeyed {
    const obeyed = new Obeyed(call, peer, cause, this.#options.now());
    const things = this.#loaded();
    const memory = things.get(call.thing) ?? { before: [], now: [] };
    // To the end: it was commanded last.
    things.delete(call.thing);
    things.set(call.thing, memory);
    memory.now.push(obeyed);
    this.#count += 1;
    if (memory.now.length > perThing + maxOpen) this.#drop(memory, 0);
    while (this.#count > inAll) this.#forgetOldest();
    this.#mark(call.thing);
    return obeyed;
  }

  /** The command has ended. */
  end(obeyed: Obeyed, thrown?: unknown): void {
    obeyed.endedMs = this.#options.monotonic();
    obeyed.outcome = thrown === undefined ? 'ok' : toAlthingError(thrown, 'handler-failed').code;
    const isRefused = isRefusal(obeyed.outcome);
    if (!isRefused) this.#options.ended?.(infoOf(obeyed));
    const memory = this.#things?.get(obeyed.thing);
    if (!memory) return;
    if (isRefused) this.#drop(memory, memory.now.indexOf(obeyed));
    this.#trim(memory);
    this.#mark(obeyed.thing);
  }

  /** The last commands of a Thing, newest first. */
  of(thing: string, limit = perThing): ObeyedInfo[] {
    const memory = this.#loaded().get(thing);
    return memory ? listOf(memory).slice(0, limit) : [];
  }

  /** The last commands of all Things, newest first. */
  lately(limit: number): ObeyedInfo[] {
    const all = [...this.#loaded().values()].flatMap(listOf);
    return all.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0)).slice(0, limit);
  }

  /**
   * The firings to which what a Thing says now is put down: those of the last command on this affordance, or else on the
   * Thing, that runs or ended less than 2 s ago. Empty where that was a person's, or there was none.
   */
  causeOf(thing: string, affordance?: string): readonly CauseLink[] {
    const now = this.#things?.get(thing)?.now ?? [];
    const since = this.#options.monotonic() - afterMs;
    const recent = now.filter(({ endedMs }) => endedMs > since);
    const last = recent.findLast(({ name }) => name === affordance) ?? recent.at(-1);
    return last?.cause.chain ?? [];
  }

  /** Keeps what has changed since it was kept last. Call before the store is closed. */
  async close(): Promise<void> {
    this.#cancelFlush?.();
    await this.#flush();
  }

  #drop({ now }: Memory, at: number): void {
    if (at === -1) return;
    now.splice(at, 1);
    this.#count -= 1;
  }

  /** Those that run still, and may be refused yet, push nothing out. */
  #trim(memory: Memory): void {
    const { before, now } = memory;
    let over = before.length + now.filter(isOver).length - perThing;
    for (; over > 0; over -= 1) {
      if (before.length === 0) this.#drop(memory, now.findIndex(isOver));
      else {
        before.pop();
        this.#count -= 1;
      }
    }
  }

  #loaded(): Map<string, Memory> {
    if (!this.#things) {
      this.#things = new Map();
      for (const [thing, kept] of this.#options.kept()) {
        const before = kept.slice(0, perThing);
        this.#things.set(thing, { before, now: [] });
        this.#count += before.length;
      }
    }
    return this.#things;
  }

  #forgetOldest(): void {
    const things = this.#loaded();
    const [thing, memory] = things.entries().next().value!;
    things.delete(thing);
    this.#count -= memory.before.length + memory.now.length;
    this.#mark(thing);
  }

  #mark(thing: string): void {
    this.#changed.add(thing);
    this.#cancelFlush ??= this.#options.schedule(flushMs, () => {
      this.#cancelFlush = undefined;
      inBackground(this.#flush(), this.#options, 'What Things obeyed cannot be kept.');
    });
  }

  async #flush(): Promise<void> {
    const things = this.#loaded();
    const changes = [...this.#changed].map((thing) => {
      const memory = things.get(thing);
      return [thing, memory ? listOf(memory) : null] as const;
    });
    this.#changed.clear();
    if (changes.length > 0) await this.#options.keep(changes);
  }
}

const isOver = ({ endedMs }: Obeyed): boolean => endedMs !== Number.POSITIVE_INFINITY;

const isRefusal = (outcome: string): boolean =>
  isErrorCode(outcome) && errorTable[outcome].exit <= refusedExit;

const listOf = ({ before, now }: Memory): ObeyedInfo[] =>
  [...now.map(infoOf).reverse(), ...before].slice(0, perThing);

const infoOf = ({ thing, op, name, input, peer, cause, atMs, outcome }: Obeyed): ObeyedInfo => ({
  thing,
  op,
  name: name ?? null,
  ...(input !== undefined && { input }),
  time: new Date(atMs).toISOString(),
  peer,
  origin: cause.origin,
  began: cause.peer,
  chain: (cause.chain ?? []).map(({ rule, firing, peer: ran, atMs: firedMs }) => ({
    ...{ rule, firing, peer: ran },
    time: new Date(firedMs).toISOString(),
  })),
  outcome,
});
