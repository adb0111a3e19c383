/**
 * Things for tests of rules on real peers: a motion sensor that the test moves, a lamp that remembers what it was told.
 * Relies on the Scripting API alone, as any program's Things do.
 */
import type { Peer } from '../peer/peer.ts';
import type { Cause } from '../thing/scripting-api.ts';
import { waitFor } from './wait-for.ts';

/** A sensor in a test's hands. */
export interface LabMotion {
  readonly id: string;
  /** Sets the property `motion` and tells of it. */
  set(motion: boolean): Promise<void>;
  /** Emits the event `bell`. */
  ring(data?: unknown): Promise<void>;
  /** Somebody follows the property, and has read what it is. */
  settled(): Promise<void>;
}

/** Exposes a Thing with an observable boolean `motion` and an event `bell`. */
export const exposeMotion = async (peer: Peer, title = 'Motion', motion = false): Promise<LabMotion> => {
  let now = motion;
  let isFollowed = false;
  let isRead = false;
  const thing = await peer.wot.produce({
    title,
    '@type': 'MotionSensor',
    properties: { motion: { type: 'boolean', readOnly: true, observable: true } },
    events: { bell: { data: {} } },
  });
  thing.setPropertyReadHandler('motion', () => {
    isRead ||= isFollowed;
    return now;
  });
  thing.setPropertyObserveHandler('motion', () => {
    isFollowed = true;
  });
  thing.setEventSubscribeHandler('bell', () => {
    isFollowed = true;
    isRead = true;
  });
  await thing.expose();
  return {
    get id() {
      return thing.id;
    },
    set: async (value) => {
      now = value;
      await thing.emitPropertyChange('motion');
    },
    ring: (data) => thing.emitEvent('bell', data),
    settled: async () => {
      await waitFor(() => isRead, { what: `${title} to be followed` });
    },
  };
};

/** A lamp that remembers. */
export interface LabLamp {
  readonly id: string;
  /** Every value that was written, and why. */
  readonly written: unknown[];
  readonly causes: Cause[];
  readonly isOn: boolean;
}

/** Exposes a Thing with a boolean `on`; `acted` is called before a write is answered. */
export const exposeLamp = async (
  peer: Peer,
  title = 'Lamp',
  acted: (on: unknown) => Promise<void> = async () => {},
): Promise<LabLamp> => {
  let on: unknown = false;
  const written: unknown[] = [];
  const causes: Cause[] = [];
  const thing = await peer.wot.produce({
    title,
    '@type': 'Light',
    properties: { on: { type: 'boolean', observable: true } },
  });
  thing.setPropertyReadHandler('on', () => on);
  thing.setPropertyWriteHandler('on', async (input, { cause }) => {
    on = await input.value();
    written.push(on);
    causes.push(cause);
    await acted(on);
    await thing.emitPropertyChange('on', on);
  });
  await thing.expose();
  return {
    id: thing.id,
    written,
    causes,
    get isOn() {
      return on === true;
    },
  };
};
