/**
 * What tests of Things need: an exposed lamp without a peer around it, contexts, sinks that remember.
 * Relies on the pure Thing classes; ids and times are counted, so that every run is the same.
 */
import type { AlthingError } from '../core/errors.ts';
import { peerIdOf } from '../core/ids.ts';
import { completeTd } from '../thing/complete-td.ts';
import { ExposedThing, type ExposedThingOptions } from '../thing/exposed-thing.ts';
import type { StreamPosition, StreamSink, ThingConnector } from '../thing/operations.ts';
import type { InteractionContext } from '../thing/scripting-api.ts';
import type { PartialThingDescription } from '../thing/thing-description.ts';

export const labPeer = peerIdOf(new Uint8Array(32).fill(3));

/** A lamp with one affordance of every kind that behaves differently. */
export const labLamp: PartialThingDescription = {
  title: 'Lamp',
  '@type': 'Light',
  properties: {
    on: { type: 'boolean', observable: true },
    level: { type: 'integer', minimum: 0, maximum: 100, observable: true, unit: 'percent' },
    color: {
      type: 'object',
      properties: { r: { type: 'integer' }, g: { type: 'integer' } },
      required: ['r'],
    },
    serial: { type: 'string', readOnly: true },
    pin: { type: 'string', writeOnly: true },
    picture: { readOnly: true, forms: [{ href: '', contentType: 'image/png' }] },
    forecast: { type: 'number', readOnly: true, uriVariables: { days: { type: 'integer', minimum: 1 } } },
  },
  actions: {
    toggle: {},
    fade: {
      input: { type: 'object', properties: { to: { type: 'integer' } }, required: ['to'] },
      output: { type: 'integer' },
    },
    sunrise: { synchronous: false, output: { type: 'string' } },
  },
  events: {
    overheated: { data: { type: 'number' }, subscription: { type: 'object', required: ['above'] } },
    flicker: { data: { type: 'integer' } },
  },
};

/** A context as an asker's session would make it. */
export const labContext = (overrides: Partial<InteractionContext> = {}): InteractionContext => ({
  peer: labPeer,
  signal: new AbortController().signal,
  deadline: 10_000,
  cause: { id: 'cause-1', origin: 'program', peer: labPeer },
  uriVariables: {},
  ...overrides,
});

/** A Thing (the lamp, if no other is given) whose owner completes the TD and does nothing else. */
export const labThing = (
  td: PartialThingDescription = labLamp,
  overrides: Partial<ExposedThingOptions> = {},
): ExposedThing => {
  let ids = 0;
  return new ExposedThing(td, {
    newId: () => `id-${++ids}`,
    now: () => 0,
    ownContext: labContext,
    onExpose: async (thing) =>
      completeTd(thing.getThingDescription(), { id: 'urn:lab:lamp', peer: labPeer, name: 'lamp' }),
    onDestroy: async () => {},
    ...overrides,
  });
};

/** The shortest way to a Thing: a call. */
export const directConnector = (thing: ExposedThing): ThingConnector => ({
  request: (call, options) => thing.request(call, labContext(options?.signal && { signal: options.signal })),
  stream: (call, sink) => thing.stream(call, sink, labContext()),
});

/** A sink that remembers what it got. */
export class RecordingSink implements StreamSink {
  readonly values: unknown[] = [];
  readonly positions: StreamPosition[] = [];
  readonly errors: AlthingError[] = [];

  next(value: unknown, position: StreamPosition): void {
    this.values.push(value);
    this.positions.push(position);
  }

  error(error: AlthingError): void {
    this.errors.push(error);
  }
}
