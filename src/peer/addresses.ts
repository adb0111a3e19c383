/**
 * Where peers can be reached: what was heard on the networks, what worked before, what they say themselves.
 * Relies on the local notes for memory; nothing here is trusted, the key that answers decides.
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Endpoint } from '../net/channel.ts';
import type { Sighting } from '../net/discovery-api.ts';
import { lanAddresses, type NetworkInterface, sortEndpoints } from '../net/interfaces.ts';
import { formatEndpoint, parseEndpoint } from '../net/tls-channel.ts';
import type { LocalNotes } from '../store/local-notes.ts';
import { sightingTag } from './join.ts';

const notePrefix = 'address/';
const maxRemembered = 4;
const maxTagCache = 4096;
/** Enough ways back into a fabric, and small enough to be written whenever one changes. */
const maxWays = 16;

export interface AddressesOptions {
  readonly notes: LocalNotes;
  readonly fabric: Uint8Array;
  readonly hmac: (key: Uint8Array, data: Uint8Array) => Uint8Array;
  readonly sightings: () => readonly Sighting[];
  readonly interfaces: () => readonly NetworkInterface[];
  /** What the peer's own record says. */
  readonly published: (peer: PeerId) => readonly string[];
}

/** The address book of one fabric. */
export class Addresses {
  readonly #options: AddressesOptions;
  /** Which sighting is whose, so that the tag is computed once for each pair. */
  readonly #tags = new Map<string, boolean>();

  constructor(options: AddressesOptions) {
    this.#options = options;
  }

  /** A peer's endpoints, the likeliest first. */
  endpointsOf(peer: PeerId): Endpoint[] {
    const heard = this.#options
      .sightings()
      .filter((sighting) => this.isOf(sighting, peer))
      .flatMap((sighting) => sighting.endpoints);
    const known = [...this.#remembered(peer), ...this.#options.published(peer)].flatMap(parsed);
    const seen = new Set<string>();
    const distinct = [...heard, ...known].filter((endpoint) => {
      const text = formatEndpoint(endpoint);
      return !seen.has(text) && seen.add(text);
    });
    return distinct.length < 2 ? distinct : sortEndpoints(distinct, this.#options.interfaces());
  }

  /** The peers of which an address is known, with a few of these, `host:port`; 16 of them at most. */
  waysTo(peers: readonly PeerId[]): (readonly [PeerId, string[]])[] {
    return peers
      .map((peer) => [peer, this.endpointsOf(peer).map(formatEndpoint).slice(0, maxRemembered)] as const)
      .filter(([, known]) => known.length > 0)
      .slice(0, maxWays);
  }

  /** Whether this announcement is that peer's. */
  isOf(sighting: Sighting, peer: PeerId): boolean {
    // A peer that joins another fabric announces itself anew under the same instance name.
    const key = `${toHex(sighting.salt)}/${toHex(sighting.tag)}/${peer}`;
    let match = this.#tags.get(key);
    if (match === undefined) {
      match = equalBytes(
        sightingTag(this.#options.fabric, sighting.salt, peer, this.#options.hmac),
        sighting.tag,
      );
      if (this.#tags.size >= maxTagCache) this.#tags.clear();
      this.#tags.set(key, match);
    }
    return match;
  }

  /** A dialled address turned out to be that peer's. */
  async remember(peer: PeerId, address: string): Promise<void> {
    const known = this.#remembered(peer);
    if (known[0] === address) return;
    const kept = [address, ...known.filter((one) => one !== address)].slice(0, maxRemembered);
    await this.#options.notes.set(notePrefix + peer, kept);
  }

  #remembered(peer: PeerId): string[] {
    const note = this.#options.notes.get(notePrefix + peer);
    return Array.isArray(note) ? note.filter((one) => typeof one === 'string') : [];
  }
}

/** The note that keeps a peer's addresses, for commits that carry more. */
export const addressNoteKey = (peer: PeerId): string => notePrefix + peer;

const parsed = (text: string): Endpoint[] => {
  try {
    return [parseEndpoint(text)];
  } catch (error) {
    // A newer version may publish kinds of addresses that this one cannot dial.
    if (error instanceof AlthingError) return [];
    throw error;
  }
};

/** The addresses, `host:port`, at which others may reach a peer that listens there. */
export const ownAddresses = (listen: Endpoint, interfaces: readonly NetworkInterface[]): string[] => {
  const wildcard = listen.host === '0.0.0.0' || listen.host === '::';
  const hosts = wildcard ? lanAddresses(interfaces) : [listen.host];
  // A machine on no network still has its own peers to talk to.
  const reachable = hosts.length > 0 ? hosts : ['127.0.0.1'];
  return reachable.slice(0, 8).map((host) => formatEndpoint({ host, port: listen.port }));
};
