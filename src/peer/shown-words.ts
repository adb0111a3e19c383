/**
 * The recovery words of a fabric that this home founded, shown once and then forgotten.
 * Relies on the recovery key's file; a key that is not this fabric's is never shown.
 */
import { equalBytes } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { wordsOf } from '../fabric/recovery.ts';
import type { Home } from '../store/home.ts';
import { deleteRecoveryKey, readRecoveryKey } from '../store/identity.ts';
import { nodeCrypto } from '../store/node-crypto.ts';

/** The words; the file that held their key is gone then. Throws `recovery-shown`, the store's codes. */
export const showWords = async (home: Home, fabric: Fabric): Promise<string> => {
  const seed = await readRecoveryKey(home);
  // One that a crash left behind while this peer joined another fabric is worth nothing here.
  if (!seed || !equalBytes(nodeCrypto.signer(seed).publicKey, fabric.genesis.recovery))
    throw new AlthingError(
      'recovery-shown',
      'The recovery words are not here: they were shown already, or this peer did not found its fabric.',
    );
  const words = await wordsOf(seed);
  await deleteRecoveryKey(home);
  return words;
};
