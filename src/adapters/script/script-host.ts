/**
 * The host's side of one run: does for the script what it asks, over the peer's own Scripting API.
 * Relies on the link for order, credit and limits, and on messages having been checked.
 */
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type {
  ConsumedThing,
  InteractionOptions,
  InteractionOutput,
  Subscription,
  Wot,
} from '../../thing/scripting-api.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import { type Carried, carried, carry } from './carried-value.ts';
import type { ScriptLink } from './script-link.ts';
import {
  type ChildNotice,
  type ChildRequest,
  channelLimits,
  type HostNotice,
  type HostRequest,
  type WireOptions,
} from './script-messages.ts';
import type { ScriptThing, ScriptThings } from './script-things.ts';

/** The host's end of the channel. */
export type HostLink = ScriptLink<ChildRequest, ChildNotice, HostRequest, HostNotice>;

type Params<Op extends ChildRequest['op']> = Extract<ChildRequest, { op: Op }>['params'];

interface Stream {
  subscription: Subscription | undefined;
  stopped: boolean;
  /** Values that the child may still be sent. */
  credit: number;
  missed: number;
}

/** Serves one run of a script. */
export class ScriptHost {
  readonly #wot: Wot;
  readonly #kept: ScriptThings;
  readonly #link: HostLink;
  readonly #logger: Logger;
  readonly #things = new Map<number, ScriptThing>();
  readonly #consumed = new Map<number, ConsumedThing>();
  readonly #streams = new Map<number, Stream>();
  #next = 1;

  constructor(wot: Wot, kept: ScriptThings, link: HostLink, logger: Logger) {
    this.#logger = logger;
    this.#wot = wot;
    this.#kept = kept;
    this.#link = link;
  }

  /** Does what the script asks. Throws every code that the peer's Scripting API gives. */
  async request(request: ChildRequest, signal: AbortSignal): Promise<unknown> {
    switch (request.op) {
      case 'produce':
        return this.#produce(request.params);
      case 'expose':
        return this.#expose(request.params);
      case 'destroy':
        return this.#destroy(request.params);
      case 'emit':
        return this.#emit(request.params);
      case 'describe':
        return this.#describe(request.params.thing);
      case 'discover':
        return this.#wot.discover(request.params.filter);
      case 'consume':
        return this.#consume(request.params);
      case 'use':
        return this.#use(request.params, signal);
      case 'open':
        return this.#open(request.params, signal);
      case 'close':
        return this.#close(request.params.stream);
    }
  }

  /** Takes the script's notices about handlers, credit and released Things. */
  notice(notice: ChildNotice): void {
    if (notice.topic === 'handler') {
      this.#setHandler(notice.params);
    } else if (notice.topic === 'credit') this.#credit(notice.params.stream, notice.params.count);
    else if (notice.topic === 'release') this.#consumed.delete(notice.params.consumed);
  }

  #setHandler({ thing, handler, name }: Extract<ChildNotice, { topic: 'handler' }>['params']): void {
    try {
      this.#things.get(thing)?.setHandler(handler, name);
    } catch (error) {
      // The child has checked the same before; a Thing destroyed meanwhile needs no handler.
      if (toAlthingError(error).code === 'internal') throw error;
    }
  }

  /** The run has ended: its subscriptions stop, its Things wait for the next run. */
  end(): void {
    this.#kept.dropAll();
    for (const stream of this.#streams.values()) {
      stream.stopped = true;
      // The subscription's owner is gone: only the log is left to be told of a stop that failed.
      stream.subscription
        ?.stop()
        .catch((error: unknown) => this.#logger.debug({ err: error }, 'A subscription was not stopped.'));
    }
    this.#streams.clear();
    this.#consumed.clear();
  }

  #thing(number: number): ScriptThing {
    const thing = this.#things.get(number);
    if (!thing) throw new AlthingError('thing-unknown', 'The Thing was destroyed, or never produced.');
    return thing;
  }

  async #produce({ td }: Params<'produce'>): Promise<{ thing: number; td: ThingDescription }> {
    const number = this.#next++;
    const call = (params: HostRequest['params'], signal: AbortSignal) =>
      this.#link.request({ op: 'call', params }, signal);
    const thing = await this.#kept.claim(td, call, number);
    if (this.#link.closed) thing.drop();
    this.#things.set(number, thing);
    return { thing: number, td: thing.description() };
  }

  async #expose({ thing: number }: Params<'expose'>): Promise<ThingDescription> {
    const thing = this.#thing(number);
    await thing.expose();
    return thing.description();
  }

  async #destroy({ thing: number }: Params<'destroy'>): Promise<void> {
    const thing = this.#thing(number);
    this.#things.delete(number);
    await this.#kept.remove(thing);
  }

  async #emit({ thing, what, name, ...rest }: Params<'emit'>): Promise<void> {
    const value = carried(rest);
    const { exposed } = this.#thing(thing);
    if (what === 'property') await exposed.emitPropertyChange(name, value);
    else await exposed.emitEvent(name, value);
  }

  /**
   * A TD by id, title or `peer/name`. Scripts written for node-wot name a Thing of their own machine by its loopback
   * URL: the last part of its path is the name here.
   */
  async #describe(thing: string): Promise<ThingDescription> {
    const local =
      /^(?:https?|coaps?|wss?):\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?\/(?:.*\/)?([^/]+)\/?$/i;
    const name = local.exec(thing)?.[1];
    return this.#wot.requestThingDescription(name === undefined ? thing : decodeURIComponent(name));
  }

  async #consume({ td }: Params<'consume'>): Promise<{ consumed: number; td: ThingDescription }> {
    if (this.#consumed.size >= channelLimits.handles)
      throw new AlthingError(
        'too-many',
        `A script consumes at most ${channelLimits.handles} Things at a time.`,
      );
    const thing = await this.#wot.consume(td);
    const consumed = this.#next++;
    this.#consumed.set(consumed, thing);
    return { consumed, td: thing.getThingDescription() };
  }

  #consumedThing(number: number): ConsumedThing {
    const thing = this.#consumed.get(number);
    if (!thing)
      throw new AlthingError('thing-unknown', 'The Thing was never consumed, or has been released.');
    return thing;
  }

  async #use(
    { consumed, use, name = '', options, ...rest }: Params<'use'>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const thing = this.#consumedThing(consumed);
    const value = carried(rest);
    const how = interactionOptions(options, signal);
    switch (use) {
      case 'readproperty':
        return (await thing.readProperty(name, how)).value();
      case 'writeproperty':
        return thing.writeProperty(name, value, how);
      case 'readallproperties':
        return values(await thing.readAllProperties(how));
      case 'readmultipleproperties':
        return values(await thing.readMultipleProperties(value as string[], how));
      case 'writemultipleproperties':
        return thing.writeMultipleProperties(value as Record<string, unknown>, how);
      case 'invokeaction':
        return (await thing.invokeAction(name, value, how)).value();
      case 'queryaction':
        return thing.queryAction(name, String(value), how);
      case 'cancelaction':
        return thing.cancelAction(name, String(value), how);
    }
  }

  async #open(
    { consumed, stream: number, what, name, options }: Params<'open'>,
    signal: AbortSignal,
  ): Promise<void> {
    const thing = this.#consumedThing(consumed);
    if (this.#streams.size >= channelLimits.handles || this.#streams.has(number))
      throw new AlthingError('too-many', `A script has at most ${channelLimits.handles} subscriptions.`);
    const stream: Stream = {
      subscription: undefined,
      stopped: false,
      credit: channelLimits.openValues,
      missed: 0,
    };
    this.#streams.set(number, stream);
    const listen = what === 'property' ? thing.observeProperty : thing.subscribeEvent;
    try {
      stream.subscription = await listen.call(
        thing,
        name,
        async (data) => this.#value(number, stream, await data.value()),
        (error) => this.#streamError(number, stream, error),
        interactionOptions(options, signal),
      );
    } catch (error) {
      this.#streams.delete(number);
      throw error;
    }
    if (stream.stopped || signal.aborted) await this.#stop(number, stream);
  }

  async #close(number: number): Promise<void> {
    const stream = this.#streams.get(number);
    // It ended by itself before.
    if (stream) await this.#stop(number, stream);
  }

  async #stop(number: number, stream: Stream): Promise<void> {
    stream.stopped = true;
    this.#streams.delete(number);
    await stream.subscription?.stop();
  }

  #value(number: number, stream: Stream, value: unknown): void {
    if (stream.stopped) return;
    if (stream.credit === 0) {
      stream.missed++;
      return;
    }
    stream.credit--;
    this.#tell(stream, {
      topic: 'value',
      params: { stream: number, ...carry(value) },
    });
  }

  #streamError(number: number, stream: Stream, error: AlthingError): void {
    if (stream.stopped) return;
    const { code, message, details } = error;
    if (code !== 'values-missed') {
      stream.stopped = true;
      this.#streams.delete(number);
    }
    this.#tell(stream, {
      topic: 'stream-error',
      params: { stream: number, code, message, ...(details && { details: { ...details } }) },
    });
  }

  #credit(number: number, count: number): void {
    const stream = this.#streams.get(number);
    // The stream has ended meanwhile.
    if (!stream) return;
    stream.credit = Math.min(stream.credit + count, channelLimits.openValues);
    if (stream.missed === 0) return;
    const { missed } = stream;
    stream.missed = 0;
    this.#streamError(number, stream, missedError(missed));
  }

  #tell(stream: Stream, notice: HostNotice): void {
    try {
      this.#link.notify(notice);
    } catch (error) {
      // It cannot be sent now (too large, or the child does not read): the child is told with the next credit.
      if (toAlthingError(error).code === 'internal') throw error;
      stream.missed++;
    }
  }
}

const missedError = (missed: number): AlthingError =>
  new AlthingError('values-missed', `${missed} values came faster than the script took them.`, {
    details: { missed },
  });

const values = async (outputs: Map<string, InteractionOutput>): Promise<Record<string, Carried>> => {
  const entries = [...outputs].map(async ([name, output]) => [name, carry(await output.value())] as const);
  return Object.fromEntries(await Promise.all(entries));
};

const interactionOptions = (options: WireOptions, signal: AbortSignal): InteractionOptions => ({
  ...options,
  signal,
});
