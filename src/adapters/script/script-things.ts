/**
 * The Things that a script carries, kept across the runs of its process: a restart finds its Things again.
 * Relies on `Wot.produce`; while no run carries a Thing it stays listed and its requests fail as `script-failed`.
 */
import { isDeepStrictEqual } from 'node:util';
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { ExposedThing, InteractionContext, Wot } from '../../thing/scripting-api.ts';
import type { PartialThingDescription, ThingDescription } from '../../thing/thing-description.ts';
import { carry } from './carried-value.ts';
import type { HandlerKind, HostRequest } from './script-messages.ts';

const maxThings = 1000;
const watchTimeoutMs = 10_000;

/** Asks the run that carries a Thing; the abort signal of the context is passed on. */
export type CallScript = (params: HostRequest['params'], signal: AbortSignal) => Promise<unknown>;

/** One run's hold on a Thing. */
interface Carrier {
  readonly call: CallScript;
  readonly thing: number;
  readonly handlers: Set<string>;
}

/** A Thing, whichever run carries it now. */
export class ScriptThing {
  readonly init: PartialThingDescription;
  readonly exposed: ExposedThing;
  readonly #logger: Logger;
  readonly #installed = new Set<string>();
  /** Observers and subscribers whose handler ran: a new run's handler is called for each of them again. */
  readonly #watchers = new Map<string, InteractionContext[]>();
  #carrier: Carrier | undefined;
  #exposing: Promise<void> | undefined;

  constructor(init: PartialThingDescription, exposed: ExposedThing, logger: Logger) {
    this.#logger = logger;
    this.init = init;
    this.exposed = exposed;
  }

  /** Whether a run carries it. */
  get carried(): boolean {
    return this.#carrier !== undefined;
  }

  /** A run takes the Thing over, under a number of its own, without handlers yet. */
  carry(call: CallScript, thing: number): void {
    this.#carrier = { call, thing, handlers: new Set() };
  }

  /** The run has ended. */
  drop(): void {
    this.#carrier = undefined;
  }

  /** Exposes once; a later run finds it exposed. */
  expose(): Promise<void> {
    this.#exposing ??= this.exposed.expose().catch((error: unknown) => {
      this.#exposing = undefined;
      throw error;
    });
    return this.#exposing;
  }

  description(): ThingDescription {
    return this.exposed.getThingDescription();
  }

  /** The run has set a handler: from now on requests are passed on to it. Throws `affordance-unknown`. */
  setHandler(kind: HandlerKind, name: string): void {
    const key = `${kind} ${name}`;
    if (!this.#installed.has(key)) {
      this.#install(kind, name);
      this.#installed.add(key);
    }
    this.#carrier?.handlers.add(key);
    if (kind !== 'observeProperty' && kind !== 'subscribeEvent') return;
    for (const context of this.#watchers.get(key) ?? [])
      this.#call(kind, name, context).catch((error: unknown) => {
        // The stream stays open without news, as it would if the handler failed later.
        const { code, message } = toAlthingError(error);
        this.#logger.warn({ kind, name, code }, `A new run's handler for those who watch failed: ${message}`);
      });
  }

  #install(kind: HandlerKind, name: string): void {
    const { exposed } = this;
    switch (kind) {
      case 'readProperty':
        exposed.setPropertyReadHandler(name, (context) => this.#call(kind, name, context));
        break;
      case 'writeProperty':
        exposed.setPropertyWriteHandler(name, async (input, context) => {
          await this.#call(kind, name, context, await input.value());
        });
        break;
      case 'invokeAction':
        exposed.setActionHandler(name, async (input, context) =>
          this.#call(kind, name, context, await input.value()),
        );
        break;
      case 'observeProperty':
        exposed.setPropertyObserveHandler(name, (context) => this.#watch(kind, name, context));
        break;
      case 'unobserveProperty':
        exposed.setPropertyUnobserveHandler(name, (context) => this.#unwatch(kind, name, context));
        break;
      case 'subscribeEvent':
        exposed.setEventSubscribeHandler(name, (context) => this.#watch(kind, name, context));
        break;
      case 'unsubscribeEvent':
        exposed.setEventUnsubscribeHandler(name, (context) => this.#unwatch(kind, name, context));
        break;
    }
  }

  async #call(
    handler: HandlerKind,
    name: string,
    { peer, signal, deadline, cause, uriVariables }: InteractionContext,
    value?: unknown,
  ): Promise<unknown> {
    const carrier = this.#carrier;
    if (!carrier)
      throw new AlthingError('script-failed', 'The script that carries this Thing is being restarted.');
    if (!carrier.handlers.has(`${handler} ${name}`))
      throw new AlthingError('handler-missing', `The script has set no handler for "${name}".`);
    // The step of a rule is this Thing's: what the script asks of others because of it is none.
    const { step: _step, ...why } = cause;
    const context = { peer, deadline, cause: why, uriVariables: { ...uriVariables } };
    const params = { thing: carrier.thing, handler, name, context, ...carry(value) };
    return carrier.call(params, signal);
  }

  async #watch(kind: HandlerKind, name: string, context: InteractionContext): Promise<void> {
    await this.#call(kind, name, context);
    const key = `${kind} ${name}`;
    this.#watchers.set(key, [...(this.#watchers.get(key) ?? []), context]);
  }

  async #unwatch(kind: HandlerKind, name: string, context: InteractionContext): Promise<void> {
    const key = kind === 'unobserveProperty' ? `observeProperty ${name}` : `subscribeEvent ${name}`;
    const watchers = this.#watchers.get(key) ?? [];
    this.#watchers.set(
      key,
      watchers.filter((other) => other !== context),
    );
    await this.#call(kind, name, afterwards(context));
  }
}

/** The context of a call that the asker does not wait for: its own signal may have been aborted long ago. */
const afterwards = (context: InteractionContext): InteractionContext => ({
  ...context,
  signal: AbortSignal.timeout(watchTimeoutMs),
  deadline: Date.now() + watchTimeoutMs,
});

/** All Things of one script. */
export class ScriptThings {
  readonly #wot: Wot;
  readonly #logger: Logger;
  #things: ScriptThing[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(wot: Wot, logger: Logger) {
    this.#wot = wot;
    this.#logger = logger;
  }

  /**
   * The Thing for what a run produces: the one that an earlier run left, where the description is the same, or a new
   * one in its place. Throws what `Wot.produce` throws, and `too-many`.
   */
  claim(init: PartialThingDescription, call: CallScript, thing: number): Promise<ScriptThing> {
    // One after the other, so that two Things of one title never take the same left one.
    const claimed = this.#turn.then(async () => {
      const left = this.#things.find((known) => !known.carried && known.init.title === init.title);
      if (left && isDeepStrictEqual(left.init, init)) {
        left.carry(call, thing);
        return left;
      }
      if (left) await this.remove(left);
      if (this.#things.length >= maxThings)
        throw new AlthingError('too-many', `One script carries at most ${maxThings} Things.`);
      const made = new ScriptThing(init, await this.#wot.produce(init), this.#logger);
      made.carry(call, thing);
      this.#things.push(made);
      return made;
    });
    // Whoever claimed is told of a failure by the promise returned; the next one only waits for its turn.
    this.#turn = Promise.allSettled([claimed]);
    return claimed;
  }

  async remove(thing: ScriptThing): Promise<void> {
    this.#things = this.#things.filter((other) => other !== thing);
    thing.drop();
    await thing.exposed.destroy();
  }

  /** The run has ended: nothing is carried any more. */
  dropAll(): void {
    for (const thing of this.#things) thing.drop();
  }

  /** Destroys what the present run has not produced again. */
  async removeLeft(): Promise<void> {
    for (const thing of this.#things.filter(({ carried }) => !carried)) await this.remove(thing);
  }

  /** Destroys all. */
  async removeAll(): Promise<void> {
    this.dropAll();
    await this.#turn;
    await this.removeLeft();
  }
}
