/**
 * The recovery key as words that a person can write down.
 * Relies on `@scure/bip39`, loaded only when words are made or read, for its word list weighs.
 */
import { AlthingError } from '../core/errors.ts';

/** The 24 BIP-39 words (English list) of a 32-byte seed. */
export const wordsOf = async (seed: Uint8Array): Promise<string> => {
  const { entropyToMnemonic } = await import('@scure/bip39');
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  return entropyToMnemonic(seed, wordlist);
};

/** The 32-byte seed of 24 words; case and white space do not matter. Throws `bad-input`. */
export const seedOf = async (words: string): Promise<Uint8Array> => {
  const { mnemonicToEntropy } = await import('@scure/bip39');
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  const tidy = words.trim().toLowerCase().split(/\s+/).join(' ');
  try {
    const seed = mnemonicToEntropy(tidy, wordlist);
    if (seed.length === 32) return seed;
  } catch (error) {
    throw new AlthingError('bad-input', 'These are not the 24 recovery words: check each and their order.', {
      cause: error,
    });
  }
  throw new AlthingError(
    'bad-input',
    'The recovery words are 24, these are fewer: check that none is missing.',
  );
};
