/**
 * Opens a home and starts the peer that lives in it.
 * Relies on `store/` for the home, the lock and the key, on `peer.ts` for all that runs.
 */
import { hostname } from 'node:os';
import { silentLogger } from '../core/logger.ts';
import { parseEndpoint } from '../net/tls-channel.ts';
import { removeUnfinished } from '../store/atomic-file.ts';
import { loadConfig, updateConfig } from '../store/config.ts';
import { openHome } from '../store/home.ts';
import { loadOrCreateIdentity } from '../store/identity.ts';
import { JournalFile } from '../store/journal-file.ts';
import { LocalNotes } from '../store/local-notes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { openStateStore } from '../store/state-store.ts';
import { StoreHealth } from '../store/store-health.ts';
import { KeptMembership } from './kept-membership.ts';
import { genesisNote } from './open-fabric.ts';
import { Peer } from './peer.ts';
import { checkPeerName, maxPeerNameLength } from './peer-name.ts';
import type { PeerOptions } from './peer-options.ts';

/**
 * Starts a peer on a home. Throws `home-in-use`, `key-corrupt`, `config-invalid`, the store's codes, `port-in-use`,
 * `listen-failed`, `bad-input`.
 */
export const createPeer = async (options: PeerOptions): Promise<Peer> => {
  const logger = options.logger ?? silentLogger;
  for (const address of options.bootstrap ?? []) parseEndpoint(address);
  const home = await openHome(options.home, { logger });
  const health = new StoreHealth({ logger });
  const store = await openStateStore(home.stateDb, { health });
  const opened = new AsyncDisposableStack();
  opened.defer(() => store.close());
  try {
    // The store's lock says that no other process writes here, and this one does not yet.
    await removeUnfinished(home.dir);
    const [{ seed }, config, stored] = await Promise.all([
      loadOrCreateIdentity(home, nodeCrypto),
      loadConfig(home.config),
      store.load(),
    ]);
    const name = checkPeerName(options.name ?? config.name ?? hostname().slice(0, maxPeerNameLength));
    if (options.name !== undefined && options.name !== config.name) await updateConfig(home.config, { name });
    const notes = new LocalNotes(store, stored.local);
    const known = notes.get(genesisNote) as Uint8Array | undefined;
    const kept = await KeptMembership.open(home.membership, { health, known });
    const journal = new JournalFile(home.steps);
    const peer = new Peer({ options, config, home, store, health, notes, journal, kept, seed, name, logger });
    opened.defer(() => peer.stop());
    await peer.start(stored);
    return peer;
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
};
