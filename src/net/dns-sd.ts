/**
 * Discovery on the local networks: DNS-SD (RFC 6763) over multicast DNS (RFC 6762), on every interface there is.
 * Relies on `InterfaceWatch` for the interfaces, on one `DnsSdLink` for each, and on nothing beyond the link: it works
 * without a default route, without a name server and without the internet.
 */
import { randomBytes } from 'node:crypto';
import type { BlockList } from 'node:net';
import { equalBytes, toHex } from '../core/bytes.ts';
import type { Logger } from '../core/logger.ts';
import { silentLogger } from '../core/logger.ts';
import type { Endpoint } from './channel.ts';
import type { Announcement, Discovery, Sighting } from './discovery-api.ts';
import { DnsSdLink } from './dns-sd-link.ts';
import type { DnsPacket, HeardInstance, InstanceNames } from './dns-sd-packet.ts';
import { announcementPacket, asksForService, asksForUs, heardInstances } from './dns-sd-packet.ts';
import type { InterfaceWatch } from './interfaces.ts';
import { inSubnets, lanAddresses, sortEndpoints, subnetsOf } from './interfaces.ts';
import type { MulticastSocket, OpenMulticastSocket } from './multicast-socket.ts';
import { openMulticastSocket } from './multicast-socket.ts';
import { PacketGate } from './packet-gate.ts';

const maxSightings = 1024;
/** An announcement that changes nothing is reported at most this often: each comes in several copies. */
const repeatGapMs = 1000;
const reopenMs = 5000;

/** What tests replace, and the logger. */
export interface DnsSdOptions {
  readonly logger?: Logger;
  readonly openSocket?: OpenMulticastSocket;
  /** Any clock in milliseconds that does not run backwards. */
  readonly now?: () => number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** What was heard, and what came of it, since the start. */
export interface DnsSdCounters {
  /** Packets that concern us and were decoded. */
  readonly packets: number;
  /** Packets beyond the size or rate limits. */
  readonly dropped: number;
  /** Packets that could not be decoded or sent. */
  readonly warnings: number;
}

interface OpenLink {
  readonly address: string;
  readonly link: DnsSdLink;
}

/** The subnets of each interface and of all, kept because every datagram is looked up in them. */
interface Subnets {
  readonly all: BlockList;
  readonly byInterface: ReadonlyMap<string, BlockList>;
}

interface Known {
  readonly sighting: Sighting;
  readonly expiresAt: number;
  reportedAt: number;
}

/** Announces this peer and hears others, on all interfaces, as they come and go. Asks from the moment it is made. */
export class DnsSd implements Discovery {
  onSighting: (sighting: Sighting) => void = () => {};
  readonly #watch: InterfaceWatch;
  readonly #logger: Logger;
  readonly #openSocket: OpenMulticastSocket;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #names: InstanceNames;
  readonly #gate: PacketGate;
  readonly #links = new Map<string, OpenLink>();
  readonly #known = new Map<string, Known>();
  readonly #unsubscribe: () => void;
  #subnets: Subnets = { all: subnetsOf([]), byInterface: new Map() };
  #announcement: Announcement | undefined;
  #reopenTimer: NodeJS.Timeout | undefined;
  #packets = 0;
  #warnings = 0;
  #closed = false;

  /** @param watch stays its caller's: closing this does not close it */
  constructor(watch: InterfaceWatch, options: DnsSdOptions = {}) {
    this.#watch = watch;
    this.#logger = options.logger ?? silentLogger;
    this.#openSocket = options.openSocket ?? openMulticastSocket;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    // 128 random bits need no probing for conflicts (RFC 6762 section 8.1 excepts names known to be unique).
    this.#names = { instance: toHex(randomBytes(16)), host: `althing-${toHex(randomBytes(16))}.local` };
    this.#gate = new PacketGate(this.#now);
    this.#unsubscribe = watch.subscribe(() => this.#followInterfaces());
    this.#followInterfaces();
  }

  /** The name under which this peer announces itself; new with each `DnsSd`. */
  get instance(): string {
    return this.#names.instance;
  }

  get counters(): DnsSdCounters {
    return { packets: this.#packets, dropped: this.#gate.dropped, warnings: this.#warnings };
  }

  announce(announcement: Announcement): void {
    this.#announcement = announcement;
    for (const { link } of this.#links.values()) link.announce();
  }

  probe(): void {
    for (const { link } of this.#links.values()) link.probe();
  }

  sightings(): readonly Sighting[] {
    const now = this.#now();
    for (const [instance, { expiresAt }] of this.#known) if (expiresAt <= now) this.#known.delete(instance);
    return [...this.#known.values()].map(({ sighting }) => sighting);
  }

  /** Says goodbye on every interface and closes the sockets. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    clearTimeout(this.#reopenTimer);
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map(({ link }) => link.close({ goodbye: true })));
  }

  /** Brings the sockets in line with the interfaces, and announces anew: every change alters what there is to say. */
  #followInterfaces(): void {
    if (this.#closed) return;
    const byName = Map.groupBy(this.#watch.current, ({ name }) => name);
    this.#subnets = {
      all: subnetsOf(this.#watch.current),
      byInterface: new Map([...byName].map(([name, entries]) => [name, subnetsOf(entries)])),
    };
    const wanted = new Map<string, string>();
    for (const { name, address, family, internal } of this.#watch.current)
      if (family === 'IPv4' && !internal && !wanted.has(name)) wanted.set(name, address);
    for (const [name, { address, link }] of this.#links) {
      if (wanted.get(name) === address) continue;
      this.#links.delete(name);
      void link.close({ goodbye: false });
      this.#logger.info({ interface: name, address }, 'Discovery left a network.');
    }
    for (const [name, address] of wanted) if (!this.#links.has(name)) this.#openLink(name, address);
    for (const { link } of this.#links.values()) link.announce();
    // Whoever is heard on the new networks is news, however recently it was heard on the old ones.
    for (const known of this.#known.values()) known.reportedAt = Number.NEGATIVE_INFINITY;
  }

  #openLink(name: string, address: string): void {
    let failed = false;
    const socket: MulticastSocket = this.#openSocket(address, {
      admit: (datagram, source) => this.#hears(name, source) && this.#gate.admit(datagram, source),
      onPacket: (packet, source) => this.#onPacket(name, packet, source),
      onWarning: (error) => {
        this.#warnings++;
        this.#logger.debug(
          { interface: name, err: error },
          'A multicast packet was not understood or not sent.',
        );
      },
      onFailure: (error) => {
        if (failed) return;
        failed = true;
        this.#onFailure(name, link, error);
      },
    });
    const link = new DnsSdLink({
      socket,
      describe: (options) => this.#describe(name, options?.goodbye ? 0 : undefined),
      now: this.#now,
      random: this.#random,
    });
    this.#links.set(name, { address, link });
    this.#logger.info({ interface: name, address }, 'Discovery joined a network.');
  }

  #onFailure(name: string, link: DnsSdLink, error: Error): void {
    this.#logger.warn(
      { interface: name, err: error },
      'Discovery has no socket on a network: it will try again.',
    );
    void link.close({ goodbye: false });
    if (this.#links.get(name)?.link !== link) return;
    this.#links.delete(name);
    clearTimeout(this.#reopenTimer);
    this.#reopenTimer = setTimeout(() => this.#followInterfaces(), reopenMs);
  }

  /** The announcement for one interface: its own addresses come first, as those that its hearers surely reach. */
  #describe(name: string, ttlSeconds: number | undefined): DnsPacket | undefined {
    if (!this.#announcement) return undefined;
    const own = lanAddresses(this.#watch.current.filter((entry) => entry.name === name));
    const addresses = [...new Set([...own, ...lanAddresses(this.#watch.current)])];
    return announcementPacket(this.#names, this.#announcement, addresses, ttlSeconds);
  }

  /**
   * Whether the socket of this interface is the one to take a packet from this source. A socket hears all interfaces,
   * so each packet comes as often as there are sockets: the one on the sender's subnet takes it, or, where the sender
   * is on none of ours, every one.
   */
  #hears(name: string, source: string): boolean {
    const { all, byInterface } = this.#subnets;
    const own = byInterface.get(name);
    return own !== undefined && (inSubnets(own, source) || !inSubnets(all, source));
  }

  #onPacket(name: string, packet: DnsPacket, source: string): void {
    const link = this.#links.get(name)?.link;
    if (this.#closed || !link) return;
    this.#packets++;
    if (packet.type === 'response') {
      for (const heard of heardInstances(packet)) this.#onHeard(heard, source);
      return;
    }
    // Our own question comes back through loopback and is answered like any other: those who kept silent because we
    // asked learn of us by that.
    if (asksForService(packet)) link.heardQuestion();
    if (asksForUs(packet, this.#names)) link.answer();
  }

  #onHeard(heard: HeardInstance, source: string): void {
    const { instance, salt, tag, ttlSeconds } = heard;
    if (instance === this.#names.instance) return;
    const before = this.#known.get(instance);
    this.#known.delete(instance);
    if (ttlSeconds === 0) return;
    const now = this.#now();
    const sighting: Sighting = { instance, salt, tag, endpoints: this.#endpointsOf(heard, source) };
    const repeated = before && before.expiresAt > now && sameSighting(before.sighting, sighting);
    const report = !repeated || now - before.reportedAt >= repeatGapMs;
    // The map is in the order of hearing: where it is full, the one not heard for longest goes.
    if (this.#known.size >= maxSightings) this.#known.delete(this.#known.keys().next().value ?? '');
    this.#known.set(instance, {
      sighting,
      expiresAt: now + ttlSeconds * 1000,
      reportedAt: report ? now : before.reportedAt,
    });
    if (report) this.onSighting(sighting);
  }

  /** The address that the packet came from leads, if it is announced; one that is not may be a reflector's: it is last. */
  #endpointsOf({ addresses, port }: HeardInstance, source: string): Endpoint[] {
    const others = addresses.filter((host) => host !== source).map((host) => ({ host, port }));
    const sorted = sortEndpoints(others, this.#watch.current);
    const direct = { host: source, port };
    return addresses.includes(source) ? [direct, ...sorted] : [...sorted, direct];
  }
}

const endpointSet = ({ endpoints }: Sighting): string =>
  endpoints
    .map(({ host, port }) => `${host} ${port}`)
    .sort()
    .join();

const sameSighting = (a: Sighting, b: Sighting): boolean =>
  equalBytes(a.salt, b.salt) && equalBytes(a.tag, b.tag) && endpointSet(a) === endpointSet(b);
