/**
 * The recovery key as words that a person can write down, and back.
 * Relies on `@scure/bip39`, loaded only when words are made or read, for its word list weighs.
 */
import { AlthingError } from '../core/errors.ts';

const wordCount = 24;

/** The 24 BIP-39 words (English list) of a 32-byte seed. */
export const wordsOf = async (seed: Uint8Array): Promise<string> => {
  const { entropyToMnemonic } = await import('@scure/bip39');
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  return entropyToMnemonic(seed, wordlist);
};

/**
 * The 32-byte seed that 24 words stand for; case and white space do not matter. Throws `bad-input`, saying which word
 * is none of the list, or that the words do not belong together.
 */
export const seedOfWords = async (text: string): Promise<Uint8Array> => {
  const { mnemonicToEntropy } = await import('@scure/bip39');
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  const words = text.normalize('NFKD').toLowerCase().trim().split(/\s+/);
  if (words.length !== wordCount)
    throw new AlthingError(
      'bad-input',
      `The recovery words are ${wordCount}, and ${text.trim() === '' ? 0 : words.length} were given: write all of them, with blanks between.`,
    );
  const known = new Set(wordlist);
  const wrong = words.findIndex((word) => !known.has(word));
  if (wrong >= 0)
    throw new AlthingError(
      'bad-input',
      `Word ${wrong + 1} of the recovery words, "${words[wrong]}", is none of the list: check how it is written.`,
    );
  try {
    return mnemonicToEntropy(words.join(' '), wordlist);
  } catch (error) {
    throw new AlthingError(
      'bad-input',
      'The recovery words do not belong together (their checksum fails): one is another word, or two have changed places.',
      { cause: error },
    );
  }
};
