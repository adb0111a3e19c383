/**
 * The Scripting API's ExposedThing in a script's process.
 * Relies on the link: the host keeps the Thing itself and asks back for the script's handlers.
 */
import { AlthingError } from '../../core/errors.ts';
import { InteractionOutput } from '../../thing/interaction-output.ts';
import type {
  ActionHandler,
  ExposedThing,
  InteractionContext,
  InteractionInput,
  PropertyReadHandler,
  PropertyWriteHandler,
  SubscriptionHandler,
} from '../../thing/scripting-api.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import { carried, carry } from './carried-value.ts';
import type { ChildLink } from './child-link.ts';
import { jsonInput, jsonValue } from './json-value.ts';
import type { HandlerKind, HostRequest } from './script-messages.ts';

type Handler = (value: unknown, context: InteractionContext) => unknown;
type Affordances = 'properties' | 'actions' | 'events';

const affordancesOf = (kind: HandlerKind): Affordances =>
  kind.endsWith('Property') ? 'properties' : kind === 'invokeAction' ? 'actions' : 'events';

const unsupported = (name: string, what: string): AlthingError =>
  new AlthingError('operation-unsupported', `The property "${name}" is ${what}: it takes no such handler.`);

/** A Thing that the script offers. */
export class ChildExposedThing implements ExposedThing {
  readonly #link: ChildLink;
  readonly #thing: number;
  readonly #handlers = new Map<string, Handler>();
  #td: ThingDescription;
  #exposed = false;

  constructor(link: ChildLink, thing: number, td: ThingDescription) {
    this.#link = link;
    this.#thing = thing;
    this.#td = td;
  }

  get id(): string {
    return this.#td.id ?? '';
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

  setPropertyReadHandler(name: string, handler: PropertyReadHandler): this {
    return this.#set('readProperty', name, (_value, context) => handler(context));
  }
  setPropertyWriteHandler(name: string, handler: PropertyWriteHandler): this {
    return this.#set('writeProperty', name, (value, context) =>
      handler(new InteractionOutput(value, this.#td.properties?.[name]), context),
    );
  }
  setPropertyObserveHandler(name: string, handler: SubscriptionHandler): this {
    return this.#set('observeProperty', name, (_value, context) => handler(context));
  }
  setPropertyUnobserveHandler(name: string, handler: SubscriptionHandler): this {
    return this.#set('unobserveProperty', name, (_value, context) => handler(context));
  }
  setActionHandler(name: string, handler: ActionHandler): this {
    return this.#set('invokeAction', name, (value, context) =>
      handler(new InteractionOutput(value, this.#td.actions?.[name]?.input), context),
    );
  }
  setEventSubscribeHandler(name: string, handler: SubscriptionHandler): this {
    return this.#set('subscribeEvent', name, (_value, context) => handler(context));
  }
  setEventUnsubscribeHandler(name: string, handler: SubscriptionHandler): this {
    return this.#set('unsubscribeEvent', name, (_value, context) => handler(context));
  }

  emitPropertyChange(name: string, data?: InteractionInput): Promise<void> {
    return this.#emit('property', name, data);
  }
  emitEvent(name: string, data?: InteractionInput): Promise<void> {
    return this.#emit('event', name, data);
  }

  async expose(): Promise<void> {
    this.#td = (await this.#link.request({
      op: 'expose',
      params: { thing: this.#thing },
    })) as ThingDescription;
    this.#exposed = true;
  }

  async destroy(): Promise<void> {
    await this.#link.request({ op: 'destroy', params: { thing: this.#thing } });
    this.#exposed = false;
  }

  getThingDescription(): ThingDescription {
    return structuredClone(this.#td);
  }

  /** Runs the handler that the host asks for; the result is plain data. */
  async call(params: HostRequest['params'], signal: AbortSignal): Promise<unknown> {
    const { handler, name, context } = params;
    const run = this.#handlers.get(`${handler} ${name}`);
    if (!run) throw new AlthingError('handler-missing', `The script has no handler for ${name}.`);
    return jsonInput(await run(carried(params), { ...context, signal }));
  }

  #set(kind: HandlerKind, name: string, handler: Handler): this {
    if (!Object.hasOwn(this[affordancesOf(kind)] ?? {}, name))
      throw new AlthingError(
        'affordance-unknown',
        `"${this.title}" has no "${name}" among its ${affordancesOf(kind)}: add it to the Thing Description.`,
      );
    const { readOnly, writeOnly, observable } = this.#td.properties?.[name] ?? {};
    if (kind === 'readProperty' && writeOnly === true) throw unsupported(name, 'write-only');
    if (kind === 'writeProperty' && readOnly === true) throw unsupported(name, 'read-only');
    if ((kind === 'observeProperty' || kind === 'unobserveProperty') && observable !== true)
      throw unsupported(name, 'not observable');
    const key = `${kind} ${name}`;
    if (!this.#handlers.has(key))
      this.#link.notify({ topic: 'handler', params: { thing: this.#thing, handler: kind, name } });
    this.#handlers.set(key, handler);
    return this;
  }

  /** Many scripts do not wait for what they emit, so a failure is told on stderr and ends nothing by itself. */
  #emit(what: 'property' | 'event', name: string, data: unknown): Promise<void> {
    const sent = this.#send(what, name, data);
    sent.catch((error: AlthingError) => console.error(`emit ${name}: ${error.code}: ${error.message}`));
    return sent;
  }

  async #send(what: 'property' | 'event', name: string, data: unknown): Promise<void> {
    // Before it is exposed nobody can have subscribed.
    if (!this.#exposed) return;
    // A value is taken as it is now, in the order of the calls; only a function has to be waited for.
    const value = typeof data === 'function' ? await jsonInput(data) : jsonValue(data);
    const params = { thing: this.#thing, what, name, ...carry(value) };
    await this.#link.request({ op: 'emit', params });
  }
}
