/**
 * The Scripting API's ConsumedThing in a script's process.
 * Relies on the link: the host consumes the Thing, and passes on results and the values of streams.
 */
import type { AlthingError } from '../../core/errors.ts';
import { InteractionOutput } from '../../thing/interaction-output.ts';
import type {
  ActionStatus,
  ConsumedThing,
  ErrorListener,
  InteractionInput,
  InteractionListener,
  InteractionOptions,
  Subscription,
} from '../../thing/scripting-api.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import { type Carried, carried, carry } from './carried-value.ts';
import type { ChildLink } from './child-link.ts';
import type { ChildStreams } from './child-streams.ts';
import { jsonInput } from './json-value.ts';
import type { UseOperation, WireOptions } from './script-messages.ts';

/** A Thing that the script uses. */
export class ChildConsumedThing implements ConsumedThing {
  readonly #link: ChildLink;
  readonly #streams: ChildStreams;
  readonly #consumed: number;
  readonly #td: ThingDescription;

  constructor(link: ChildLink, streams: ChildStreams, consumed: number, td: ThingDescription) {
    this.#link = link;
    this.#streams = streams;
    this.#consumed = consumed;
    this.#td = td;
  }

  get title(): string {
    return this.#td.title;
  }
  get properties(): ThingDescription['properties'] {
    return this.#td.properties ?? {};
  }
  get actions(): ThingDescription['actions'] {
    return this.#td.actions ?? {};
  }
  get events(): ThingDescription['events'] {
    return this.#td.events ?? {};
  }

  async readProperty(name: string, options?: InteractionOptions): Promise<InteractionOutput> {
    return new InteractionOutput(await this.#use('readproperty', options, name), this.#td.properties?.[name]);
  }
  async readAllProperties(options?: InteractionOptions): Promise<Map<string, InteractionOutput>> {
    return this.#outputs(await this.#use('readallproperties', options));
  }
  async readMultipleProperties(
    names: string[],
    options?: InteractionOptions,
  ): Promise<Map<string, InteractionOutput>> {
    return this.#outputs(await this.#use('readmultipleproperties', options, undefined, names));
  }
  async writeProperty(name: string, value: InteractionInput, options?: InteractionOptions): Promise<void> {
    await this.#use('writeproperty', options, name, value);
  }
  async writeMultipleProperties(
    values: Map<string, InteractionInput> | Record<string, InteractionInput>,
    options?: InteractionOptions,
  ): Promise<void> {
    await this.#use('writemultipleproperties', options, undefined, values);
  }
  async invokeAction(
    name: string,
    input?: InteractionInput,
    options?: InteractionOptions,
  ): Promise<InteractionOutput> {
    return new InteractionOutput(
      await this.#use('invokeaction', options, name, input),
      this.#td.actions?.[name]?.output,
    );
  }
  async queryAction(name: string, invocation: string, options?: InteractionOptions): Promise<ActionStatus> {
    return (await this.#use('queryaction', options, name, invocation)) as ActionStatus;
  }
  async cancelAction(name: string, invocation: string, options?: InteractionOptions): Promise<void> {
    await this.#use('cancelaction', options, name, invocation);
  }

  observeProperty(
    name: string,
    listener: InteractionListener,
    onError?: ErrorListener,
    options?: InteractionOptions,
  ): Promise<Subscription> {
    return this.#open('property', name, listener, onError, options);
  }
  subscribeEvent(
    name: string,
    listener: InteractionListener,
    onError?: ErrorListener,
    options?: InteractionOptions,
  ): Promise<Subscription> {
    return this.#open('event', name, listener, onError, options);
  }

  getThingDescription(): ThingDescription {
    return structuredClone(this.#td);
  }

  async #use(
    use: UseOperation,
    options: InteractionOptions | undefined,
    name?: string,
    input?: unknown,
  ): Promise<unknown> {
    const params = {
      consumed: this.#consumed,
      use,
      ...(name !== undefined && { name }),
      options: wireOptions(options),
      ...carry(await jsonInput(input)),
    };
    return this.#link.request({ op: 'use', params }, options?.signal);
  }

  #open(
    what: 'property' | 'event',
    name: string,
    listener: InteractionListener,
    onError: ErrorListener | undefined,
    options: InteractionOptions | undefined,
  ): Promise<Subscription> {
    const schema = what === 'property' ? this.#td.properties?.[name] : this.#td.events?.[name]?.data;
    return this.#streams.open(
      { consumed: this.#consumed, what, name, options: wireOptions(options) },
      (value) => listener(new InteractionOutput(value, schema)),
      onError ?? ((error: AlthingError) => console.error(`${name}: ${error.code}: ${error.message}`)),
      options?.signal,
    );
  }

  #outputs(result: unknown): Map<string, InteractionOutput> {
    const entries = Object.entries(result as Record<string, Carried>);
    return new Map(
      entries.map(([name, value]) => [
        name,
        new InteractionOutput(carried(value), this.#td.properties?.[name]),
      ]),
    );
  }
}

const wireOptions = (options: InteractionOptions = {}): WireOptions => {
  const { signal: _travelsAsCancel, ...rest } = options;
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
};
