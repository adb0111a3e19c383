/**
 * The way from a command to the running peer of its home.
 * Relies on the typed client over the gateway's unix socket.
 */
import { GatewayClient } from '../client/client.ts';
import { unixTransport } from '../client/unix-transport.ts';
import { homePaths } from '../store/home.ts';

/** A client of the peer that runs on a home; each of its methods throws `not-running` where none does. */
export const clientOf = (home: string): GatewayClient =>
  new GatewayClient(unixTransport({ socketPath: homePaths(home).gatewaySocket, home }), { origin: 'cli' });
