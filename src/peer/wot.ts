/**
 * The W3C Scripting API over a peer: produce, consume, discover, requestThingDescription.
 * Relies on `thing/` for the objects that it hands out and on the peer for everything they do.
 */
import { randomUUID } from 'node:crypto';
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { ConsumedThing } from '../thing/consumed-thing.ts';
import { ExposedThing } from '../thing/exposed-thing.ts';
import type { ThingConnector } from '../thing/operations.ts';
import type { Cause, ThingFilter, Wot } from '../thing/scripting-api.ts';
import type { PartialThingDescription, ThingDescription } from '../thing/thing-description.ts';
import type { ExposedThings } from './exposed-things.ts';

export interface WotOptions {
  readonly self: PeerId;
  readonly connector: ThingConnector;
  readonly exposed: ExposedThings;
  readonly find: (filter?: ThingFilter) => ThingDescription[];
  readonly resolve: (name: string) => ThingDescription;
  readonly newCause: () => Cause;
  /** TDs come from this program itself and are checked by its tests: no validator is loaded to expose them. */
  readonly trusted: boolean;
  readonly logger: Logger;
}

/** How long a Thing may take to read its own property in order to emit it. */
const ownReadTimeoutMs = 10_000;

/** The Scripting API's entry object for one caller. */
export const createWot = (options: WotOptions): Wot => {
  const { connector, exposed, newCause, logger } = options;

  const produce = async (td: PartialThingDescription): Promise<ExposedThing> => {
    if (typeof td !== 'object' || td === null)
      throw new AlthingError('td-invalid', 'produce() takes a Thing Description, an object with a title.');
    return new ExposedThing(td, {
      newId: randomUUID,
      now: Date.now,
      ownContext: () => ({
        peer: options.self,
        signal: AbortSignal.timeout(ownReadTimeoutMs),
        deadline: Date.now() + ownReadTimeoutMs,
        cause: newCause(),
        uriVariables: {},
      }),
      onExpose: (thing) => exposed.expose(thing, thing.getThingDescription(), { trusted: options.trusted }),
      onDestroy: (thing) => exposed.retract(thing),
      onKnown: (thing, property, value) => exposed.learn(thing, property, value),
      trusted: options.trusted,
      logger,
    });
  };

  const consume = async (td: ThingDescription | string): Promise<ConsumedThing> => {
    const known = typeof td === 'string' ? options.resolve(td) : td;
    return new ConsumedThing(known, connector, { newCause, logger });
  };

  return {
    produce,
    consume,
    discover: (filter) => discovery(() => options.find(filter)),
    requestThingDescription: async (thing) => options.resolve(thing),
  };
};

/** The Scripting API iterates over a discovery; node-wot's scripts also await it as a list. */
const discovery = (
  find: () => ThingDescription[],
): AsyncIterable<ThingDescription> & Promise<ThingDescription[]> => {
  const found = Promise.resolve().then(find);
  return Object.assign(found, {
    async *[Symbol.asyncIterator]() {
      yield* await found;
    },
  });
};
