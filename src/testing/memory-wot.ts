/**
 * The Scripting API within one process, without peer or network: what adapters expose can be used at once.
 * Relies on the real ExposedThing and ConsumedThing; Things are found by id, title or slug.
 */
import { AlthingError } from '../core/errors.ts';
import { peerIdOf, slugOf, thingIdOf } from '../core/ids.ts';
import { completeTd } from '../thing/complete-td.ts';
import { ConsumedThing } from '../thing/consumed-thing.ts';
import { ExposedThing } from '../thing/exposed-thing.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamSink,
  ThingCall,
  ThingConnector,
} from '../thing/operations.ts';
import type { Cause, InteractionContext, ThingFilter, Wot } from '../thing/scripting-api.ts';
import type { PartialThingDescription, ThingDescription } from '../thing/thing-description.ts';
import { validateTd } from '../thing/validate-td.ts';

/** The peer as which everything is asked. */
export const memoryPeer = peerIdOf(new Uint8Array(32).fill(9));

/** A Wot whose Things are reached directly. */
export class MemoryWot implements Wot, ThingConnector {
  readonly exposed = new Map<string, ExposedThing>();
  #count = 0;

  async produce(td: PartialThingDescription): Promise<ExposedThing> {
    return new ExposedThing(td, {
      newId: () => `id-${this.#count++}`,
      now: Date.now,
      ownContext: () => this.#context({}),
      onExpose: async (thing) => {
        const partial = thing.getThingDescription();
        const name = this.#freeName(slugOf(partial.title));
        const id = thingIdOf(memoryPeer, name);
        const td = completeTd(partial, { id, peer: memoryPeer, name });
        await validateTd(td);
        this.exposed.set(id, thing);
        return td;
      },
      onDestroy: async (thing) => {
        this.exposed.delete(thing.id);
      },
    });
  }

  async consume(td: ThingDescription | string): Promise<ConsumedThing> {
    const found = typeof td === 'string' ? await this.requestThingDescription(td) : td;
    return new ConsumedThing(found, this, { newCause: () => this.#cause() });
  }

  discover(filter: ThingFilter = {}): ReturnType<Wot['discover']> {
    const all = [...this.exposed.values()].map((thing) => thing.getThingDescription());
    const found = all.filter((td) => filter.type === undefined || td['@type'] === filter.type);
    const iterate = async function* () {
      yield* found;
    };
    return Object.assign(Promise.resolve(found), { [Symbol.asyncIterator]: iterate });
  }

  async requestThingDescription(name: string): Promise<ThingDescription> {
    for (const [id, thing] of this.exposed) {
      const td = thing.getThingDescription();
      if (id === name || td.title === name || slugOf(td.title) === name) return td;
    }
    throw new AlthingError('thing-unknown', `There is no Thing "${name}".`);
  }

  request(call: ThingCall<RequestOperation>, options: CallOptions = {}): Promise<unknown> {
    return this.#thing(call.thing).request(call, this.#context(options));
  }

  stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options: CallOptions = {},
  ): Promise<StreamHandle> {
    return this.#thing(call.thing).stream(call, sink, this.#context(options));
  }

  #thing(id: string): ExposedThing {
    const thing = this.exposed.get(id);
    if (!thing) throw new AlthingError('thing-unknown', `There is no Thing ${id}.`);
    return thing;
  }

  #freeName(slug: string): string {
    let name = slug;
    for (let n = 2; this.exposed.has(thingIdOf(memoryPeer, name)); n++) name = `${slug}-${n}`;
    return name;
  }

  #cause(): Cause {
    return { id: `cause-${this.#count++}`, origin: 'program', peer: memoryPeer };
  }

  #context({ timeoutMs = 10_000, signal, cause }: CallOptions): InteractionContext {
    const timeout = AbortSignal.timeout(timeoutMs);
    return {
      peer: memoryPeer,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      deadline: Date.now() + timeoutMs,
      cause: cause ?? this.#cause(),
      uriVariables: {},
    };
  }
}
