/**
 * A Thing that this program uses: the W3C Scripting API's ConsumedThing over whatever way there is to it.
 * Relies on a ThingConnector, and on the device for checking values: a stranger's schemas are not run here.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { copyValue, InteractionOutput, resolveInput } from './interaction-output.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamSink,
  ThingCall,
  ThingConnector,
} from './operations.ts';
import { copyPlain, isPlainObject } from './plain-value.ts';
import type {
  ActionStatus,
  Cause,
  ConsumedThing as ConsumedThingApi,
  ErrorListener,
  InteractionInput,
  InteractionListener,
  InteractionOptions,
  Subscription,
} from './scripting-api.ts';
import type { Affordance, DataSchema, ThingDescription } from './thing-description.ts';

/** What a ConsumedThing may be given beside its TD and the way to it. */
export interface ConsumedThingOptions {
  /** Why things are asked, where a call does not say so itself; called for every call. */
  readonly newCause?: () => Cause;
  /** Learns of listeners that throw. */
  readonly logger?: Logger;
}

/**
 * One Thing, used. Every method throws `affordance-unknown` and `operation-unsupported` before anything is asked,
 * `value-invalid` for input that is no plain data, and every code that the device or the way to it can give.
 */
export class ConsumedThing implements ConsumedThingApi {
  readonly #td: ThingDescription;
  readonly #connector: ThingConnector;
  readonly #newCause: (() => Cause) | undefined;
  readonly #logger: Logger;

  constructor(td: ThingDescription, connector: ThingConnector, options: ConsumedThingOptions = {}) {
    this.#td = td;
    this.#connector = connector;
    this.#newCause = options.newCause;
    this.#logger = options.logger ?? silentLogger;
  }

  getThingDescription(): ThingDescription {
    return copyPlain(this.#td) as ThingDescription;
  }

  async readProperty(name: string, options?: InteractionOptions): Promise<InteractionOutput> {
    const property = this.#affordance('properties', name);
    if (property.writeOnly === true) throw this.#unsupported('property', name, 'is write-only');
    return outputOf(await this.#request('readproperty', name, undefined, options), property, property);
  }

  async readAllProperties(options?: InteractionOptions): Promise<Map<string, InteractionOutput>> {
    return this.#outputsOf(await this.#request('readallproperties', undefined, undefined, options));
  }

  async readMultipleProperties(
    names: string[],
    options?: InteractionOptions,
  ): Promise<Map<string, InteractionOutput>> {
    for (const name of names)
      if (this.#affordance('properties', name).writeOnly === true)
        throw this.#unsupported('property', name, 'is write-only');
    return this.#outputsOf(await this.#request('readmultipleproperties', undefined, [...names], options));
  }

  async writeProperty(name: string, value: InteractionInput, options?: InteractionOptions): Promise<void> {
    this.#assertWritable(name);
    await this.#request('writeproperty', name, await inputOf(value), options);
  }

  async writeMultipleProperties(
    values: Map<string, InteractionInput> | Record<string, InteractionInput>,
    options?: InteractionOptions,
  ): Promise<void> {
    const entries = values instanceof Map ? [...values] : Object.entries(values);
    const inputs: [string, unknown][] = [];
    for (const [name, value] of entries) {
      this.#assertWritable(name);
      inputs.push([name, await inputOf(value)]);
    }
    await this.#request('writemultipleproperties', undefined, Object.fromEntries(inputs), options);
  }

  /** The action's output; for an action with `synchronous: false` its ActionStatus, with the invocation's id. */
  async invokeAction(
    name: string,
    input?: InteractionInput,
    options?: InteractionOptions,
  ): Promise<InteractionOutput> {
    const action = this.#affordance('actions', name);
    const value = input === undefined ? undefined : await inputOf(input);
    const output = await this.#request('invokeaction', name, value, options);
    const schema = action.synchronous === false ? undefined : (action.output as DataSchema | undefined);
    return outputOf(output, action, schema);
  }

  async queryAction(name: string, invocation: string, options?: InteractionOptions): Promise<ActionStatus> {
    this.#longAction(name);
    const status = await this.#request('queryaction', name, invocation, options);
    if (!isPlainObject(status) || typeof status.status !== 'string')
      throw this.#unexpected('queryaction', 'no state of an action');
    return status as unknown as ActionStatus;
  }

  async cancelAction(name: string, invocation: string, options?: InteractionOptions): Promise<void> {
    this.#longAction(name);
    await this.#request('cancelaction', name, invocation, options);
  }

  /** As `subscribeEvent`, for the changes of a property. There may be several observations of one property. */
  async observeProperty(
    name: string,
    listener: InteractionListener,
    onError?: ErrorListener,
    options?: InteractionOptions,
  ): Promise<Subscription> {
    const property = this.#affordance('properties', name);
    if (property.observable !== true) throw this.#unsupported('property', name, 'is not observable');
    return this.#stream('observeproperty', name, property, property, { listener, onError }, options);
  }

  /**
   * Calls the listener with every value, in order; a listener's promise is not waited for. `onError` gets
   * `values-missed`, after which the subscription goes on, or the error that ended it. Values may arrive before the
   * promise resolves.
   */
  async subscribeEvent(
    name: string,
    listener: InteractionListener,
    onError?: ErrorListener,
    options?: InteractionOptions,
  ): Promise<Subscription> {
    const event = this.#affordance('events', name);
    const schema = event.data as DataSchema | undefined;
    return this.#stream('subscribeevent', name, event, schema, { listener, onError }, options);
  }

  async #stream(
    op: StreamOperation,
    name: string,
    affordance: Affordance,
    schema: DataSchema | undefined,
    listeners: { listener: InteractionListener; onError: ErrorListener | undefined },
    options: InteractionOptions | undefined,
  ): Promise<Subscription> {
    const input = options?.data === undefined ? undefined : await inputOf(options.data);
    const subscription = new ActiveSubscription();
    const report = (thrown: unknown) =>
      this.#logger.error(
        { thing: this.#td.id, affordance: name, err: toAlthingError(thrown) },
        'A listener failed.',
      );
    const sink: StreamSink = {
      next: (value) => {
        if (!subscription.active) return;
        // Streams inside one process share the value between their listeners: each gets its own.
        const output = outputOf(copyValue(value, true), affordance, schema);
        Promise.try(listeners.listener, output).catch(report);
      },
      error: (error) => {
        if (!subscription.active) return;
        if (error.code !== 'values-missed') subscription.end();
        if (listeners.onError) Promise.try(listeners.onError, error).catch(report);
      },
    };
    const call = this.#call(op, name, input, options);
    subscription.opened(await this.#connector.stream(call, sink, this.#callOptions(options)));
    return subscription;
  }

  #request(
    op: RequestOperation,
    name: string | undefined,
    input: unknown,
    options: InteractionOptions | undefined,
  ): Promise<unknown> {
    return this.#connector.request(this.#call(op, name, input, options), this.#callOptions(options));
  }

  #call<Op extends RequestOperation | StreamOperation>(
    op: Op,
    name: string | undefined,
    input: unknown,
    options: InteractionOptions | undefined,
  ): ThingCall<Op> {
    return {
      thing: this.#td.id,
      op,
      ...(name === undefined ? {} : { name }),
      ...(input === undefined ? {} : { input }),
      ...(options?.uriVariables === undefined ? {} : { uriVariables: options.uriVariables }),
    };
  }

  #callOptions(options: InteractionOptions | undefined): CallOptions {
    const cause = options?.cause ?? this.#newCause?.();
    return {
      ...(options?.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options?.signal === undefined ? {} : { signal: options.signal }),
      ...(cause === undefined ? {} : { cause }),
    };
  }

  #outputsOf(values: unknown): Map<string, InteractionOutput> {
    if (!isPlainObject(values)) throw this.#unexpected('reading properties', 'no object of names and values');
    return new Map(
      Object.entries(values).map(([name, value]) => {
        const property = this.#affordance('properties', name);
        return [name, outputOf(value, property, property)];
      }),
    );
  }

  #affordance(kind: 'properties' | 'actions' | 'events', name: string): Affordance {
    const affordances = this.#td[kind];
    if (affordances && Object.hasOwn(affordances, name)) return affordances[name]!;
    throw new AlthingError(
      'affordance-unknown',
      `"${this.#td.title}" has no ${kindNames[kind]} "${String(name).slice(0, 100)}".`,
    );
  }

  #assertWritable(name: string): void {
    if (this.#affordance('properties', name).readOnly === true)
      throw this.#unsupported('property', name, 'is read-only');
  }

  #longAction(name: string): void {
    if (this.#affordance('actions', name).synchronous !== false)
      throw this.#unsupported('action', name, 'answers when it has ended: it has no invocations to ask for');
  }

  #unsupported(kind: string, name: string, why: string): AlthingError {
    return new AlthingError('operation-unsupported', `The ${kind} "${name}" of "${this.#td.title}" ${why}.`);
  }

  #unexpected(operation: string, what: string): AlthingError {
    return new AlthingError('protocol-error', `"${this.#td.title}" answered ${operation} with ${what}.`);
  }
}

const kindNames = { properties: 'property', actions: 'action', events: 'event' } as const;

/** An observation or subscription that its listener or its device can end. */
class ActiveSubscription implements Subscription {
  active = true;
  #handle: StreamHandle | undefined;

  /** The stream is there: stopped at once where the subscription ended while it opened. */
  opened(handle: StreamHandle): void {
    this.#handle = handle;
    if (!this.active) handle.stop();
  }

  end(): void {
    this.active = false;
    this.#handle?.stop();
  }

  async stop(): Promise<void> {
    if (this.active) this.end();
  }
}

const outputOf = (
  value: unknown,
  affordance: Affordance,
  schema: DataSchema | undefined,
): InteractionOutput => new InteractionOutput(value, schema, affordance.forms?.[0]);

/** Bytes pass here: whether the affordance takes them, its device says. */
const inputOf = async (input: InteractionInput): Promise<unknown> =>
  copyValue(await resolveInput(input), true);
