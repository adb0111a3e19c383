/**
 * Writes whatever a test wants into a stopped peer's home, with that peer's own key: what a modified program could say.
 * Relies on the real store and replica, which ask nobody whether an author may write what it writes.
 */
import { HybridClock } from '../core/clock.ts';
import { silentLogger } from '../core/logger.ts';
import { decodeFabric } from '../fabric/genesis.ts';
import { genesisNote } from '../peer/open-fabric.ts';
import type { Draft } from '../replica/draft.ts';
import { Replica } from '../replica/replica.ts';
import { openHome } from '../store/home.ts';
import { loadOrCreateIdentity } from '../store/identity.ts';
import { LocalNotes } from '../store/local-notes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { openStateStore } from '../store/state-store.ts';

/** Writes the drafts durably; the peer that is started on this home next tells them to the others. */
export const writeInHome = async (
  directory: string,
  draft: (replica: Replica) => readonly Draft[],
): Promise<void> => {
  const home = await openHome(directory);
  const store = await openStateStore(home.stateDb);
  try {
    const [{ seed }, stored] = await Promise.all([loadOrCreateIdentity(home, nodeCrypto), store.load()]);
    const genesis = new LocalNotes(store, stored.local).get(genesisNote) as Uint8Array;
    const replica = new Replica(stored.records, {
      fabric: decodeFabric(genesis, nodeCrypto),
      signer: nodeCrypto.signer(seed),
      crypto: nodeCrypto,
      clock: new HybridClock(Date.now),
      now: Date.now,
      store,
      yieldTurn: async () => {},
      logger: silentLogger,
    });
    await replica.write(() => draft(replica));
    await replica.close();
  } finally {
    await store.close();
  }
};
