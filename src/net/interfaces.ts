/**
 * Which networks this machine is on: a watch over its interfaces, and the order in which addresses are worth trying.
 * Relies on the operating system's list, polled, because Node has no event for it and a poll costs well under 0.1 ms.
 */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { AlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { silentLogger } from '../core/logger.ts';
import type { Endpoint } from './channel.ts';

/** One address of one interface that is up and has a carrier. */
export interface NetworkInterface {
  readonly name: string;
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly netmask: string;
  /** True for loopback. */
  readonly internal: boolean;
}

/** What came and went between two looks. A changed address is one of each. */
export interface InterfaceChange {
  readonly added: readonly NetworkInterface[];
  readonly removed: readonly NetworkInterface[];
}

/** What tells the watch of the machine and of time; tests pass their own. */
export interface InterfaceWatchOptions {
  readonly pollMs?: number;
  readonly read?: () => readonly NetworkInterface[];
  /** Calls `tick` every `ms` milliseconds until the function that it returns is called. */
  readonly every?: (ms: number, tick: () => void) => () => void;
  readonly logger?: Logger;
}

const maxListeners = 16;

/** This machine's addresses, as the operating system lists them now: only interfaces that are up with a carrier. */
export const readInterfaces = (): NetworkInterface[] => {
  const list: NetworkInterface[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const { address, family, netmask, internal } of addresses ?? [])
      list.push({ name, address, family: family === 'IPv6' ? 'IPv6' : 'IPv4', netmask, internal });
  return list;
};

const everyInterval = (ms: number, tick: () => void): (() => void) => {
  const timer = setInterval(tick, ms);
  return () => clearInterval(timer);
};

const keyOf = (entry: NetworkInterface): string =>
  `${entry.name} ${entry.address} ${entry.netmask} ${entry.internal}`;

/** Follows this machine's interfaces until it is closed: looks every `pollMs` (250 by default). */
export class InterfaceWatch {
  #current = new Map<string, NetworkInterface>();
  #failed = false;
  readonly #listeners = new Set<(change: InterfaceChange) => void>();
  readonly #read: () => readonly NetworkInterface[];
  readonly #logger: Logger;
  readonly #stop: () => void;

  constructor(options: InterfaceWatchOptions = {}) {
    this.#read = options.read ?? readInterfaces;
    this.#logger = options.logger ?? silentLogger;
    this.#current = this.#look();
    this.#stop = (options.every ?? everyInterval)(options.pollMs ?? 250, () => this.refresh());
  }

  /** Every address at the last look, loopback included. */
  get current(): readonly NetworkInterface[] {
    return [...this.#current.values()];
  }

  /** Calls `listener` on every change until the returned function is called. Throws `too-many` past 16 listeners. */
  subscribe(listener: (change: InterfaceChange) => void): () => void {
    if (this.#listeners.size >= maxListeners)
      throw new AlthingError('too-many', `The interface watch has ${maxListeners} listeners already.`);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks now, and tells the listeners where something changed. */
  refresh(): void {
    const before = this.#current;
    const after = this.#look();
    const added = [...after].filter(([key]) => !before.has(key)).map(([, entry]) => entry);
    const removed = [...before].filter(([key]) => !after.has(key)).map(([, entry]) => entry);
    if (added.length === 0 && removed.length === 0) return;
    this.#current = after;
    for (const listener of [...this.#listeners]) listener({ added, removed });
  }

  /** Stops looking. Idempotent. */
  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  #look(): Map<string, NetworkInterface> {
    try {
      const list = this.#read();
      this.#failed = false;
      return new Map(list.map((entry) => [keyOf(entry), entry]));
    } catch (error) {
      // Some systems refuse the list (Android does): a machine that cannot tell its networks has none to announce on.
      if (!this.#failed) this.#logger.warn({ err: error }, 'The list of network interfaces cannot be read.');
      this.#failed = true;
      return new Map();
    }
  }
}

/** Whether an address is bound to its link and needs no router (RFC 3927, RFC 4291 section 2.5.6). */
const isLinkLocal = (address: string): boolean =>
  address.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(address);

const lanRank = ({ address, family }: NetworkInterface): number =>
  family === 'IPv6' ? 2 : isLinkLocal(address) ? 1 : 0;

/**
 * The addresses at which other devices may reach this machine: IPv4 first (169.254/16 after the others), then IPv6
 * without link-local ones, which mean nothing without a zone. Never loopback.
 */
export const lanAddresses = (interfaces: readonly NetworkInterface[]): string[] => {
  const usable = interfaces.filter(
    (entry) => !entry.internal && !(entry.family === 'IPv6' && isLinkLocal(entry.address)),
  );
  return [...new Set(usable.toSorted((a, b) => lanRank(a) - lanRank(b)).map(({ address }) => address))];
};

/** The number of leading ones in a netmask, `255.255.255.0` or `ffff:ffff::`. */
const prefixLength = ({ netmask, family }: NetworkInterface): number => {
  const groups = netmask.split(family === 'IPv4' ? '.' : ':');
  let bits = 0;
  for (const group of groups) {
    const value = group === '' ? 0 : Number.parseInt(group, family === 'IPv4' ? 10 : 16);
    bits += value.toString(2).replaceAll('0', '').length;
  }
  return bits;
};

const familyOf = (address: string): 'ipv4' | 'ipv6' | undefined => {
  const version = isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
};

const blockListOf = (subnets: Iterable<readonly [string, number]>): BlockList => {
  const list = new BlockList();
  for (const [address, prefix] of subnets) {
    const family = familyOf(address);
    if (family) list.addSubnet(address, prefix, family);
  }
  return list;
};

/** The subnets that these interfaces are on, as something that addresses can be looked up in. */
export const subnetsOf = (interfaces: readonly NetworkInterface[]): BlockList =>
  blockListOf(interfaces.map((entry) => [entry.address, prefixLength(entry)] as const));

/** Whether an IP address lies in one of the subnets; false for anything that is no IP address. */
export const inSubnets = (subnets: BlockList, address: string): boolean => {
  const family = familyOf(address);
  return family !== undefined && subnets.check(address, family);
};

// RFC 1918, RFC 3927, RFC 6598, RFC 4193, RFC 4291.
const privateSubnets = blockListOf([
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['fc00::', 7],
  ['fe80::', 10],
  ['::1', 128],
]);

/**
 * Endpoints of one peer in the order in which they are worth dialling: those in a subnet of ours, then private ones,
 * then public ones, then names. Keeps the given order within each group.
 */
export const sortEndpoints = (
  endpoints: readonly Endpoint[],
  interfaces: readonly NetworkInterface[],
): Endpoint[] => {
  const ours = subnetsOf(interfaces);
  const rank = ({ host }: Endpoint): number => {
    if (inSubnets(ours, host)) return 0;
    if (inSubnets(privateSubnets, host)) return 1;
    return isIP(host) ? 2 : 3;
  };
  return endpoints.toSorted((a, b) => rank(a) - rank(b));
};
