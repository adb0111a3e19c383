/**
 * The way from a command to the running peer of its home.
 * Relies on the typed client over the gateway's unix socket.
 */
import { type Client, createClient } from '../client/client.ts';
import { homePaths } from '../store/home.ts';

/** Uses the peer that runs on a home. Throws `not-running` where none does, and what `use` throws. */
export const withClient = async <T>(home: string, use: (client: Client) => Promise<T>): Promise<T> => {
  const client = createClient({ socketPath: homePaths(home).gatewaySocket });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
};
