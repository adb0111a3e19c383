/**
 * The network of a simulated fabric: ordered links with latency that differ from one another, break and are cut off.
 * Relies on simulated time; messages cross it in their real wire form, and are counted.
 */
import { decode, encode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Frame } from '../net/frames.ts';
import { decodeSync, encodeSync } from '../net/sync-frames.ts';
import type { SyncLink, SyncMessage } from '../replica/sync-messages.ts';
import type { SimulatedTime } from './simulated-time.ts';

/** Whoever can be at one end of a session. */
export interface Station {
  readonly number: number;
  readonly id: PeerId;
  readonly running: boolean;
  /** What really leaves this station where its program sends `message`; honest ones send just that. */
  outgoing(message: SyncMessage, to: Station): readonly SyncMessage[];
  handle(link: SyncLink, message: SyncMessage): Promise<void>;
  /** The session with this link has ended, as far as this station knows. */
  ended(link: SyncLink): void;
}

/** How a network is. */
export interface NetworkOptions {
  readonly time: SimulatedTime;
  readonly random: () => number;
  /** One way; each session draws its own between these, and each message up to half as much again. */
  readonly latencyMs: { readonly min: number; readonly max: number };
  /** Sees every message as it leaves. */
  readonly observe?: (message: SyncMessage, from: Station, to: Station) => void;
}

/** Messages and their bytes, frame headers included. */
export interface Traffic {
  messages: number;
  bytes: number;
}

/** A frame's length in front of its body. */
const headerBytes = 4;
/** A side that hears nothing for so long takes the other for dead. */
const deafMs = 1800;

interface End {
  readonly station: Station;
  readonly link: SyncLink;
  /** Whether this side still takes the session for alive. */
  open: boolean;
  /** What has arrived and waits until what came before it is dealt with. */
  readonly inbox: Uint8Array[];
  busy: boolean;
  /** When the last message to it arrives: nothing overtakes on a link. */
  lastArrivalMs: number;
}

/** An authenticated session of two stations. */
export interface SimulatedSession {
  readonly ends: readonly [End, End];
  readonly latencyMs: number;
  /** Nothing gets through any more. */
  severed: boolean;
}

/** All sessions, and who can reach whom. */
export class SimulatedNetwork {
  readonly #options: NetworkOptions;
  readonly #sessions = new Set<SimulatedSession>();
  /** Stations of different sides do not reach each other. */
  #sideOf: (station: Station) => number = () => 0;
  readonly #received = new Map<Station, Traffic>();
  readonly #sentByKind = new Map<string, Traffic>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** What was sent to this station so far. */
  receivedBy(station: Station): Traffic {
    return countedFor(this.#received, station);
  }

  /** What was sent so far by all. */
  total(): Traffic {
    const total: Traffic = { messages: 0, bytes: 0 };
    for (const { messages, bytes } of this.#sentByKind.values()) {
      total.messages += messages;
      total.bytes += bytes;
    }
    return total;
  }

  /** Whether a session between these could be opened now. */
  canReach(a: Station, b: Station): boolean {
    return a.running && b.running && this.#sideOf(a) === this.#sideOf(b);
  }

  /** Divides the network: sessions between stations of different sides are severed. */
  divide(sideOf: (station: Station) => number): void {
    this.#sideOf = sideOf;
    for (const session of this.#sessions) {
      const [a, b] = session.ends;
      if (sideOf(a.station) !== sideOf(b.station)) this.sever(session);
    }
  }

  /** Everyone reaches everyone again. */
  heal(): void {
    this.#sideOf = () => 0;
  }

  /** Opens a session; both sides get their links. The caller has seen to it that both agree. */
  open(a: Station, b: Station): readonly [SyncLink, SyncLink] {
    const { min, max } = this.#options.latencyMs;
    const end = (station: Station, other: Station, at: 0 | 1): End => ({
      station,
      link: {
        peer: other.id,
        send: (message) => {
          for (const one of station.outgoing(message, other)) this.#send(session, at, one);
        },
        fail: () => this.#fail(session, at),
      },
      open: true,
      inbox: [],
      busy: false,
      lastArrivalMs: 0,
    });
    const session: SimulatedSession = {
      ends: [end(a, b, 0), end(b, a, 1)],
      latencyMs: min + (max - min) * this.#options.random(),
      severed: false,
    };
    this.#sessions.add(session);
    return [session.ends[0].link, session.ends[1].link];
  }

  /** The sessions of one station that it takes for alive. */
  *sessionsOf(station: Station): Iterable<SimulatedSession> {
    for (const session of this.#sessions)
      if (session.ends.some((end) => end.station === station && end.open)) yield session;
  }

  /** Breaks a session: what is under way is lost, and each side notices in its own time. */
  sever(session: SimulatedSession): void {
    if (session.severed) return;
    session.severed = true;
    this.#sessions.delete(session);
    for (const end of session.ends)
      this.#options.time.schedule(deafMs * this.#options.random(), () => close(end));
  }

  /** A station stops without a word. */
  drop(station: Station): void {
    for (const session of [...this.#sessions]) {
      const at = session.ends.findIndex((end) => end.station === station);
      if (at < 0) continue;
      session.ends[at]!.open = false;
      this.sever(session);
    }
  }

  /** One side ends the session: it knows at once, the other as soon as it hears of it. */
  #fail(session: SimulatedSession, at: 0 | 1): void {
    if (session.severed) return;
    session.severed = true;
    this.#sessions.delete(session);
    close(session.ends[at]);
    this.#options.time.schedule(session.latencyMs, () => close(session.ends[at === 0 ? 1 : 0]));
  }

  #send(session: SimulatedSession, from: 0 | 1, message: SyncMessage): void {
    const { time, random, observe } = this.#options;
    const sender = session.ends[from];
    const receiver = session.ends[from === 0 ? 1 : 0];
    if (!sender.open) return;
    observe?.(message, sender.station, receiver.station);
    const bytes = encode(encodeSync(message));
    for (const traffic of [this.receivedBy(receiver.station), countedFor(this.#sentByKind, message.kind)]) {
      traffic.messages += 1;
      traffic.bytes += bytes.length + headerBytes;
    }
    const arrivalMs = time.now() + session.latencyMs * (1 + random() / 2);
    receiver.lastArrivalMs = Math.max(receiver.lastArrivalMs, arrivalMs);
    time.schedule(receiver.lastArrivalMs - time.now(), () => {
      if (session.severed || !receiver.open) return;
      receiver.inbox.push(bytes);
      if (!receiver.busy) void this.#deal(session, receiver);
    });
  }

  /** Hands over what has arrived, one message after the other. */
  async #deal(session: SimulatedSession, end: End): Promise<void> {
    end.busy = true;
    for (let bytes = end.inbox.shift(); bytes && end.open; bytes = end.inbox.shift()) {
      try {
        await end.station.handle(end.link, decodeSync(decode(bytes) as Frame));
      } catch (error) {
        if (!(error instanceof AlthingError)) throw error;
        this.#fail(session, session.ends[0] === end ? 0 : 1);
      }
    }
    end.busy = false;
  }
}

const close = (end: End): void => {
  if (!end.open) return;
  end.open = false;
  end.station.ended(end.link);
};

const countedFor = <Key>(counted: Map<Key, Traffic>, key: Key): Traffic => {
  let traffic = counted.get(key);
  if (!traffic) {
    traffic = { messages: 0, bytes: 0 };
    counted.set(key, traffic);
  }
  return traffic;
};
