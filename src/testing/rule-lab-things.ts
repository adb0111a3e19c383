/**
 * The Things of one simulated peer that runs rules: what they are, say and do, and what they did.
 * Relies on the life of their peer: what it had begun when its power went is never finished.
 */
import { AlthingError } from '../core/errors.ts';
import { type PeerId, thingIdOf } from '../core/ids.ts';
import { callHandler } from '../thing/handler-call.ts';
import type { RequestOperation, StreamSink, ThingCall } from '../thing/operations.ts';
import type { Cause, RuleStep } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import type { FakeClock } from './fake-clock.ts';

/** A command that a Thing began; what became of it, if it came to an end. */
export interface LabAct {
  readonly thing: string;
  readonly name: string;
  readonly input: unknown;
  readonly beganMs: number;
  readonly cause: Cause;
  readonly step: RuleStep | undefined;
  outcome?: 'done' | 'failed';
  endedMs?: number;
}

/** What a Thing said; `position` is how firings name it. */
export interface LabSaying {
  readonly thing: string;
  readonly name: string;
  readonly value: unknown;
  readonly before: unknown;
  readonly position: string;
}

/** A Thing of the lab: properties that anybody may write, actions that do nothing but are remembered. */
export interface LabThing {
  readonly id: string;
  readonly td: ThingDescription;
  readonly values: Record<string, unknown>;
  isExposed: boolean;
  /** What happens before a command is answered; what rejects is the command's failure. */
  acting: (call: ThingCall) => Promise<void>;
}

type Next = Pick<StreamSink, 'next'>;

/** What is left of a call whose caller is no more. */
export const never = (): Promise<never> => new Promise(() => {});

/** From one start of a peer to its end: nothing of it goes on afterwards. */
export class LabLife {
  readonly #clock: FakeClock;
  readonly #at: (point: string) => void;
  /** What tells its streams from those of other lives. */
  readonly name: string;
  isOver = false;

  /** @param at called at each point at which the power may go, which may end this life */
  constructor(name: string, clock: FakeClock, at: (point: string) => void) {
    this.name = name;
    this.#clock = clock;
    this.#at = at;
  }

  /** The power may go here; whether it has, here or before. */
  isOverAt(point: string): boolean {
    if (!this.isOver) this.#at(point);
    return this.isOver;
  }

  readonly schedule = (delayMs: number, callback: () => void): (() => void) =>
    this.#clock.schedule(delayMs, () => {
      if (!this.isOver) callback();
    });
}

export interface LabThingsOptions {
  readonly peer: PeerId;
  readonly clock: FakeClock;
  /** Everything that Things of the lab began. */
  readonly acts: LabAct[];
  readonly said: (saying: LabSaying) => void;
}

/** All Things of one peer. */
export class LabThings {
  readonly all = new Map<string, LabThing>();
  readonly #options: LabThingsOptions;
  readonly #sinks = new Map<string, Set<Next>>();
  #life: LabLife | undefined;
  #seq = 0;

  constructor(options: LabThingsOptions) {
    this.#options = options;
  }

  /** Its peer has started. */
  begin(life: LabLife): void {
    this.#life = life;
  }

  /** Its peer is no more. */
  end(): void {
    this.#sinks.clear();
    for (const thing of this.all.values()) thing.isExposed = false;
  }

  add(name: string, values: Record<string, unknown>, observable: boolean): LabThing {
    const properties = Object.fromEntries(Object.keys(values).map((property) => [property, { observable }]));
    const id = thingIdOf(this.#options.peer, name);
    const td = { id, title: name, '@type': 'Lab', properties, actions: { go: {} }, events: { bell: {} } };
    const thing: LabThing = {
      ...{ id, values: { ...values }, isExposed: true },
      td: td as unknown as ThingDescription,
      acting: async () => {},
    };
    this.all.set(id, thing);
    return thing;
  }

  isHere(id: string): boolean {
    return this.all.get(id)?.isExposed === true;
  }

  /** Says that a property is this now, or that an event came. */
  emit(thing: LabThing, name: string, value: unknown): void {
    const before = thing.values[name];
    if (name in thing.values) thing.values[name] = value;
    if (!this.#life || this.#life.isOver || !thing.isExposed) return;
    const position = { run: this.#life.name, seq: ++this.#seq };
    this.#options.said({
      ...{ thing: thing.id, name, value, before },
      position: `${thing.id}/${position.run}/${position.seq}`,
    });
    for (const { next } of [...this.#sinksOf(thing.id, name)]) next(value, position);
  }

  /** Throws `thing-unknown`. */
  subscribe({ thing, name }: ThingCall, sink: Next): () => void {
    this.#exposed(thing);
    const sinks = this.#sinksOf(thing, name!);
    // Of its own, since the same sink may come twice.
    const entry: Next = { next: (value, position) => sink.next(value, position) };
    sinks.add(entry);
    return () => sinks.delete(entry);
  }

  /** Does what is asked, where it is exposed. Throws `thing-unknown`, `affordance-unknown`, what the Thing throws. */
  async request(
    call: ThingCall<RequestOperation>,
    { cause, signal }: { readonly cause: Cause; readonly signal: AbortSignal },
  ): Promise<unknown> {
    const thing = this.#exposed(call.thing);
    if (call.op !== 'readproperty') return callHandler(thing.id, signal, () => this.#act(thing, call, cause));
    if (call.name! in thing.values) return thing.values[call.name!];
    throw new AlthingError('affordance-unknown', 'It has no such property.');
  }

  async #act(thing: LabThing, call: ThingCall<RequestOperation>, cause: Cause): Promise<unknown> {
    const { clock, acts } = this.#options;
    const life = this.#life!;
    const { name = '', input } = call;
    const act: LabAct = { thing: thing.id, name, input, beganMs: clock.now(), cause, step: cause.step };
    acts.push(act);
    if (life.isOverAt('begin')) return never();
    try {
      await thing.acting(call);
    } catch (error) {
      Object.assign(act, { outcome: 'failed', endedMs: clock.now() });
      throw error;
    }
    if (life.isOver) return never();
    Object.assign(act, { outcome: 'done', endedMs: clock.now() });
    if (call.op === 'writeproperty') this.emit(thing, name, input);
    return life.isOverAt('done') ? never() : null;
  }

  #exposed(id: string): LabThing {
    const thing = this.all.get(id);
    if (!thing?.isExposed) throw new AlthingError('thing-unknown', 'Nothing exposes it here.');
    return thing;
  }

  #sinksOf(thing: string, name: string): Set<Next> {
    const key = `${thing} ${name}`;
    const sinks = this.#sinks.get(key) ?? new Set();
    this.#sinks.set(key, sinks);
    return sinks;
  }
}
