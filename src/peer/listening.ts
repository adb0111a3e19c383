/**
 * Where a peer listens: the address that was asked for, the usual port, or a free one that is then kept.
 * Relies on the configuration for memory and on the TLS listener.
 */
import { AlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Channel, Endpoint } from '../net/channel.ts';
import { listenTls, parseEndpoint, type TlsIdentity, type TlsListener } from '../net/tls-channel.ts';
import { type Config, updateConfig } from '../store/config.ts';

/** The port that peers listen on where nothing else is said. */
export const defaultPort = 7421;

export interface ListeningOptions {
  /** `HOST:PORT` as given; port 0 takes a free one and keeps it. */
  readonly asked: string | undefined;
  readonly config: Config;
  readonly configPath: string;
  readonly identity: TlsIdentity;
  readonly onChannel: (channel: Channel, accepted: () => void) => void;
  readonly logger: Logger;
}

/** Listens. Throws `port-in-use` and `listen-failed` for an address that was asked for, `bad-input`. */
export const startListening = async (options: ListeningOptions): Promise<TlsListener> => {
  const { asked, config, configPath, identity, onChannel, logger } = options;
  const given = asked ?? config.listen;
  const endpoint = given === undefined ? undefined : parseEndpoint(given);
  const listen = (target: Endpoint): Promise<TlsListener> =>
    listenTls(target, identity, { onChannel, logger });
  if (endpoint && endpoint.port !== 0) return listen(endpoint);

  const hosts = endpoint ? [endpoint.host] : ['::', '0.0.0.0'];
  const usual = endpoint ? 0 : defaultPort;
  let failure: unknown;
  for (const port of new Set([config.port ?? usual, usual, 0]))
    for (const host of hosts)
      try {
        const listener = await listen({ host, port });
        await keepPort(listener.endpoint.port);
        return listener;
      } catch (error) {
        // A machine without IPv6, or the usual port taken: the next possibility.
        if (!(error instanceof AlthingError)) throw error;
        failure = error;
      }
  throw failure;

  async function keepPort(port: number): Promise<void> {
    if (port === config.port || (port === defaultPort && config.port === undefined && !endpoint)) return;
    await updateConfig(configPath, { port });
  }
};
