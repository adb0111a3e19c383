/**
 * The Scripting API's entry object in a script's process, over the link to its host.
 * Relies on the host for everything that lasts: Things, consumption, the directory.
 */
import type { Duplex } from 'node:stream';
import { AlthingError } from '../../core/errors.ts';
import type { ConsumedThing, ExposedThing, ThingFilter, Wot } from '../../thing/scripting-api.ts';
import type { PartialThingDescription, ThingDescription } from '../../thing/thing-description.ts';
import { ChildConsumedThing } from './child-consumed-thing.ts';
import { ChildExposedThing } from './child-exposed-thing.ts';
import type { ChildLink } from './child-link.ts';
import { ChildStreams } from './child-streams.ts';
import { jsonValue } from './json-value.ts';
import { ScriptLink } from './script-link.ts';
import { channelLimits, type HostNotice, type HostRequest, type Message } from './script-messages.ts';

/** `WoT` as the script sees it, and the link underneath. `onGone` is called when the host is no more. */
export const connectChild = (
  stream: Duplex,
  onGone: (error?: AlthingError) => void,
): { wot: Wot; link: ChildLink } => {
  const things = new Map<number, ChildExposedThing>();
  const link: ChildLink = new ScriptLink(stream, {
    maxInBytes: channelLimits.fromHostBytes,
    maxOutBytes: channelLimits.fromChildBytes,
    maxWaiting: channelLimits.waitingRequests,
    check: (raw) => raw as Message<HostRequest, HostNotice>,
    onRequest: async ({ params }, signal) => {
      const thing = things.get(params.thing);
      if (!thing) throw new AlthingError('thing-unknown', 'The script has destroyed the Thing.');
      return thing.call(params, signal);
    },
    onNotice: (notice) => {
      if (notice.topic === 'ping')
        link.notify({ topic: 'pong', params: { rssBytes: process.memoryUsage.rss() } });
      else streams.take(notice);
    },
    lost: new AlthingError('script-failed', 'The host of the script is gone.'),
    onBroken: onGone,
    onOverflow: () => link.notify({ topic: 'flooded', params: {} }),
  });
  const streams = new ChildStreams(link);
  const released = new FinalizationRegistry((consumed: number) =>
    link.notify({ topic: 'release', params: { consumed } }),
  );

  const produce = async (init: PartialThingDescription): Promise<ExposedThing> => {
    const td = jsonValue(typeof init === 'string' ? JSON.parse(init) : init) as PartialThingDescription;
    const made = (await link.request({ op: 'produce', params: { td } })) as {
      thing: number;
      td: ThingDescription;
    };
    const thing = new ChildExposedThing(link, made.thing, made.td);
    things.set(made.thing, thing);
    return thing;
  };

  const consume = async (description: ThingDescription | string): Promise<ConsumedThing> => {
    const td = jsonValue(description) as ThingDescription | string;
    const made = (await link.request({ op: 'consume', params: { td } })) as {
      consumed: number;
      td: ThingDescription;
    };
    const thing = new ChildConsumedThing(link, streams, made.consumed, made.td);
    released.register(thing, made.consumed);
    return thing;
  };

  const discover = (filter?: ThingFilter): ReturnType<Wot['discover']> => {
    const params = filter ? { filter: jsonValue(filter) as ThingFilter } : {};
    const found = link.request({ op: 'discover', params }) as Promise<ThingDescription[]>;
    const iterate = async function* () {
      yield* await found;
    };
    return Object.assign(found, { [Symbol.asyncIterator]: iterate });
  };

  const requestThingDescription = (thing: string): Promise<ThingDescription> =>
    link.request({ op: 'describe', params: { thing } }) as Promise<ThingDescription>;

  return { wot: { produce, consume, discover, requestThingDescription }, link };
};
