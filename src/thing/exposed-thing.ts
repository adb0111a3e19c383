/**
 * A Thing that this program offers: the W3C Scripting API's ExposedThing to its owner, a ThingServer to everyone else.
 * Relies on its owner for all effects: ids, the clock, and what exposing and destroying mean to the rest of the peer.
 */
import { AlthingError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { ActionRuns } from './action-runs.ts';
import { abortError } from './handler-call.ts';
import type {
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamPosition,
  StreamSink,
  ThingCall,
  ThingServer,
} from './operations.ts';
import { copyPlain } from './plain-value.ts';
import type {
  ActionHandler,
  ExposedThing as ExposedThingApi,
  InteractionContext,
  InteractionInput,
  PropertyReadHandler,
  PropertyWriteHandler,
  SubscriptionHandler,
} from './scripting-api.ts';
import { handlerContext, ServedAffordances, type ServedProperty } from './served-affordances.ts';
import type { PartialThingDescription, ThingDescription } from './thing-description.ts';
import { ThingRequests } from './thing-requests.ts';
import { ThingStreams } from './thing-streams.ts';

/** What an ExposedThing needs from its owner. */
export interface ExposedThingOptions {
  /** A new id, unique and hard to guess: for the run of its streams, and for each long-running invocation. */
  newId(): string;
  /** Milliseconds since 1970. */
  now(): number;
  /** The context in which the Thing reads its own property to emit it; its signal bounds how long that may take. */
  ownContext(): InteractionContext;
  /** Makes the Thing known. Resolves with its whole TD: same affordances, now with id and forms. */
  onExpose(thing: ExposedThing): Promise<ThingDescription>;
  /** Makes the Thing unknown. Called once, and only if it was exposed or being exposed. */
  onDestroy(thing: ExposedThing): Promise<void>;
  /**
   * Told each value that a readable property without variables was seen to have: what handlers gave to reads, what
   * writes set, what was emitted. Checked copies; not to be changed. Must not throw.
   */
  onKnown?(thing: ExposedThing, property: string, value: unknown): void;
  /**
   * The description is known to be right: its schemas are compiled when the Thing is used first, not when it is exposed.
   * Nothing is served unchecked. Default false: what is wrong with a schema is told by `expose`.
   */
  readonly trusted?: boolean;
  readonly logger?: Logger;
}

/** One Thing, from `produce` to `destroy`. Requests are answered as soon as its owner passes them on. */
export class ExposedThing implements ExposedThingApi, ThingServer {
  readonly #options: ExposedThingOptions;
  readonly #affordances: ServedAffordances;
  readonly #runs: ActionRuns;
  readonly #requests: ThingRequests;
  readonly #streams: ThingStreams;
  #td: PartialThingDescription;
  #exposing: Promise<void> | undefined;
  #destroying: Promise<void> | undefined;

  /** @param td complete or not; copied. Throws `td-invalid` where it is not plain data. */
  constructor(td: PartialThingDescription, options: ExposedThingOptions) {
    this.#td = copyTd(td);
    this.#options = options;
    const logger = options.logger ?? silentLogger;
    this.#affordances = new ServedAffordances(this.#td, options.newId(), logger, (name, value) =>
      options.onKnown?.(this, name, value),
    );
    this.#runs = new ActionRuns({ newId: options.newId, now: options.now });
    this.#requests = new ThingRequests(this.#affordances, this.#runs);
    this.#streams = new ThingStreams(this.#affordances, logger);
  }

  get id(): string {
    return typeof this.#td.id === 'string' ? this.#td.id : '';
  }

  getThingDescription(): ThingDescription {
    return copyPlain(this.#td) as ThingDescription;
  }

  /** For its owner, under which the Thing has got another id: all that is open goes on. */
  readdress(td: ThingDescription): void {
    this.#td = copyTd(td);
  }

  /** Compiles all schemas (of a Thing that is not trusted) and hands it to its owner; once. Throws `td-invalid`, and what the owner throws. */
  expose(): Promise<void> {
    this.#exposing ??= this.#expose().catch((thrown) => {
      // It may be tried again, for instance once there is room on the disk.
      this.#exposing = undefined;
      throw thrown;
    });
    return this.#exposing;
  }

  /** Ends its streams and invocations and tells the owner. Nothing can be done with it afterwards. */
  destroy(): Promise<void> {
    this.#destroying ??= this.#destroy();
    return this.#destroying;
  }

  async request(call: ThingCall<RequestOperation>, context: InteractionContext): Promise<unknown> {
    this.#assertThere();
    if (context.signal.aborted) throw abortError(context.signal);
    if (!this.#affordances.compiled) await this.#affordances.compile();
    return this.#requests.answer(call, context);
  }

  /**
   * Whether a write or an invocation would reach its handler, which is not called. Throws what `request` throws where it
   * would not.
   */
  async check(call: ThingCall<RequestOperation>, context: InteractionContext): Promise<void> {
    this.#assertThere();
    if (!this.#affordances.compiled) await this.#affordances.compile();
    this.#requests.check(call, context);
  }

  async stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    context: InteractionContext,
    after?: StreamPosition,
  ): Promise<StreamHandle & { readonly position: StreamPosition }> {
    this.#assertThere();
    if (context.signal.aborted) throw abortError(context.signal);
    if (!this.#affordances.compiled) await this.#affordances.compile();
    return this.#streams.open(call, sink, context, after);
  }

  /**
   * Tells observers of a change. Writing a property emits nothing by itself: only the script knows when the new value
   * holds (Scripting API, emitPropertyChange). Throws `affordance-unknown`, `operation-unsupported` where the property
   * is not observable, `value-invalid`, `thing-unknown` once destroyed, and what the read handler throws.
   */
  async emitPropertyChange(name: string, data?: InteractionInput): Promise<void> {
    this.#assertThere();
    const property = this.#observable(name);
    if (data !== undefined) return this.#streams.emit(property, data);
    return this.#streams.emitReading(property, () => {
      const context = handlerContext(property.checkVariables, undefined, this.#options.ownContext());
      return this.#requests.read(property, context);
    });
  }

  /** Tells subscribers of an event. Throws `affordance-unknown`, `value-invalid`, `thing-unknown` once destroyed. */
  async emitEvent(name: string, data?: InteractionInput): Promise<void> {
    this.#assertThere();
    // An event without data is emitted as null, which every way to the subscribers can carry.
    return this.#streams.emit(this.#affordances.event(name), data ?? null);
  }

  setPropertyReadHandler(name: string, handler: PropertyReadHandler): this {
    const property = this.#affordances.property(name);
    if (property.affordance.writeOnly === true)
      throw new AlthingError('operation-unsupported', `${property.what} is write-only: it cannot be read.`);
    property.onRead = handler;
    return this;
  }

  setPropertyWriteHandler(name: string, handler: PropertyWriteHandler): this {
    const property = this.#affordances.property(name);
    if (property.affordance.readOnly === true)
      throw new AlthingError('operation-unsupported', `${property.what} is read-only: it cannot be written.`);
    property.onWrite = handler;
    return this;
  }

  setPropertyObserveHandler(name: string, handler: SubscriptionHandler): this {
    this.#observable(name).onSubscribe = handler;
    return this;
  }

  setPropertyUnobserveHandler(name: string, handler: SubscriptionHandler): this {
    this.#observable(name).onUnsubscribe = handler;
    return this;
  }

  setActionHandler(name: string, handler: ActionHandler): this {
    this.#affordances.action(name).onInvoke = handler;
    return this;
  }

  setEventSubscribeHandler(name: string, handler: SubscriptionHandler): this {
    this.#affordances.event(name).onSubscribe = handler;
    return this;
  }

  setEventUnsubscribeHandler(name: string, handler: SubscriptionHandler): this {
    this.#affordances.event(name).onUnsubscribe = handler;
    return this;
  }

  async #expose(): Promise<void> {
    this.#assertThere();
    if (!this.#options.trusted) await this.#affordances.compile();
    const td = copyTd(await this.#options.onExpose(this));
    this.#assertThere();
    this.#td = td;
  }

  async #destroy(): Promise<void> {
    const why = `"${this.#affordances.title}" is no longer exposed.`;
    this.#runs.cancelAll(why);
    this.#streams.close(new AlthingError('thing-unknown', why));
    if (!this.#exposing) return;
    // What exposing began must be there before it can be taken back; its failure has been told to who exposed.
    await this.#exposing.catch(() => {});
    await this.#options.onDestroy(this);
  }

  #observable(name: string): ServedProperty {
    const property = this.#affordances.property(name);
    if (property.affordance.observable !== true)
      throw new AlthingError(
        'operation-unsupported',
        `${property.what} is not observable: say "observable": true in its description.`,
      );
    return property;
  }

  #assertThere(): void {
    if (this.#destroying)
      throw new AlthingError('thing-unknown', `"${this.#affordances.title}" is no longer exposed.`);
  }
}

const copyTd = <Td extends PartialThingDescription>(td: Td): Td => {
  try {
    return copyPlain(td) as Td;
  } catch (error) {
    throw new AlthingError(
      'td-invalid',
      `The Thing Description is not plain data: ${(error as Error).message}`,
      { cause: error },
    );
  }
};
