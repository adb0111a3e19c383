/**
 * The streams of an exposed Thing: observations of its properties and subscriptions of its events, and what is emitted.
 * Relies on compiled affordances, whose logs keep order and places; all open streams are counted and bounded.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { callHandler } from './handler-call.ts';
import { copyValue, isThenable, resolveInput } from './interaction-output.ts';
import type { StreamHandle, StreamOperation, StreamPosition, StreamSink, ThingCall } from './operations.ts';
import type { InteractionContext, InteractionInput } from './scripting-api.ts';
import { type Emitter, handlerContext, type ServedAffordances } from './served-affordances.ts';

const maxStreams = 1024;

/** The streams of one Thing. */
export class ThingStreams {
  readonly #affordances: ServedAffordances;
  readonly #logger: Logger;
  #open = 0;
  #closed = false;

  constructor(affordances: ServedAffordances, logger: Logger) {
    this.#affordances = affordances;
    this.#logger = logger;
  }

  /** Opens a stream, as `ThingServer.stream` says. Values may reach the sink before the promise resolves. */
  async open(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    context: InteractionContext,
    after?: StreamPosition,
  ): Promise<StreamHandle & { readonly position: StreamPosition }> {
    const emitter = this.#emitterOf(call);
    const options = handlerContext(emitter.checkVariables, call.uriVariables, context);
    if (this.#open >= maxStreams)
      throw new AlthingError('too-many', `"${this.#affordances.title}" has ${maxStreams} open streams.`);
    this.#open++;
    try {
      const { onSubscribe } = emitter;
      if (onSubscribe)
        await callHandler(`Subscribing to "${emitter.name}"`, options.signal, () => onSubscribe(options));
      if (this.#closed)
        throw new AlthingError('thing-unknown', `"${this.#affordances.title}" was destroyed meanwhile.`);
    } catch (thrown) {
      this.#open--;
      throw thrown;
    }
    return emitter.log.open(sink, after, () => {
      this.#open--;
      this.#unsubscribe(emitter, options);
    });
  }

  /** Emits a value, a function's, or a promise's; in the order of the calls. Throws `value-invalid`, `too-many`. */
  async emit(emitter: Emitter, data: InteractionInput): Promise<void> {
    const value = typeof data === 'function' ? data : resolveInput(data);
    if (typeof value === 'function' || isThenable(value)) {
      // It may reject before its turn comes, while nobody listens; then the turn rejects with the same.
      if (isThenable(value)) value.then(undefined, () => {});
      return this.#emitInTurn(emitter, () => resolveInput(value));
    }
    if (emitter.turns.idle && this.#affordances.compiled) return this.#append(emitter, value);
    // Copied now: its owner may have changed it when its turn comes.
    const copy = copyValue(value, true);
    return this.#emitInTurn(emitter, () => copy);
  }

  /** Emits what `read` gives when its turn comes. Rejects as it does. */
  emitReading(emitter: Emitter, read: () => unknown): Promise<void> {
    return this.#emitInTurn(emitter, read);
  }

  /** Ends all streams; none can be opened afterwards. */
  close(error: AlthingError): void {
    this.#closed = true;
    for (const { log } of this.#affordances.properties.values()) log.close(error);
    for (const { log } of this.#affordances.events.values()) log.close(error);
  }

  #emitInTurn(emitter: Emitter, give: () => unknown): Promise<void> {
    return emitter.turns.run(async () => {
      await this.#affordances.compile();
      this.#append(emitter, await give());
    });
  }

  #append(emitter: Emitter, given: unknown): void {
    if (this.#closed)
      throw new AlthingError(
        'thing-unknown',
        `"${this.#affordances.title}" was destroyed: nothing is emitted.`,
      );
    const { value, size } = emitter.emitted.emitted(given);
    emitter.onKnown?.(value);
    emitter.log.append(value, size);
  }

  #emitterOf(call: ThingCall<StreamOperation>): Emitter {
    if (call.op === 'subscribeevent') {
      const event = this.#affordances.event(call.name);
      event.subscription.optionalIncoming(call.input);
      return event;
    }
    if (call.op !== 'observeproperty')
      throw new AlthingError('operation-unsupported', `"${String(call.op)}" is not a stream of a Thing.`);
    const property = this.#affordances.property(call.name);
    if (property.affordance.observable !== true)
      throw new AlthingError('operation-unsupported', `${property.what} is not observable.`);
    return property;
  }

  #unsubscribe({ name, onUnsubscribe }: Emitter, options: InteractionContext): void {
    if (!onUnsubscribe) return;
    // The stream has ended whatever the handler does: its failure is only worth a line in the log.
    Promise.try(onUnsubscribe, options).catch((thrown) => {
      this.#logger.warn(
        { affordance: name, err: toAlthingError(thrown, 'handler-failed') },
        'An unsubscribe handler failed.',
      );
    });
  }
}
