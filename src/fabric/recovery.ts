/**
 * The recovery key as words that a person can write down.
 * Relies on `@scure/bip39`, loaded only when words are made, for its word list weighs.
 */
/** The 24 BIP-39 words (English list) of a 32-byte seed. */
export const wordsOf = async (seed: Uint8Array): Promise<string> => {
  const { entropyToMnemonic } = await import('@scure/bip39');
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  return entropyToMnemonic(seed, wordlist);
};
