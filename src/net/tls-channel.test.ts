/**
 * The promises of TLS channels: only two Ed25519 keys that both prove themselves ever meet, and strangers cost little.
 * Relies on real sockets on loopback; waits for conditions, never for times.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import type { ErrorCode } from '../core/errors.ts';
import { AlthingError } from '../core/errors.ts';
import { peerIdOf } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { tlsIdentityOf } from '../store/certificate.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { foreignCertificate } from '../testing/foreign-certificate.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { Channel } from './channel.ts';
import {
  createTlsContext,
  dialTls,
  listenTls,
  type StrangerLimits,
  type TlsIdentity,
  type TlsListener,
} from './tls-channel.ts';

const seed = (byte: number) => new Uint8Array(32).fill(byte);
const identity = (byte: number): TlsIdentity => tlsIdentityOf(seed(byte));
const idOf = (byte: number) => peerIdOf(nodeCrypto.signer(seed(byte)).publicKey);
const local = { host: '127.0.0.1', port: 0 };
const signal = new AbortController().signal;

const code = (expected: ErrorCode) => (error: unknown) =>
  error instanceof AlthingError && error.code === expected;

/** A listener that keeps what it hands out. */
class Door {
  readonly channels: Channel[] = [];
  readonly accepts: (() => void)[] = [];
  readonly closed: Channel[] = [];
  readonly received: string[] = [];
  listener!: TlsListener;

  static async open(options: { limits?: Partial<StrangerLimits> } = {}): Promise<Door> {
    const door = new Door();
    door.listener = await listenTls(local, identity(1), {
      logger: silentLogger,
      ...options,
      onChannel: (channel, accepted) => {
        channel.onData = (bytes) => door.received.push(Buffer.from(bytes).toString());
        channel.onClose = () => door.closed.push(channel);
        door.channels.push(channel);
        door.accepts.push(accepted);
      },
    });
    doors.push(door);
    return door;
  }

  get port(): number {
    return this.listener.endpoint.port;
  }

  dial(byte = 2): Promise<Channel> {
    return dialTls(this.listener.endpoint, createTlsContext(identity(byte)), { timeoutMs: 5000, signal });
  }
}
const doors: Door[] = [];
const sockets: Socket[] = [];
after(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(doors.map((door) => door.listener.close()));
});

/** A raw TLS client; resolves when its connection has ended, with the error where there was one. */
const client = (
  port: number,
  options: ConnectionOptions,
): { socket: TLSSocket; ended: Promise<Error | undefined> } => {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  sockets.push(socket);
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  socket.resume();
  const ended = once(socket, 'close').then(
    () => failure,
    (error: Error) => error,
  );
  return { socket, ended };
};

/** Resolves when a socket is connected, or was turned away: either will do for one of a crowd. */
const connectedOrGone = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('connect', () => resolve());
    socket.once('close', () => resolve());
  });

/** A channel, or undefined where the door has no room now; any other failure is thrown. */
const unlessTurnedAway = (dialled: Promise<Channel>): Promise<Channel | undefined> =>
  dialled.catch((error: AlthingError) => {
    if (error.code === 'peer-offline') return undefined;
    throw error;
  });

const tcp = (port: number, localAddress = '127.0.0.1'): Socket => {
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  socket.resume();
  sockets.push(socket);
  return socket;
};

const alpn = ['althing/1'];
const own = { key: identity(2).keyPem, cert: identity(2).certPem };

test('two peers meet, each with the other’s key, and bytes go both ways in order', async () => {
  const door = await Door.open();
  const mine = await door.dial();
  assert.equal(mine.remote, idOf(1));
  assert.ok(mine.dialled);
  const heard: string[] = [];
  mine.onData = (bytes) => heard.push(Buffer.from(bytes).toString());
  await waitFor(() => door.channels.length === 1, { what: 'the channel' });
  const theirs = door.channels[0]!;
  assert.equal(theirs.remote, idOf(2));
  assert.ok(!theirs.dialled);
  assert.equal(mine.remoteAddress, `127.0.0.1:${door.port}`);
  assert.equal(theirs.localAddress, '127.0.0.1');
  mine.send(Buffer.from('one '));
  mine.send(Buffer.from('two'));
  theirs.send(Buffer.from('three'));
  await waitFor(() => door.received.join('') === 'one two' && heard.join('') === 'three', {
    what: 'the bytes',
  });
  mine.close();
  await waitFor(() => door.closed.length === 1, { what: 'the other end to close' });
});

test('a client without a certificate is refused', async () => {
  const door = await Door.open();
  await client(door.port, { ALPNProtocols: alpn }).ended;
  assert.equal(door.channels.length, 0);
});

for (const kind of ['rsa', 'ec'] as const)
  test(`a certificate with a key of the kind ${kind} is refused by both sides`, async () => {
    const door = await Door.open();
    const foreign = foreignCertificate(kind);
    await client(door.port, { ALPNProtocols: alpn, key: foreign.keyPem, cert: foreign.certPem }).ended;
    assert.equal(door.channels.length, 0);

    const server = createServer({ key: foreign.keyPem, cert: foreign.certPem, ALPNProtocols: alpn });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const dialled = dialTls({ host: '127.0.0.1', port }, createTlsContext(identity(2)), {
      timeoutMs: 5000,
      signal,
    });
    await assert.rejects(dialled, code('protocol-error'));
    server.close();
  });

test('another ALPN protocol, or none, is refused by both sides', async () => {
  const door = await Door.open();
  await client(door.port, { ...own }).ended;
  const { ended } = client(door.port, { ...own, ALPNProtocols: ['h2', 'http/1.1'] });
  assert.ok(await ended);
  assert.equal(door.channels.length, 0);

  const server = createServer({ key: own.key, cert: own.cert, requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const dialled = dialTls({ host: '127.0.0.1', port }, createTlsContext(identity(2)), {
    timeoutMs: 5000,
    signal,
  });
  await assert.rejects(dialled, code('protocol-error'));
  server.close();
});

test('TLS 1.2 is refused', async () => {
  const door = await Door.open();
  assert.ok(await client(door.port, { ...own, ALPNProtocols: alpn, maxVersion: 'TLSv1.2' }).ended);
  assert.equal(door.channels.length, 0);
});

test('an earlier TLS session cannot be resumed', async () => {
  const door = await Door.open();
  const first = client(door.port, { ...own, ALPNProtocols: alpn });
  const tickets: Buffer[] = [];
  first.socket.on('session', (session) => tickets.push(session));
  await waitFor(() => door.channels.length === 1, { what: 'the first channel' });
  // Tickets come right after the handshake, before anything that is said later.
  door.channels[0]!.send(Buffer.from('x'));
  await once(first.socket, 'data');
  first.socket.destroy();
  for (const session of tickets) {
    const { socket } = client(door.port, { ...own, ALPNProtocols: alpn, session });
    const channels = door.channels.length;
    await waitFor(() => socket.closed || door.channels.length > channels, { what: 'an answer' });
    // Either it was a full handshake, or it was refused.
    if (door.channels.length > channels) assert.equal(socket.isSessionReused(), false);
  }
});

test('what does not answer, is no peer, or is given up, is an error of its own, and leaves no socket', async () => {
  const context = createTlsContext(identity(2));
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).resume();
    if (mode === 'noise') socket.end('SSH-2.0-OpenSSH_9.6\r\n');
    if (mode === 'hang up') socket.destroy();
  });
  let mode = 'silence';
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = { host: '127.0.0.1', port: (server.address() as { port: number }).port };
  await assert.rejects(dialTls(endpoint, context, { timeoutMs: 50, signal }), code('peer-offline'));
  const given = new AbortController();
  const dialled = dialTls(endpoint, context, { timeoutMs: 5000, signal: given.signal });
  given.abort();
  await assert.rejects(dialled, code('cancelled'));
  await assert.rejects(
    dialTls(endpoint, context, { timeoutMs: 50, signal: given.signal }),
    code('cancelled'),
  );
  for (mode of ['noise', 'hang up'])
    await assert.rejects(dialTls(endpoint, context, { timeoutMs: 5000, signal }), code('peer-offline'));
  await waitFor(
    () => sockets.filter((socket) => !socket.destroyed && socket.localPort === endpoint.port).length === 0,
    {
      what: 'every socket to be gone',
    },
  );
  server.close();
  await assert.rejects(
    dialTls({ host: '127.0.0.1', port: 1 }, context, { timeoutMs: 5000, signal }),
    code('peer-offline'),
  );
});

test('a port that is in use, and an address that is not ours, are errors of their own', async () => {
  const door = await Door.open();
  const options = { logger: silentLogger, onChannel: () => {} };
  await assert.rejects(listenTls(door.listener.endpoint, identity(1), options), code('port-in-use'));
  await assert.rejects(
    listenTls({ host: '192.0.2.1', port: 0 }, identity(1), options),
    code('listen-failed'),
  );
});

test('who connects and is silent, speaks a byte at a time, or says nothing within TLS, is dropped', async () => {
  const door = await Door.open({ limits: { strangerTimeoutMs: 300 } });
  const silent = tcp(door.port);
  const slow = tcp(door.port);
  const hello = Buffer.from('16030100c8010000c40303', 'hex');
  let at = 0;
  const drip = setInterval(() => {
    if (!slow.destroyed) slow.write(hello.subarray(at, ++at));
  }, 40);
  const mute = client(door.port, { ...own, ALPNProtocols: alpn });
  await Promise.all([once(silent, 'close'), once(slow, 'close'), mute.ended]);
  clearInterval(drip);
  // Whoever was accepted stays.
  const member = await door.dial(3);
  await waitFor(() => door.channels.length === 2, { what: 'the channel' });
  door.accepts[1]!();
  let closed = false;
  member.onClose = () => {
    closed = true;
  };
  await once(tcp(door.port), 'close');
  assert.ok(!closed);
  member.close();
});

test('connections that die before they are taken in are not counted for ever', async () => {
  const door = await Door.open();
  for (let round = 0; round < 8; round++) {
    const dying = Array.from({ length: 60 }, () => tcp(door.port));
    await Promise.all(dying.map((socket) => connectedOrGone(socket)));
    for (const socket of dying) socket.resetAndDestroy();
  }
  const mine = await waitFor(() => unlessTurnedAway(door.dial()), { what: 'a peer to be let in' });
  mine.close();
});

test('a thousand strangers at one address leave room for others, and for themselves once they are quiet', async () => {
  const door = await Door.open();
  const member = await door.dial(3);
  await waitFor(() => door.accepts.length === 1, { what: 'the member' });
  door.accepts[0]!();
  for (let round = 0; round < 10; round++) {
    const crowd = Array.from({ length: 100 }, () => tcp(door.port, '127.0.0.2'));
    await Promise.all(crowd.map((socket) => connectedOrGone(socket)));
  }
  const open = () =>
    sockets.filter((socket) => socket.localAddress === '127.0.0.2' && !socket.destroyed).length;
  await waitFor(() => open() <= 32, { what: () => `the limit to hold: ${open()} are open` });
  const other = await door.dial(4);
  member.send(Buffer.from('still here'));
  await waitFor(() => door.received.includes('still here'), { what: 'the member to be heard' });
  other.close();
  member.close();
});

test('a crowd from many addresses cannot keep a peer out for long', async () => {
  const door = await Door.open();
  for (let host = 2; host < 10; host++) {
    const crowd = Array.from({ length: 32 }, () => tcp(door.port, `127.0.0.${host}`));
    await Promise.all(crowd.map((socket) => connectedOrGone(socket)));
  }
  // Turned away while the crowd is there; it must be let in at last.
  const turnedAway = (error: unknown): undefined => {
    if (!(error instanceof AlthingError)) throw error;
  };
  const other = await waitFor(() => door.dial(4).catch(turnedAway), {
    timeoutMs: 4000,
    what: 'a peer to be let in',
  });
  other.close();
});

test('a channel whose other end takes nothing is gone soon after it was closed', async () => {
  const door = await Door.open();
  const mine = await door.dial();
  await waitFor(() => door.channels.length === 1, { what: 'the channel' });
  mine.pause();
  const theirs = door.channels[0]!;
  for (let n = 0; n < 200; n++) theirs.send(new Uint8Array(100_000));
  theirs.close();
  await waitFor(() => door.closed.length === 1, { what: 'the end' });
  mine.close({ abrupt: true });
});

test('a slow reader is seen by the sender, who is told when it goes on', async () => {
  const door = await Door.open();
  const mine = await door.dial();
  await waitFor(() => door.channels.length === 1, { what: 'the channel' });
  let drained = false;
  mine.onDrain = () => {
    drained = true;
  };
  door.channels[0]!.pause();
  let behind = false;
  for (let n = 0; n < 200; n++) behind = !mine.send(new Uint8Array(100_000)) || behind;
  assert.ok(behind && mine.queuedBytes > 0);
  door.channels[0]!.resume();
  await waitFor(() => drained && mine.queuedBytes === 0, { what: 'the drain' });
  mine.close();
});
