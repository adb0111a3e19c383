/**
 * A gateway over a fake peer, on a unix socket of its own and on a free port of 127.0.0.1, for one test.
 * Relies on the test's `after` to take everything down again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GatewayClient } from '../client/client.ts';
import type { Transport, TransportRequest } from '../client/transport.ts';
import { unixTransport } from '../client/unix-transport.ts';
import { silentLogger } from '../core/logger.ts';
import { type GatewayOptions, type RunningGateway, startGateway } from '../gateway/server.ts';
import { FakePeer } from './fake-peer.ts';

export interface GatewayLab {
  readonly peer: FakePeer;
  readonly gateway: RunningGateway;
  /** The URL on TCP. */
  readonly url: string;
  /** Over the unix socket. */
  readonly transport: Transport;
  readonly client: GatewayClient;
  /** One exchange over the unix socket, with the body as text. */
  send(request: Partial<TransportRequest> & { readonly path: string }): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The body as JSON. */
  readonly json: unknown;
  header(name: string): string | undefined;
}

/** A directory that is gone after the test, with a path short enough for sockets. */
export const testDirectory = async (t: TestContext): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'althing-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
};

/** Starts the lab. */
export const startGatewayLab = async (
  t: TestContext,
  options: Partial<GatewayOptions> = {},
): Promise<GatewayLab> => {
  const peer = new FakePeer();
  const directory = await testDirectory(t);
  const gateway = await startGateway(peer, {
    socketPath: join(directory, 'gateway.sock'),
    http: { host: '127.0.0.1', port: 0 },
    logger: silentLogger,
    ...options,
  });
  t.after(() => gateway.close());
  const transport = unixTransport({ socketPath: gateway.socket, home: directory });
  const send: GatewayLab['send'] = async (request) => {
    const response = await transport({ method: 'GET', headers: {}, ...request });
    const chunks: Uint8Array[] = [];
    for await (const chunk of response.body) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    return {
      status: response.status,
      text,
      get json() {
        return JSON.parse(text);
      },
      header: response.header,
    };
  };
  return { peer, gateway, url: gateway.http ?? '', transport, client: new GatewayClient(transport), send };
};
