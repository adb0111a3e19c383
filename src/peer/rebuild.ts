/**
 * Rebuilds a home whose database is damaged, so that the next start fetches the rest from the other members.
 * Relies on the small file for who this peer is, or on what can still be read of the notes.
 */

import { equalBytes } from '../core/bytes.ts';
import { decode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';
import { peerIdOf } from '../core/ids.ts';
import { decodeFabric } from '../fabric/genesis.ts';
import { comparePositions, openRecord, type SignedRecord } from '../replica/record.ts';
import { homePaths, openHome } from '../store/home.ts';
import { readKeyFile } from '../store/key-file.ts';
import { noteChange } from '../store/local-notes.ts';
import type { MembershipFacts } from '../store/membership-file.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { type Rebuilt, rebuildStore } from '../store/rebuild.ts';
import { genesisNote, membershipNotes, rebuiltNote } from './open-fabric.ts';

/**
 * Makes a fresh database for the home of a peer that does not run. Throws `home-in-use`, `key-corrupt`,
 * `store-corrupt` where nothing says which fabric the peer belonged to, and the store's codes.
 */
export const rebuildHome = async (dir: string): Promise<Rebuilt> => {
  const seed = await readKeyFile(homePaths(dir).identityKey, 'identity');
  if (!seed) throw new AlthingError('not-found', `${dir} holds no peer: there is nothing to rebuild.`);
  const home = await openHome(dir);
  const self = nodeCrypto.signer(seed).publicKey;
  const genesisOf = (
    facts: MembershipFacts | undefined,
    notes: ReadonlyMap<string, Uint8Array>,
  ): Uint8Array => {
    const noted = notes.get(genesisNote);
    // The database is written first: where it can be read, it knows better.
    const genesis = noted ? decode(noted, 'store-corrupt') : facts?.genesis;
    if (genesis instanceof Uint8Array) return genesis;
    throw new AlthingError(
      'store-corrupt',
      `Neither ${home.membership} nor ${home.stateDb} says which fabric this peer belongs to. Restore a backup: althing restore FILE.`,
    );
  };
  return rebuildStore(
    home,
    {
      notes: (facts, rescued) => {
        const genesis = genesisOf(facts, rescued);
        const kept = facts && equalBytes(facts.genesis, genesis) ? membershipNotes(facts) : [];
        return [...kept, ...rescued, noteChange(genesisNote, genesis), noteChange(rebuiltNote, true)];
      },
      records: (facts, { notes, records }) =>
        ownRecords(records, decodeFabric(genesisOf(facts, notes), nodeCrypto).id, self),
    },
    new Date(),
  );
};

/** This peer's own records, whose signatures hold; of its control records those that follow on one another. */
const ownRecords = (raw: readonly Uint8Array[], fabric: Uint8Array, self: Uint8Array): SignedRecord[] => {
  const own = raw.flatMap((bytes) => {
    try {
      const record = openRecord(bytes, fabric, nodeCrypto, { trusted: true });
      return record.authorId === peerIdOf(self) ? [openRecord(bytes, fabric, nodeCrypto)] : [];
    } catch (error) {
      // What is damaged without its checksum showing it comes back from the others.
      if (error instanceof AlthingError && error.code === 'record-invalid') return [];
      throw error;
    }
  });
  const chain = new Set<string>();
  return own.sort(comparePositions).filter(({ stream, prev, hash }) => {
    if (stream === 'data') return true;
    return (prev === null || chain.has(prev)) && chain.add(hash);
  });
};
