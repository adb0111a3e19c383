/**
 * Starts DNS-SD for a peer that others can find that way.
 * Relies on `net/dns-sd.ts`, loaded only where it is used.
 */
import type { Logger } from '../core/logger.ts';
import type { Endpoint } from '../net/channel.ts';
import type { Discovery, Sighting } from '../net/discovery-api.ts';
import type { InterfaceWatch } from '../net/interfaces.ts';

export interface StartDiscoveryOptions {
  /** Where the peer listens. */
  readonly listen: Endpoint | undefined;
  readonly interfaces: InterfaceWatch;
  readonly sighted: (sighting: Sighting) => void;
  readonly logger: Logger;
}

/** Discovery on all networks; undefined for a peer that listens on loopback only, which nobody there could reach. */
export const startDiscovery = async (options: StartDiscoveryOptions): Promise<Discovery | undefined> => {
  const host = options.listen?.host ?? '';
  if (host.startsWith('127.') || host === '::1' || host === 'localhost') return undefined;
  const { DnsSd } = await import('../net/dns-sd.ts');
  const discovery = new DnsSd(options.interfaces, { logger: options.logger });
  discovery.onSighting = options.sighted;
  return discovery;
};
