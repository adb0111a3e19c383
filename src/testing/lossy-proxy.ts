/**
 * Bad networks in user space: a TCP and a UDP proxy on loopback that delay, stall, lose and cut what passes.
 * Relies on sockets and timers alone, and so works where the kernel's own emulation (`tc netem`) does not.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from '../net/channel.ts';

/** Held bytes per direction of a connection, beyond which the sender is pushed back. */
const maxHeldBytes = 1 << 20;
const maxUdpClients = 256;

/** How the network behaves; may be changed at any time and holds for what arrives from then on. */
export interface LineConditions {
  /** One way, in milliseconds. */
  delayMs: number;
  /** Share of datagrams that are lost, 0 to 1; TCP ignores it. */
  lossRate: number;
}

/** Where a proxy listens (127.0.0.1 by default, port 0: any) and how its line starts out. */
export interface ProxyOptions extends Partial<LineConditions> {
  readonly host?: string;
  readonly port?: number;
  /** Uniform in [0, 1); pass a seeded one for loss that can be repeated. */
  readonly random?: () => number;
}

/** One direction of one TCP connection: bytes in order, each held for the delay. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #line: TcpProxy;
  readonly #held: { dueAt: number; bytes: Buffer | undefined }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, line: TcpProxy) {
    this.#from = from;
    this.#to = to;
    this.#line = line;
    from.on('data', (bytes: Buffer) => this.#hold(bytes));
    from.on('end', () => this.#hold(undefined));
    to.on('drain', () => this.pump());
    to.on('close', () => clearTimeout(this.#timer));
  }

  /** Passes on what is due, in order, as far as the receiver takes it. */
  pump(): void {
    clearTimeout(this.#timer);
    while (
      this.#held.length > 0 &&
      !this.#line.stalled &&
      !this.#to.writableNeedDrain &&
      !this.#to.destroyed
    ) {
      const { dueAt, bytes } = this.#held[0]!;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), Math.ceil(waitMs));
        break;
      }
      this.#held.shift();
      if (bytes) {
        this.#heldBytes -= bytes.length;
        this.#to.write(bytes);
      } else {
        this.#to.end();
      }
    }
    if (this.#heldBytes < maxHeldBytes && this.#from.isPaused()) this.#from.resume();
  }

  #hold(bytes: Buffer | undefined): void {
    this.#held.push({ dueAt: performance.now() + this.#line.delayMs, bytes });
    this.#heldBytes += bytes?.length ?? 0;
    if (this.#heldBytes >= maxHeldBytes) this.#from.pause();
    this.pump();
  }
}

/** A TCP line to a target that can be slow, go silent, or break. */
export class TcpProxy implements LineConditions {
  delayMs: number;
  lossRate: number;
  readonly #target: Endpoint;
  readonly #server: Server;
  readonly #pairs = new Map<Socket, { far: Socket; directions: Direction[] }>();
  #stalled = false;
  #refusing = false;

  constructor(target: Endpoint, options: ProxyOptions) {
    this.#target = target;
    this.delayMs = options.delayMs ?? 0;
    this.lossRate = options.lossRate ?? 0;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near));
  }

  /** Where to connect instead of to the target. */
  get endpoint(): Endpoint {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Connections that are open through the proxy. */
  get connections(): number {
    return this.#pairs.size;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** The line goes silent without a word, as a cable pulled out far away: nothing passes, nothing closes. */
  stall(): void {
    this.#stalled = true;
  }

  /** What was held back passes, in order. */
  resume(): void {
    this.#stalled = false;
    for (const { directions } of this.#pairs.values()) for (const direction of directions) direction.pump();
  }

  /** Resets every connection; with `refuse`, new ones are reset as well until `mend`. */
  cut(options: { refuse?: boolean } = {}): void {
    this.#refusing = options.refuse ?? this.#refusing;
    for (const [near, { far }] of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Takes connections again. */
  mend(): void {
    this.#refusing = false;
  }

  async listen(options: ProxyOptions): Promise<void> {
    this.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    this.cut({ refuse: true });
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    if (this.#refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    this.#pairs.set(near, {
      far,
      directions: [new Direction(near, far, this), new Direction(far, near, this)],
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      // A reset passes through at once; a regular end travels with the bytes, behind them.
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => {
        if (other.closed) this.#pairs.delete(near);
      });
    }
  }
}

/** A UDP line to a target that can be slow, lossy, or silent. */
export class UdpProxy implements LineConditions {
  delayMs: number;
  lossRate: number;
  /** Datagrams that were lost on purpose. */
  lost = 0;
  readonly #target: Endpoint;
  readonly #random: () => number;
  readonly #near = createSocket('udp4');
  /** One socket towards the target for each client, so that answers find their way back. */
  readonly #clients = new Map<string, UdpSocket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stalled = false;

  constructor(target: Endpoint, options: ProxyOptions) {
    this.#target = target;
    this.delayMs = options.delayMs ?? 0;
    this.lossRate = options.lossRate ?? 0;
    this.#random = options.random ?? Math.random;
    this.#near.on('message', (datagram, source) => this.#forward(datagram, source));
  }

  /** Where to send instead of to the target. */
  get endpoint(): Endpoint {
    const { address, port } = this.#near.address();
    return { host: address, port };
  }

  /** Every datagram is lost from now on. */
  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
  }

  async listen(options: ProxyOptions): Promise<void> {
    this.#near.bind(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(this.#near, 'listening');
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    const sockets = [this.#near, ...this.#clients.values()];
    this.#clients.clear();
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  }

  #forward(datagram: Buffer, source: RemoteInfo): void {
    const client = this.#clientOf(source);
    if (client) this.#later(() => client.send(datagram, this.#target.port, this.#target.host));
  }

  #clientOf(source: RemoteInfo): UdpSocket | undefined {
    const key = `${source.address} ${source.port}`;
    const known = this.#clients.get(key);
    if (known || this.#clients.size >= maxUdpClients) return known;
    const client = createSocket('udp4');
    client.on('message', (answer) => this.#later(() => this.#near.send(answer, source.port, source.address)));
    // Nobody listens at the target: to a datagram that is the same as being lost.
    client.on('error', () => {});
    this.#clients.set(key, client);
    return client;
  }

  #later(send: () => void): void {
    if (this.#stalled || this.#random() < this.lossRate) {
      this.lost++;
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send();
    }, this.delayMs);
    this.#timers.add(timer);
  }
}

/** A TCP proxy to `target`, listening. The caller closes it. */
export const createTcpProxy = async (target: Endpoint, options: ProxyOptions = {}): Promise<TcpProxy> => {
  const proxy = new TcpProxy(target, options);
  await proxy.listen(options);
  return proxy;
};

/** A UDP proxy to `target`, listening. The caller closes it. */
export const createUdpProxy = async (target: Endpoint, options: ProxyOptions = {}): Promise<UdpProxy> => {
  const proxy = new UdpProxy(target, options);
  await proxy.listen(options);
  return proxy;
};
