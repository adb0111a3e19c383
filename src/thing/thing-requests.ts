/**
 * Answers the operations on an exposed Thing that have one answer: reading, writing, invoking.
 * Relies on compiled affordances; once those are there, a request with a synchronous handler waits for nothing.
 */
import { AlthingError } from '../core/errors.ts';
import type { ActionRuns } from './action-runs.ts';
import { callHandler } from './handler-call.ts';
import { InteractionOutput, isThenable } from './interaction-output.ts';
import type { RequestOperation, ThingCall } from './operations.ts';
import { isPlainObject } from './plain-value.ts';
import type { InteractionContext } from './scripting-api.ts';
import {
  handlerContext,
  type ServedAction,
  type ServedAffordances,
  type ServedProperty,
} from './served-affordances.ts';
import { noUriVariables } from './uri-variables.ts';

/** When the answer of a long-running action is no longer wanted: never. */
const noDeadline = Number.MAX_SAFE_INTEGER;

/** The requests of one Thing. */
export class ThingRequests {
  readonly #affordances: ServedAffordances;
  readonly #runs: ActionRuns;

  constructor(affordances: ServedAffordances, runs: ActionRuns) {
    this.#affordances = affordances;
    this.#runs = runs;
  }

  /** The result, or a promise of it, as `ThingServer.request` says. */
  answer(call: ThingCall<RequestOperation>, context: InteractionContext): unknown {
    switch (call.op) {
      case 'readproperty':
        return this.#readProperty(call, context);
      case 'writeproperty':
        return this.#writeProperty(call, context);
      case 'readallproperties':
        return this.#readAll(call, context);
      case 'readmultipleproperties':
        return this.#readMultiple(call, context);
      case 'writemultipleproperties':
        return this.#writeMultiple(call, context);
      case 'invokeaction':
        return this.#invoke(call, context);
      case 'queryaction':
        return this.#runs.query(this.#longAction(call).name, call.input);
      case 'cancelaction':
        this.#runs.cancel(this.#longAction(call).name, call.input);
        return null;
      default:
        throw new AlthingError(
          'operation-unsupported',
          `"${String(call.op)}" is not an operation on a Thing.`,
        );
    }
  }

  /**
   * Whether a write or an invocation would reach its handler, which is not called. Throws what `answer` throws where it
   * would not; does nothing for other operations.
   */
  check(call: ThingCall<RequestOperation>, context: InteractionContext): void {
    if (call.op === 'writeproperty') {
      const property = this.#affordances.property(call.name);
      handlerContext(property.checkVariables, call.uriVariables, context);
      this.#writable(property).written.incoming(call.input);
    } else if (call.op === 'invokeaction') this.#invocation(call, context);
  }

  /** What the read handler says. Also for a change that is emitted without a value. */
  read(property: ServedProperty, context: InteractionContext): unknown {
    if (property.affordance.writeOnly === true)
      throw new AlthingError('operation-unsupported', `${property.what} is write-only.`);
    const { onRead } = property;
    if (!onRead) throw new AlthingError('handler-missing', `${property.what} has no read handler.`);
    const output = callHandler(property.what, context.signal, () => onRead(context));
    return isThenable(output) ? output.then((value) => given(property, value)) : given(property, output);
  }

  #readProperty(call: ThingCall, context: InteractionContext): unknown {
    const property = this.#affordances.property(call.name);
    return this.read(property, handlerContext(property.checkVariables, call.uriVariables, context));
  }

  #writeProperty(call: ThingCall, context: InteractionContext): unknown {
    const property = this.#affordances.property(call.name);
    const options = handlerContext(property.checkVariables, call.uriVariables, context);
    return this.#write(property, this.#writable(property).written.incoming(call.input), options);
  }

  #writable(property: ServedProperty): ServedProperty {
    if (property.affordance.readOnly === true)
      throw new AlthingError('operation-unsupported', `${property.what} is read-only.`);
    if (!property.onWrite)
      throw new AlthingError('handler-missing', `${property.what} has no write handler.`);
    return property;
  }

  #write(property: ServedProperty, value: unknown, context: InteractionContext): unknown {
    const input = new InteractionOutput(value, property.affordance);
    const emitted = property.log.count;
    const done = callHandler(property.what, context.signal, () => property.onWrite!(input, context));
    if (isThenable(done)) return done.then(() => taken(property, value, emitted));
    return taken(property, value, emitted);
  }

  /** Properties that nobody can read are left out: those that are write-only or have no read handler. */
  #readAll(call: ThingCall, context: InteractionContext): Promise<unknown> {
    const readable = [...this.#affordances.properties.values()].filter(
      (property) => property.affordance.writeOnly !== true && property.onRead,
    );
    return this.#readEach(readable, call, context);
  }

  async #readMultiple(call: ThingCall, context: InteractionContext): Promise<unknown> {
    const { input } = call;
    if (!Array.isArray(input) || !input.every((name) => typeof name === 'string'))
      throw new AlthingError('bad-input', 'Reading several properties takes a list of their names.');
    const names = [...new Set<string>(input)];
    return this.#readEach(
      names.map((name) => this.#affordances.property(name)),
      call,
      context,
    );
  }

  async #readEach(properties: ServedProperty[], call: ThingCall, context: InteractionContext) {
    const options = handlerContext(this.#affordances.checkThingVariables, call.uriVariables, context);
    const readings = properties.map(
      async (property) => [property.name, await this.read(property, options)] as const,
    );
    return Object.fromEntries(await Promise.all(readings));
  }

  /** Checks everything before it writes anything; then writes in the order given, up to the first failure. */
  async #writeMultiple(call: ThingCall, context: InteractionContext): Promise<null> {
    if (!isPlainObject(call.input))
      throw new AlthingError('bad-input', 'Writing several properties takes an object of names and values.');
    const options = handlerContext(this.#affordances.checkThingVariables, call.uriVariables, context);
    const writes = Object.entries(call.input).map(([name, given]) => {
      const property = this.#writable(this.#affordances.property(name));
      return { property, value: property.written.incoming(given) };
    });
    const written: string[] = [];
    for (const { property, value } of writes) {
      try {
        await this.#write(property, value, options);
      } catch (thrown) {
        const { code, message, details } = thrown as AlthingError;
        const before = written.length === 0 ? 'Nothing was' : `Only ${written.join(', ')} had been`;
        throw new AlthingError(code, `${message} ${before} written before it.`, {
          cause: thrown,
          details: { ...details, written },
        });
      }
      written.push(property.name);
    }
    return null;
  }

  #invocation(call: ThingCall, context: InteractionContext) {
    const action = this.#affordances.action(call.name);
    const options = handlerContext(action.checkVariables, call.uriVariables, context);
    if (!action.onInvoke) throw new AlthingError('handler-missing', `${action.what} has no handler.`);
    return { action, options, input: action.input.optionalIncoming(call.input) };
  }

  #invoke(call: ThingCall, context: InteractionContext): unknown {
    const { action, options, input } = this.#invocation(call, context);
    if (action.affordance.synchronous !== false) return this.#run(action, input, options);
    // The asker's deadline ends with the answer; the action goes on until it is cancelled.
    return this.#runs.start(action.name, (signal) =>
      this.#run(action, input, {
        peer: options.peer,
        signal,
        deadline: noDeadline,
        cause: options.cause,
        uriVariables: options.uriVariables ?? noUriVariables,
      }),
    );
  }

  #run(action: ServedAction, given: unknown, context: InteractionContext): unknown {
    const input = new InteractionOutput(given, action.input.schema);
    const output = callHandler(action.what, context.signal, () => action.onInvoke!(input, context));
    return isThenable(output)
      ? output.then((value) => action.output.optionalOutgoing(value))
      : action.output.optionalOutgoing(output);
  }

  #longAction(call: ThingCall): ServedAction {
    const action = this.#affordances.action(call.name);
    if (action.affordance.synchronous !== false)
      throw new AlthingError(
        'operation-unsupported',
        `${action.what} answers when it has ended: it has no invocations to ask for.`,
      );
    return action;
  }
}

/** What a read handler gave, checked. */
const given = (property: ServedProperty, output: unknown): unknown => {
  const value = property.emitted.outgoing(output);
  property.onKnown?.(value);
  return value;
};

/** A write handler took this value. What it emitted meanwhile says better what came of it. */
const taken = (property: ServedProperty, value: unknown, emittedBefore: number): null => {
  if (property.log.count === emittedBefore) property.onKnown?.(value);
  return null;
};
