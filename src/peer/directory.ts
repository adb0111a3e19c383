/**
 * The Things of the fabric as the local replica knows them: listing, finding, naming; offline, without a server.
 * Relies on the replica's `thing` and `peer` records; TDs are parsed once and kept while their record stands.
 */
import { AlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId } from '../core/ids.ts';
import type { SignedRecord } from '../replica/record.ts';
import { recordValue } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import { copyPlain } from '../thing/plain-value.ts';
import type { ThingFilter } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { matchesFilter } from '../thing/thing-filter.ts';

/** What a `peer` record says of its author. */
export interface PeerCard {
  readonly name: string;
  /** `host:port`. */
  readonly addresses: readonly string[];
}

/** Several times faster than `localeCompare`, which thousands of Things make felt. */
const titles = new Intl.Collator();
const byTitle = (a: ThingDescription, b: ThingDescription): number =>
  titles.compare(a.title, b.title) || (a.id < b.id ? -1 : 1);
/** Candidates named in an error at most. */
const maxCandidates = 8;

/** Finds Things and peers in the replica. */
export class Directory {
  readonly #replica: Replica;
  readonly #parsed = new WeakMap<SignedRecord, ThingDescription | null>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** All TDs that match, in the order of their titles. */
  find(filter: ThingFilter = {}): ThingDescription[] {
    return this.#matching(filter).sort((a, b) => titles.compare(a.title, b.title) || (a.id < b.id ? -1 : 1));
  }

  #matching(filter: ThingFilter): ThingDescription[] {
    const found: ThingDescription[] = [];
    for (const record of this.#replica.list('thing')) {
      const td = this.parse(record);
      if (td && matchesFilter(td, filter)) found.push(td);
    }
    return found;
  }

  /** The TD with this id, or undefined. */
  byId(id: string): ThingDescription | undefined {
    const record = this.#replica.get('thing', id);
    return (record && this.parse(record)) ?? undefined;
  }

  /** The TD in a `thing` record; null where what it holds is none, or is that of another Thing. */
  parse(record: SignedRecord): ThingDescription | null {
    let td = this.#parsed.get(record);
    if (td === undefined) {
      td = readTd(record);
      this.#parsed.set(record, td);
    }
    return td;
  }

  /** What a peer says of itself; undefined before its record has arrived. */
  card(peer: PeerId): PeerCard | undefined {
    const record = this.#replica.get('peer', peer);
    return record && readCard(record);
  }

  /**
   * The one Thing that a person means by an id, a title, a local name, or `peer/name`.
   * Throws `thing-unknown`, and `name-ambiguous` with the candidates.
   */
  resolve(name: string): ThingDescription {
    const exact = this.byId(name);
    if (exact) return exact;
    const slash = name.indexOf('/');
    const found =
      slash > 0
        ? this.#named(name.slice(slash + 1)).filter((td) => this.#isOf(td, name.slice(0, slash)))
        : this.#named(name);
    if (found.length === 1) return found[0]!;
    if (found.length === 0) throw new AlthingError('thing-unknown', `No Thing is called "${name}".`);
    const candidates = found.map((td) => this.fullName(td));
    const listed = candidates.slice(0, maxCandidates).join(', ');
    throw new AlthingError('name-ambiguous', `"${name}" may be any of ${found.length}: ${listed}.`, {
      details: { candidates: candidates.slice(0, maxCandidates) },
    });
  }

  /** `peer/name`, as `resolve` takes it. */
  fullName(td: ThingDescription): string {
    const peer = this.speakerOf(td);
    return `${this.card(peer)?.name ?? peer}/${parseThingId(td.id)!.name}`;
  }

  /** The peer that exposes a Thing now: the one in its id, or whoever took its place. */
  speakerOf(td: ThingDescription): PeerId {
    return this.#replica.authority.speakerOf(parseThingId(td.id)!.peer);
  }

  #named(name: string): ThingDescription[] {
    const wanted = name.toLowerCase();
    return this.#matching({})
      .filter((td) => td.title.toLowerCase() === wanted || parseThingId(td.id)?.name === wanted)
      .sort(byTitle);
  }

  #isOf(td: ThingDescription, peerName: string): boolean {
    const peer = this.speakerOf(td);
    return peer === peerName || this.card(peer)?.name.toLowerCase() === peerName.toLowerCase();
  }
}

const readTd = (record: SignedRecord): ThingDescription | null => {
  const text = (recordValue(record) as { td?: unknown } | null)?.td;
  if (typeof text !== 'string') return null;
  try {
    // Copying refuses what is nested too deep to be written out again.
    const td = copyPlain(JSON.parse(text)) as ThingDescription | null;
    const isTd = td?.id === record.key && typeof td.title === 'string' && isType(td['@type']);
    return isTd ? td : null;
  } catch {
    // A member's record that holds no TD concerns that Thing alone: it is not listed.
    return null;
  }
};

/** The TD's `@type` as searching takes it. */
const isType = (type: unknown): boolean =>
  type === undefined || (Array.isArray(type) ? type : [type]).every((one) => typeof one === 'string');

const readCard = (record: SignedRecord): PeerCard | undefined => {
  const value = recordValue(record) as { name?: unknown; addresses?: unknown } | null;
  if (typeof value?.name !== 'string' || !Array.isArray(value.addresses)) return undefined;
  const addresses = value.addresses.filter((address) => typeof address === 'string' && address.length < 300);
  return { name: value.name.slice(0, 64), addresses: addresses.slice(0, 16) };
};
