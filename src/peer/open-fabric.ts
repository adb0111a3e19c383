/**
 * The fabric that a home belongs to: the one its notes name, the one its small file has kept, or a new one of its own.
 * Relies on the notes for the usual case; a home whose database was lost gets its membership back out of the small file.
 */
import type { Signer } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';
import { createFabric, decodeFabric, type Fabric } from '../fabric/genesis.ts';
import type { Home } from '../store/home.ts';
import { keepRecoveryKey } from '../store/identity.ts';
import { type LocalNotes, type NoteChange, noteChange } from '../store/local-notes.ts';
import type { MembershipFacts } from '../store/membership-file.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { addressNoteKey } from './addresses.ts';
import type { KeptMembership } from './kept-membership.ts';

/** The note that holds the genesis. */
export const genesisNote = 'genesis';
/** The note that holds what proves this peer's membership. */
export const proofNote = 'proof';
/** Set until a store that was made anew has caught up with the others. */
export const rebuiltNote = 'rebuilt';

export interface OpenFabricOptions {
  readonly home: Home;
  readonly notes: LocalNotes;
  readonly kept: KeptMembership;
  readonly signer: Signer;
  /** The name of a fabric to be founded. */
  readonly name: string;
}

/** The fabric of a home, durably. Throws the store's codes, and `bad-input` for a name that no fabric can have. */
export const openFabric = async (options: OpenFabricOptions): Promise<Fabric> => {
  const { notes, kept } = options;
  const genesis = notes.get(genesisNote);
  if (genesis instanceof Uint8Array) return decodeFabric(genesis, nodeCrypto);
  if (!kept.facts) return found(options);
  await notes.commit([...membershipNotes(kept.facts), noteChange(rebuiltNote, true)]);
  return decodeFabric(kept.facts.genesis, nodeCrypto);
};

/** The notes that make a store the store of this member. */
export const membershipNotes = (
  facts: Pick<MembershipFacts, 'genesis' | 'proof' | 'addresses'>,
): NoteChange[] => [
  noteChange(genesisNote, facts.genesis),
  noteChange(proofNote, facts.proof),
  ...facts.addresses.map(([peer, addresses]) => noteChange(addressNoteKey(peer as PeerId), addresses)),
];

/** Raw records that prove this peer, for the time before its replica holds them. */
export const storedProof = (notes: LocalNotes): readonly Uint8Array[] => {
  const proof = notes.get(proofNote);
  return Array.isArray(proof) ? proof.filter((raw) => raw instanceof Uint8Array) : [];
};

/** A first run founds a fabric of its own. The recovery key is on disk before the genesis that names it. */
const found = async ({ home, notes, signer, name }: OpenFabricOptions): Promise<Fabric> => {
  const recovery = nodeCrypto.randomBytes(32);
  const fabric = createFabric(
    {
      name,
      founder: signer.publicKey,
      recovery: nodeCrypto.signer(recovery).publicKey,
      created: Date.now(),
    },
    nodeCrypto,
  );
  await keepRecoveryKey(home, recovery);
  await notes.set(genesisNote, fabric.bytes);
  return fabric;
};
