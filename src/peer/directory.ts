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
import { Labels } from './governance/labels.ts';
import { type PeerNames, peersNamed } from './peer-names.ts';

/** What a `peer` record says of its author. */
export interface PeerCard {
  readonly name: string;
  /** `host:port`. */
  readonly addresses: readonly string[];
}

/** Things that are known otherwise than by records: those of devices that let this peer see them. */
export interface OtherThings {
  tds(): Iterable<ThingDescription>;
  byId(id: string): ThingDescription | undefined;
  card(peer: PeerId): PeerCard | undefined;
}

export interface DirectoryOptions {
  /** What is listed beside the Things of the records, which come first. */
  readonly others?: () => readonly OtherThings[];
  /** False for a guest: what records it may still have from better days are not listed, save its own. */
  readonly holdsRecords?: () => boolean;
  /** What a peer called itself whose own records are not held any more. */
  readonly formerName?: (peer: PeerId) => string | undefined;
}

/** A Thing that is listed. */
export interface ListedThing {
  readonly td: ThingDescription;
  /** The peer that exposes it now. */
  readonly peer: PeerId;
  /** Whose record tells of it; undefined where none does. */
  readonly author: PeerId | undefined;
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
  readonly #options: DirectoryOptions;
  readonly #parsed = new WeakMap<SignedRecord, ThingDescription | null>();

  readonly labels: Labels;
  /** What peers are called: by admins, and by themselves. */
  readonly peerNames: PeerNames;

  constructor(replica: Replica, options: DirectoryOptions = {}) {
    this.#replica = replica;
    this.#options = options;
    this.labels = new Labels(replica);
    this.peerNames = {
      label: (peer) => this.labels.ofPeer(peer).name,
      claimed: (peer) => this.card(peer)?.name ?? options.formerName?.(peer),
    };
  }

  /** All TDs that match, in the order of their titles. */
  find(filter: ThingFilter = {}): ThingDescription[] {
    return this.#matching(filter)
      .map(({ td }) => td)
      .sort(byTitle);
  }

  /** The same with where each is. */
  listed(filter: ThingFilter = {}): ListedThing[] {
    return this.#matching(filter).sort((a, b) => byTitle(a.td, b.td));
  }

  #matching(filter: ThingFilter): ListedThing[] {
    const found: ListedThing[] = [];
    const holdsRecords = this.#holdsRecords;
    const { authority } = this.#replica;
    for (const record of this.#replica.each('thing')) {
      if (!holdsRecords && record.authorId !== this.#replica.self) continue;
      const td = this.parse(record);
      if (!td || !matchesFilter(td, filter, this.labels.of(td.id))) continue;
      found.push({ td, peer: authority.speakerOf(record.thingOwner!), author: record.authorId });
    }
    for (const others of this.#others)
      for (const td of others.tds())
        if (matchesFilter(td, filter) && !this.#recordOf(td.id))
          found.push({ td, peer: this.speakerOf(td), author: undefined });
    return found;
  }

  /** The TD with this id, or undefined. */
  byId(id: string): ThingDescription | undefined {
    const record = this.#recordOf(id);
    if (record) return this.parse(record) ?? undefined;
    return first(this.#others, (others) => others.byId(id));
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
    const card = record && cardIn(recordValue(record));
    return card ?? first(this.#others, (others) => others.card(peer));
  }

  /**
   * The one Thing that a person means by an id, an admin's name for it, a title, a local name, or `peer/name`.
   * Throws `thing-unknown`, and `name-ambiguous` with the candidates.
   */
  resolve(name: string): ThingDescription {
    const exact = this.byId(name);
    if (exact) return exact;
    const slash = name.indexOf('/');
    const found =
      slash > 0
        ? this.#named(name.slice(slash + 1), this.#ofPeer(name.slice(0, slash)))
        : this.#named(
            name,
            this.#matching({}).map(({ td }) => td),
          );
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
    const { label, claimed } = this.peerNames;
    return `${label(peer) ?? claimed(peer) ?? peer}/${parseThingId(td.id)!.name}`;
  }

  get #others(): readonly OtherThings[] {
    return this.#options.others?.() ?? [];
  }

  get #holdsRecords(): boolean {
    return this.#options.holdsRecords?.() ?? true;
  }

  #recordOf(id: string): SignedRecord | undefined {
    const record = this.#replica.get('thing', id);
    return record && (this.#holdsRecords || record.authorId === this.#replica.self) ? record : undefined;
  }

  /** The peer that exposes a Thing now: the one in its id, or whoever took its place. */
  speakerOf(td: ThingDescription): PeerId {
    return this.#replica.authority.speakerOf(parseThingId(td.id)!.peer);
  }

  /** Those of the given Things that admins call so, else those whose device does. */
  #named(name: string, things: readonly ThingDescription[]): ThingDescription[] {
    const labels = this.labels.named(name);
    const labelled = things.filter(({ id }) => labels.has(id));
    if (labelled.length > 0) return labelled.sort(byTitle);
    const wanted = name.toLowerCase();
    return things
      .filter((td) => td.title.toLowerCase() === wanted || parseThingId(td.id)?.name === wanted)
      .sort(byTitle);
  }

  #ofPeer(name: string): ThingDescription[] {
    const things = this.#matching({});
    const peers = new Set(peersNamed(new Set(things.map(({ peer }) => peer)), name, this.peerNames));
    return things.filter(({ peer }) => peer === name || peers.has(peer)).map(({ td }) => td);
  }
}

const readTd = (record: SignedRecord): ThingDescription | null => {
  const td = tdIn((recordValue(record) as { td?: unknown } | null)?.td);
  return td?.id === record.key ? td : null;
};

/** The TD in a JSON text of another peer; null where there is none that can be listed. */
export const tdIn = (text: unknown): ThingDescription | null => {
  if (typeof text !== 'string') return null;
  try {
    // Copying refuses what is nested too deep to be written out again.
    const td = copyPlain(JSON.parse(text)) as ThingDescription | null;
    const isTd = typeof td?.id === 'string' && typeof td.title === 'string' && isType(td['@type']);
    return isTd ? td : null;
  } catch {
    // What is no TD concerns that Thing alone: it is not listed.
    return null;
  }
};

/** The TD's `@type` as searching takes it. */
const isType = (type: unknown): boolean =>
  type === undefined || (Array.isArray(type) ? type : [type]).every((one) => typeof one === 'string');

/** What a peer says of itself, cut to size; undefined where it says nothing that can be used. */
export const cardIn = (said: unknown): PeerCard | undefined => {
  const value = said as { name?: unknown; addresses?: unknown } | null;
  if (typeof value?.name !== 'string' || !Array.isArray(value.addresses)) return undefined;
  const addresses = value.addresses.filter((address) => typeof address === 'string' && address.length < 300);
  return { name: value.name.slice(0, 64), addresses: addresses.slice(0, 16) };
};

const first = <Item, Found>(
  items: readonly Item[],
  find: (item: Item) => Found | undefined,
): Found | undefined => {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
};
