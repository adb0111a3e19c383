/**
 * The directory that a device keeps for those who hold no records: its Things as far as the asker may use them.
 * Relies on the access gate for what that is; it is asked over sessions like a Thing, under an id that no Thing has.
 */
import { createHash, randomUUID } from 'node:crypto';
import { AlthingError } from '../../core/errors.ts';
import { type PeerId, parseThingId, publicKeyOf } from '../../core/ids.ts';
import type {
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamPosition,
  StreamSink,
  ThingCall,
} from '../../thing/operations.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import { typesOf } from '../../thing/thing-filter.ts';
import type { PeerCard } from '../directory.ts';
import type { ServedThing } from '../exposed-things.ts';
import type { AccessGate, Caller } from './access-gate.ts';
import { visibleTd } from './visible-td.ts';

/** The id under which a peer's directory is asked: no exposed Thing's name begins with a dot. */
export const directoryIdOf = (peer: PeerId): string => `urn:althing:${peer}:.directory`;

/** A page of TDs has about this size, so that it fits into a frame whatever the last one's is. */
const pageBytes = 256 * 1024;
/** Streams of one peer at most: each is compared whenever something changes. A session needs one, and may be doubled. */
const maxStreams = 8;
/** Other peers that are named at most. */
const maxPeers = 256;

export interface ServedDirectoryOptions {
  readonly self: PeerId;
  readonly gate: AccessGate;
  /** What is exposed here. */
  readonly exposed: () => Iterable<ServedThing>;
  /** Every Thing of the fabric. */
  readonly all: () => Iterable<ThingDescription>;
  readonly card: (peer: PeerId) => PeerCard | undefined;
  readonly speakerOf: (peer: PeerId) => PeerId;
  /** Raw records that show a member's membership and role as they are known here. */
  readonly proofOf: (peer: PeerId) => readonly Uint8Array[];
}

/** What a device tells guests. */
export class ServedDirectory {
  readonly #options: ServedDirectoryOptions;
  /** Streams that are open, by who follows. */
  readonly #streams = new Map<PeerId, Set<object>>();

  constructor(options: ServedDirectoryOptions) {
    this.#options = options;
  }

  /** `readproperty` of `things`, `peers` or `membership`. Throws `affordance-unknown`, `operation-unsupported`. */
  request(caller: Caller, { op, name }: ThingCall<RequestOperation>, after: unknown): unknown {
    if (op !== 'readproperty') throw unsupported(op);
    if (name === 'things') return this.#page(caller, typeof after === 'string' ? after : '');
    if (name === 'peers') return this.#peers(caller);
    if (name === 'membership')
      return caller.visitor.kind === 'pass' ? [] : this.#options.proofOf(caller.peer);
    throw new AlthingError('affordance-unknown', `A directory has no "${name}": things, peers, membership.`);
  }

  /**
   * `observeproperty` of `things`: null whenever what `request` would answer has changed. Throws
   * `operation-unsupported`, `too-many`.
   */
  stream(
    caller: Caller,
    { op, name }: ThingCall<StreamOperation>,
    sink: StreamSink,
  ): StreamHandle & { readonly position: StreamPosition } {
    if (op !== 'observeproperty' || name !== 'things') throw unsupported(op);
    const streams = this.#streams.get(caller.peer) ?? new Set();
    if (streams.size >= maxStreams)
      throw new AlthingError('too-many', `One peer follows a directory ${maxStreams} times at most.`);
    this.#streams.set(caller.peer, streams.add(sink));
    const run = randomUUID();
    let seq = 0;
    let seen = this.#digest(caller);
    const recheck = (): void => {
      const now = this.#digest(caller);
      if (now === seen) return;
      seen = now;
      seq += 1;
      sink.next(null, { run, seq });
    };
    const unwatch = this.#options.gate.watch({ caller, recheck });
    const stop = (): void => {
      unwatch();
      if (streams.delete(sink) && streams.size === 0) this.#streams.delete(caller.peer);
    };
    return { position: { run, seq }, stop };
  }

  /** TDs as JSON text in the order of their ids, and the id after which the next page begins. */
  #page(caller: Caller, after: string): { things: string[]; next: string | null } {
    const things: string[] = [];
    let bytes = 0;
    let last = after;
    for (const { id, text } of this.#visible(caller, after)) {
      if (bytes + text.length > pageBytes && things.length > 0) return { things, next: last };
      things.push(text);
      bytes += Buffer.byteLength(text);
      last = id;
    }
    return { things, next: null };
  }

  *#visible(caller: Caller, after = ''): Generator<{ id: string; text: string }> {
    const { exposed, gate } = this.#options;
    const served = [...exposed()]
      .filter(({ td }) => td.id > after)
      .sort((a, b) => (a.td.id < b.td.id ? -1 : 1));
    for (const { td, scoped } of served) {
      if (!gate.sees(caller, scoped)) continue;
      const shown = visibleTd(td, (op, name) =>
        gate.allows(caller, scoped, { thing: td.id, op, ...(name !== undefined && { name }) }),
      );
      yield { id: td.id, text: JSON.stringify(shown) };
    }
  }

  /** This peer, and the others whose Things the caller may use: [key, name, addresses] each. */
  #peers(caller: Caller): [Uint8Array, string, readonly string[]][] {
    const { self, all, card, speakerOf, gate } = this.#options;
    const carriers = new Set([self]);
    if (caller.visitor.kind === 'member')
      for (const td of all()) {
        const carrier = speakerOf(parseThingId(td.id)!.peer);
        if (carriers.size >= maxPeers) break;
        if (!carriers.has(carrier) && gate.sees(caller, { id: td.id, types: typesOf(td) }))
          carriers.add(carrier);
      }
    return [...carriers].flatMap((peer) => {
      const known = card(peer);
      return known ? [[publicKeyOf(peer), known.name, known.addresses]] : [];
    });
  }

  #digest(caller: Caller): string {
    const hash = createHash('sha256');
    for (const { text } of this.#visible(caller)) hash.update(`${text}\n`);
    for (const [key, name, addresses] of this.#peers(caller))
      hash.update(key).update(JSON.stringify([name, addresses]));
    if (caller.visitor.kind === 'member')
      for (const raw of this.#options.proofOf(caller.peer)) hash.update(raw);
    return hash.digest('base64');
  }
}

const unsupported = (op: string): AlthingError =>
  new AlthingError('operation-unsupported', `A directory's "things" can be read and observed, not ${op}.`);
