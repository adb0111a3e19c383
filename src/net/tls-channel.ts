/**
 * Channels as TLS 1.3 over TCP between two Ed25519 keys, each in a self-signed certificate: no CA, no names.
 * Relies on Node's `tls`; what Node lets pass (no certificate, other ALPN, resumption) is refused here by code.
 */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Channel, Endpoint } from './channel.ts';

/** ALPN protocol of sessions (RFC 7301). */
const sessionProtocol = 'althing/1';

/** This peer's key and certificate, PEM. */
export interface TlsIdentity {
  readonly keyPem: string;
  readonly certPem: string;
}

/** CPUs without AES instructions are several times faster with ChaCha20. */
const hasAes = (): boolean => {
  if (process.platform !== 'linux') return true;
  try {
    return /^(flags|Features)\s*:.*\baes\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    // No /proc: either choice is correct, one is only slower.
    return true;
  }
};

const contextOptions = (identity: TlsIdentity) => {
  const ciphers = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384'];
  const chacha = 'TLS_CHACHA20_POLY1305_SHA256';
  return {
    key: identity.keyPem,
    cert: identity.certPem,
    minVersion: 'TLSv1.3',
    ciphers: (hasAes() ? [...ciphers, chacha] : [chacha, ...ciphers]).join(':'),
  } as const;
};

/** The TLS settings of the dialling side, made once a process. */
export const createTlsContext = (identity: TlsIdentity): SecureContext =>
  createSecureContext(contextOptions(identity));

/** The key that the other side proved, once all that Node leaves open has been checked. */
const remoteKey = (socket: TLSSocket): PeerId => {
  const refuse = (why: string): never => {
    throw new AlthingError('protocol-error', `The TLS connection was refused: ${why}.`);
  };
  if (socket.alpnProtocol !== sessionProtocol) refuse(`it does not speak ${sessionProtocol}`);
  if (socket.isSessionReused()) refuse('it resumes an earlier one');
  const key = socket.getPeerX509Certificate()?.publicKey ?? refuse('it shows no certificate');
  if (key.asymmetricKeyType !== 'ed25519') refuse("the certificate's key is not Ed25519");
  const { x } = key.export({ format: 'jwk' });
  return peerIdOf(new Uint8Array(Buffer.from(x ?? '', 'base64url')));
};

/** A closed channel has this long to hand over what was sent. */
const lingerMs = 2000;

const wrap = (socket: TLSSocket, dialled: boolean): Channel => {
  socket.setNoDelay(true);
  let failure: Error | undefined;
  let corked = false;
  const channel: Channel = {
    remote: remoteKey(socket),
    dialled,
    remoteAddress: formatEndpoint({ host: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 }),
    localAddress: plainAddress(socket.localAddress),
    get queuedBytes() {
      return socket.writableLength;
    },
    send(bytes) {
      if (!corked) {
        corked = true;
        socket.cork();
        process.nextTick(() => {
          corked = false;
          socket.uncork();
        });
      }
      return socket.write(bytes);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close({ abrupt = false } = {}) {
      if (abrupt) socket.destroy();
      else {
        socket.destroySoon();
        // Nobody can keep a channel open by not taking the rest of it.
        setTimeout(() => socket.destroy(), lingerMs).unref();
      }
    },
    onData: () => {},
    onDrain: () => {},
    onClose: () => {},
  };
  socket.on('data', (bytes) => channel.onData(bytes));
  socket.on('drain', () => channel.onDrain());
  socket.on('end', () => socket.destroySoon());
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => channel.onClose(failure));
  return channel;
};

/** An IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d`, and others, as people write them. */
const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '');

/** `host:port`, with brackets round an IPv6 address. */
export const formatEndpoint = ({ host, port }: Endpoint): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** The endpoint in `host:port` or `[v6]:port`. Throws `bad-input`. */
export const parseEndpoint = (text: string): Endpoint => {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:[\]\s]{1,253})):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw new AlthingError('bad-input', `"${text}" is not HOST:PORT.`);
  return { host: match[1] ?? match[2]!, port };
};

/**
 * Dials. Resolves with an open channel whose remote key is proven but not yet compared with anybody's.
 * Throws `peer-offline` where nothing answers in time, `protocol-error` where what answers is no peer, `cancelled`.
 */
export const dialTls = (
  endpoint: Endpoint,
  context: SecureContext,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Channel> =>
  new Promise((resolve, reject) => {
    const name = formatEndpoint(endpoint);
    if (options.signal.aborted) {
      reject(new AlthingError('cancelled', `Dialling ${name} was given up.`));
      return;
    }
    const tcp = connectTcp({ host: endpoint.host, port: endpoint.port, noDelay: true });
    const socket = connectTls({
      socket: tcp,
      secureContext: context,
      ALPNProtocols: [sessionProtocol],
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    const settle = (): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      socket.off('close', closed);
    };
    const fail = (error: Error): void => {
      settle();
      // Late errors of a socket that was given up have nobody left to tell.
      socket.on('error', () => {});
      socket.destroy();
      tcp.destroy();
      reject(
        error instanceof AlthingError
          ? error
          : new AlthingError('peer-offline', `${name} could not be reached: ${error.message}.`, {
              cause: error,
            }),
      );
    };
    const closed = (): void => fail(new AlthingError('peer-offline', `${name} closed the connection.`));
    const abort = (): void => fail(new AlthingError('cancelled', `Dialling ${name} was given up.`));
    const timer = setTimeout(
      () => fail(new AlthingError('peer-offline', `${name} did not answer in ${options.timeoutMs} ms.`)),
      options.timeoutMs,
    );
    options.signal.addEventListener('abort', abort, { once: true });
    socket.once('error', fail);
    socket.once('close', closed);
    socket.once('secureConnect', () => {
      try {
        const channel = wrap(socket, true);
        settle();
        resolve(channel);
      } catch (error) {
        fail(error as Error);
      }
    });
  });

/** Bounds on those who have not proven yet that they belong here. */
export interface StrangerLimits {
  /** Of all, and of one IP address: a newer one takes the place of one that has been there for a while. */
  readonly maxPending: number;
  readonly maxPendingPerAddress: number;
  /** From the TCP connection to the proof. */
  readonly strangerTimeoutMs: number;
}

const defaultLimits: StrangerLimits = {
  maxPending: 128,
  maxPendingPerAddress: 32,
  strangerTimeoutMs: 10_000,
};
/** A handshake takes milliseconds: whoever needs longer than this gives way where there is no room. */
const graceMs = 1000;

/** A listening socket that gives out channels. */
export interface TlsListener {
  readonly endpoint: Endpoint;
  close(): Promise<void>;
}

/** The strangers at one listener. */
class Strangers {
  readonly #limits: StrangerLimits;
  /** Oldest first. */
  readonly #pending = new Map<Socket, { readonly address: string; readonly since: number }>();

  constructor(limits: StrangerLimits) {
    this.#limits = limits;
  }

  /** Lets one more in, in place of another one if need be; false where there is no room. */
  admit(tcp: Socket): boolean {
    const address = tcp.remoteAddress;
    // It has gone already.
    if (address === undefined) return false;
    const { maxPending, maxPendingPerAddress, strangerTimeoutMs } = this.#limits;
    const neighbours = [...this.#pending].filter(([, one]) => one.address === address);
    if (neighbours.length >= maxPendingPerAddress) {
      if (!this.#evict(neighbours[0]![0])) return false;
    } else if (this.#pending.size >= maxPending && !this.#evict(this.#pending.keys().next().value!))
      return false;
    this.#pending.set(tcp, { address, since: performance.now() });
    const timer = setTimeout(() => {
      if (this.#pending.has(tcp)) tcp.destroy();
    }, strangerTimeoutMs);
    tcp.once('close', () => {
      clearTimeout(timer);
      this.#pending.delete(tcp);
    });
    return true;
  }

  /** It is no stranger any more. */
  release(tcp: Socket): void {
    this.#pending.delete(tcp);
  }

  #evict(tcp: Socket): boolean {
    if (performance.now() - this.#pending.get(tcp)!.since < graceMs) return false;
    this.#pending.delete(tcp);
    tcp.destroy();
    return true;
  }
}

/**
 * Listens. Every channel is handed to `onChannel`, which owns it from then on and calls `accepted` once the other side
 * has proven that it belongs here: until then it counts against the limits on strangers.
 * Throws `port-in-use`, `listen-failed`.
 */
export const listenTls = async (
  endpoint: Endpoint,
  identity: TlsIdentity,
  options: {
    onChannel: (channel: Channel, accepted: () => void) => void;
    logger: Logger;
    limits?: Partial<StrangerLimits>;
  },
): Promise<TlsListener> => {
  const { onChannel, logger } = options;
  const strangers = new Strangers({ ...defaultLimits, ...options.limits });
  const open = new Set<Socket>();
  const tls = createTlsServer({
    ...contextOptions(identity),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: [sessionProtocol],
  });
  tls.on('secureConnection', (socket) => {
    const tcp = tcpOf(socket);
    try {
      onChannel(wrap(socket, false), () => tcp && strangers.release(tcp));
    } catch (error) {
      logger.debug({ err: error, address: socket.remoteAddress }, 'A connection was refused.');
      socket.on('error', () => {});
      socket.destroy();
    }
  });
  tls.on('tlsClientError', (error, socket) => {
    logger.debug({ err: error, address: socket.remoteAddress }, 'A TLS handshake failed.');
    socket.destroy();
  });
  // A TCP server in front, so that those for whom there is no room do not cost a TLS handshake.
  const server = createTcpServer({ noDelay: true }, (tcp) => {
    tcp.on('error', () => {
      // The TLS socket on top tells of it; one that is turned away has nobody to tell.
    });
    if (!strangers.admit(tcp)) {
      tcp.destroy();
      return;
    }
    open.add(tcp);
    tcp.once('close', () => open.delete(tcp));
    tls.emit('connection', tcp);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, endpoint)));
    server.listen({ host: endpoint.host, port: endpoint.port, exclusive: true }, resolve);
  });
  server.on('error', (error) => logger.error({ err: error }, 'The listener failed.'));
  const { port } = server.address() as { port: number };
  return {
    endpoint: { host: endpoint.host, port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const tcp of open) tcp.destroy();
      }),
  };
};

/** The TCP socket under a TLS socket, which Node keeps but does not document. */
const tcpOf = (socket: TLSSocket): Socket | undefined => (socket as TLSSocket & { _parent?: Socket })._parent;

const listenError = (error: NodeJS.ErrnoException, endpoint: Endpoint): AlthingError => {
  const name = formatEndpoint(endpoint);
  return error.code === 'EADDRINUSE'
    ? new AlthingError('port-in-use', `Something else listens on ${name}.`, { cause: error })
    : new AlthingError('listen-failed', `Cannot listen on ${name}: ${error.message}.`, { cause: error });
};
