/**
 * A peer's ways to others: where it listens, the machine's interfaces, and being found on its networks.
 * Relies on `listening.ts` and `start-discovery.ts`; whoever calls closes all three.
 */
import type { Logger } from '../core/logger.ts';
import type { Discovery, Sighting } from '../net/discovery-api.ts';
import { InterfaceWatch, type NetworkInterface } from '../net/interfaces.ts';
import type { TlsListener } from '../net/tls-channel.ts';
import type { Config } from '../store/config.ts';
import { type ListeningOptions, startListening } from './listening.ts';
import type { PeerOptions } from './peer-options.ts';
import { startDiscovery } from './start-discovery.ts';

export interface NetworkOptions extends Pick<ListeningOptions, 'configPath' | 'identity' | 'onChannel'> {
  readonly options: Pick<PeerOptions, 'listen' | 'mdns'>;
  readonly config: Config;
  readonly interfacesChanged: (current: readonly NetworkInterface[], added: boolean) => void;
  readonly sighted: (sighting: Sighting) => void;
  readonly logger: Logger;
}

export interface Network {
  readonly listener: TlsListener;
  readonly interfaces: InterfaceWatch;
  /** Undefined where nobody is to find this peer by it. */
  readonly discovery: Discovery | undefined;
}

/** Listens, watches the interfaces, and looks for others. Throws `port-in-use`, `listen-failed`, the store's codes. */
export const startNetwork = async (given: NetworkOptions): Promise<Network> => {
  const { options, config, configPath, identity, onChannel, interfacesChanged, sighted, logger } = given;
  const asked = options.listen;
  const listener = await startListening({ asked, config, configPath, identity, onChannel, logger });
  const interfaces = new InterfaceWatch({ logger });
  interfaces.subscribe(({ added }) => interfacesChanged(interfaces.current, added.length > 0));
  const wanted = options.mdns ?? config.mdns ?? true;
  const listen = listener.endpoint;
  try {
    const discovery = wanted ? await startDiscovery({ listen, interfaces, sighted, logger }) : undefined;
    return { listener, interfaces, discovery };
  } catch (error) {
    interfaces.close();
    await listener.close();
    throw error;
  }
};
