/**
 * The DNS messages by which peers announce themselves and ask for others (DNS-SD, RFC 6763, over multicast, RFC 6762).
 * Relies on nothing but the message's shape: messages come decoded from `multicast-dns` and are taken as hostile.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Announcement } from './discovery-api.ts';

/** The DNS-SD service that every peer offers. */
export const serviceName = '_althing._tcp.local';
/** How long a record counts, in seconds; RFC 6762 section 10 has this value for all that depends on a host. */
export const recordTtlSeconds = 120;
/** Sizes that an announcement must have to be one of ours. */
export const saltBytes = 16;
export const tagBytes = 32;

const maxAddresses = 8;
const maxInstancesPerPacket = 32;
const maxTxtStrings = 16;

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

/** A resource record; `data` is whatever the type makes of it. */
export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  /** RFC 6762 section 10.2: this is the whole set, forget what was known of the name. */
  readonly flush?: boolean;
  readonly data?: unknown;
}

/** A DNS message. */
export interface DnsPacket {
  readonly type: 'query' | 'response';
  readonly questions?: readonly DnsQuestion[];
  readonly answers?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** Who announces: random names, new at each start, that say nothing about the device. */
export interface InstanceNames {
  /** The first label of the instance's name, lower-case letters and digits. */
  readonly instance: string;
  /** `<label>.local`. */
  readonly host: string;
}

/** One announcement as it was heard. */
export interface HeardInstance {
  readonly instance: string;
  /** 0 says goodbye; at most 120. */
  readonly ttlSeconds: number;
  readonly salt: Uint8Array;
  readonly tag: Uint8Array;
  readonly port: number;
  /** IP addresses in the order of the message; may be empty. */
  readonly addresses: readonly string[];
}

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** The full name of an instance: `<instance>._althing._tcp.local`. */
export const instanceName = (instance: string): string => `${instance}.${serviceName}`;

/** The question for all peers on the network. */
export const question = (): DnsPacket => ({
  type: 'query',
  questions: [{ name: serviceName, type: 'PTR' }],
});

/**
 * Everything about one peer in one message: PTR, SRV, TXT (RFC 6763, sections 4 to 6) and its addresses.
 * `addresses` in the order in which a receiver should try them; at most 8 are sent. `ttlSeconds` 0 says goodbye.
 */
export const announcementPacket = (
  names: InstanceNames,
  announcement: Announcement,
  addresses: readonly string[],
  ttlSeconds: number = recordTtlSeconds,
): DnsPacket => {
  const name = instanceName(names.instance);
  const unique = { ttl: ttlSeconds, flush: true };
  const txt = ['v=1', `s=${base64url(announcement.salt)}`, `t=${base64url(announcement.tag)}`];
  return {
    type: 'response',
    answers: [
      { name: serviceName, type: 'PTR', ttl: ttlSeconds, data: name },
      {
        name,
        type: 'SRV',
        ...unique,
        data: { port: announcement.port, target: names.host, priority: 0, weight: 0 },
      },
      { name, type: 'TXT', ...unique, data: txt },
    ],
    additionals: addresses.slice(0, maxAddresses).map((address) => ({
      name: names.host,
      type: isIPv6(address) ? 'AAAA' : 'A',
      ...unique,
      data: address,
    })),
  };
};

/** Whether a query asks for anybody's service, and so for ours. */
export const asksForService = (packet: DnsPacket): boolean =>
  (packet.questions ?? []).some(
    ({ name, type }) => sameName(name, serviceName) && (type === 'PTR' || type === 'ANY'),
  );

/**
 * Whether a query is to be answered by this instance: it asks for the service, this instance or this host, and does
 * not show that it knows us already (known-answer suppression, RFC 6762 section 7.1).
 */
export const asksForUs = (packet: DnsPacket, names: InstanceNames): boolean => {
  const name = instanceName(names.instance);
  const forUs = (packet.questions ?? []).some(
    (asked) =>
      (sameName(asked.name, name) && ['SRV', 'TXT', 'ANY'].includes(asked.type)) ||
      (sameName(asked.name, names.host) && ['A', 'AAAA', 'ANY'].includes(asked.type)),
  );
  if (forUs) return true;
  return asksForService(packet) && !(packet.answers ?? []).some((record) => knows(record, name));
};

const knows = (record: DnsRecord, name: string): boolean =>
  record.type === 'PTR' &&
  sameName(record.name, serviceName) &&
  typeof record.data === 'string' &&
  sameName(record.data, name) &&
  (record.ttl ?? 0) >= recordTtlSeconds / 2;

/**
 * The peers that a response announces, at most 32. An announcement counts where SRV and TXT are in the same message,
 * as every peer sends them; anything malformed is left out.
 */
export const heardInstances = (packet: DnsPacket): HeardInstance[] => {
  const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
  const heard: HeardInstance[] = [];
  for (const record of records) {
    if (record.type !== 'SRV' || heard.length >= maxInstancesPerPacket) continue;
    const instance = parseInstance(record.name);
    const srv = parseSrv(record.data);
    const txt = records.find((other) => other.type === 'TXT' && sameName(other.name, record.name));
    const identity = parseTxt(txt?.data);
    if (instance === undefined || !srv || !identity) continue;
    const ttlSeconds = Math.min(record.ttl ?? 0, recordTtlSeconds);
    heard.push({
      instance,
      ttlSeconds,
      ...identity,
      port: srv.port,
      addresses: addressesOf(srv.target, records),
    });
  }
  return heard;
};

const parseInstance = (name: string): string | undefined => {
  const lower = name.toLowerCase();
  if (!lower.endsWith(`.${serviceName}`)) return undefined;
  const instance = lower.slice(0, -serviceName.length - 1);
  return /^[a-z0-9]{1,32}$/.test(instance) ? instance : undefined;
};

const parseSrv = (data: unknown): { port: number; target: string } | undefined => {
  if (typeof data !== 'object' || data === null) return undefined;
  const { port, target } = data as { port?: unknown; target?: unknown };
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return typeof target === 'string' ? { port, target } : undefined;
};

const parseTxt = (data: unknown): { salt: Uint8Array; tag: Uint8Array } | undefined => {
  if (!Array.isArray(data) || data.length > maxTxtStrings) return undefined;
  const values = new Map<string, string>();
  for (const entry of data) {
    if (!(entry instanceof Uint8Array) && typeof entry !== 'string') return undefined;
    const [, key, value] = /^([^=]{1,9})=(.{0,64})$/.exec(Buffer.from(entry).toString('latin1')) ?? [];
    // RFC 6763 section 6.4: of a key that is there twice the first one counts.
    if (key !== undefined && value !== undefined && !values.has(key)) values.set(key, value);
  }
  const salt = bytesOf(values.get('s'), saltBytes);
  const tag = bytesOf(values.get('t'), tagBytes);
  return values.get('v') === '1' && salt && tag ? { salt, tag } : undefined;
};

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Strict: exactly `sizeBytes`, and only the one spelling that encoding gives. */
const bytesOf = (text: string | undefined, sizeBytes: number): Uint8Array | undefined => {
  if (text === undefined) return undefined;
  const bytes = new Uint8Array(Buffer.from(text, 'base64url'));
  return bytes.length === sizeBytes && base64url(bytes) === text ? bytes : undefined;
};

const addressesOf = (host: string, records: readonly DnsRecord[]): string[] => {
  const found = new Set<string>();
  for (const { name, type, data } of records) {
    if ((type !== 'A' && type !== 'AAAA') || !sameName(name, host) || typeof data !== 'string') continue;
    if (found.size < maxAddresses && isDiallable(data)) found.add(data);
  }
  return [...found];
};

/** Whether an address can be another device's: neither loopback, unspecified, multicast nor bound to an unnamed link. */
const isDiallable = (address: string): boolean =>
  isIPv4(address)
    ? !/^(0|127|22[4-9]|23\d|24\d|25[0-5])\./.test(address)
    : isIPv6(address) && !/^(::|ff|fe[89ab])/i.test(address);
