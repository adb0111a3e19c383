/**
 * One multicast DNS socket on one interface, as a seam: what `dns-sd.ts` needs of it, and the real one.
 * Relies on `multicast-dns` for encoding, decoding and group membership; tests put a network in memory here.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import makeMdns from 'multicast-dns';
import type { DnsPacket } from './dns-sd-packet.ts';

/** What a socket tells its owner. */
export interface MulticastSocketEvents {
  /** Asked of every datagram before it is decoded. */
  admit(datagram: Buffer, source: string): boolean;
  /** `source` is the sender's IP address. */
  onPacket(packet: DnsPacket, source: string): void;
  /** A packet could not be decoded or sent; the socket goes on. */
  onWarning(error: Error): void;
  /** The socket cannot be used. The owner closes it. */
  onFailure(error: Error): void;
}

/** Sends to and hears the multicast DNS group (224.0.0.251:5353). */
export interface MulticastSocket {
  /** Resolves when the packet is out or has failed; failures go to `onWarning`. May stay open when the socket closes. */
  send(packet: DnsPacket): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Opens a socket that sends on the interface which has this IPv4 address. Never throws: see `onFailure`. */
export type OpenMulticastSocket = (address: string, events: MulticastSocketEvents) => MulticastSocket;

const group = '224.0.0.251';

// Bound to an interface's own address a socket hears no multicast, except on Windows, where nothing else can be bound.
const bindAddress = (address: string): string => (process.platform === 'win32' ? address : group);

/** The real socket. On Linux it hears the group on all interfaces that any socket has joined it on. */
export const openMulticastSocket: OpenMulticastSocket = (address, events) => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const mdns = makeMdns({ socket, interface: address, bind: bindAddress(address) });
  guardDecoder(socket, events);
  mdns.on('error', (error) => events.onFailure(error));
  mdns.on('warning', (error) => events.onWarning(error));
  mdns.on('query', (packet, source) => events.onPacket(packet as DnsPacket, source.address));
  mdns.on('response', (packet, source) => events.onPacket(packet as DnsPacket, source.address));

  return {
    send: (packet) =>
      new Promise((resolve) => {
        const done = (error: Error | null): void => {
          if (error) events.onWarning(error);
          resolve();
        };
        if (packet.type === 'query') mdns.query(packet as makeMdns.QueryOutgoingPacket, done);
        else mdns.respond(packet as makeMdns.ResponseOutgoingPacket, done);
      }),
    close: () => new Promise((resolve) => mdns.destroy(resolve)),
  };
};

/** Puts `admit` before the listener with which `multicast-dns` decodes: it has no hook of its own for that. */
const guardDecoder = (socket: Socket, events: MulticastSocketEvents): void => {
  const decoders = socket.listeners('message') as ((datagram: Buffer, source: RemoteInfo) => void)[];
  socket.removeAllListeners('message');
  socket.on('message', (datagram, source) => {
    if (!events.admit(datagram, source.address)) return;
    for (const decode of decoders) decode.call(socket, datagram, source);
  });
};
