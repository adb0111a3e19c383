/**
 * 32 secret bytes in a file of one line, with a checksum, so that damage is seen and never taken for a key.
 * Relies on `atomic-file.ts` for files that are whole or absent.
 */
import { hash } from 'node:crypto';
import { AlthingError } from '../core/errors.ts';
import { readSmallFile, writeFileAtomic } from './atomic-file.ts';

/** What a key file is for; a file of one kind is not read as the other. */
export type KeyFileKind = 'identity' | 'recovery';

const keySize = 32;
/** One line is under 100 bytes: more is not read in. */
const maxFileBytes = 1024;

const checksum = (key: Uint8Array): string => hash('sha256', key).slice(0, 8);

/** `althing-<kind>-1 <base64url of the key> <first 4 bytes of its SHA-256, hex>` and a line feed. */
export const formatKeyFile = (kind: KeyFileKind, key: Uint8Array): string =>
  `althing-${kind}-1 ${Buffer.from(key).toString('base64url')} ${checksum(key)}\n`;

/** The key out of `formatKeyFile`'s line, or undefined for anything else. */
export const parseKeyFile = (kind: KeyFileKind, text: string): Uint8Array | undefined => {
  const match = /^althing-([a-z]+)-1 ([A-Za-z0-9_-]{43}) ([0-9a-f]{8})\s*$/.exec(text);
  if (match?.[1] !== kind) return undefined;
  const key = new Uint8Array(Buffer.from(match[2]!, 'base64url'));
  return key.length === keySize && checksum(key) === match[3] ? key : undefined;
};

/**
 * The 32 bytes of a key file, or undefined where there is no file. The file is never changed.
 * Throws `key-corrupt`, `home-read-only`, `disk-failed`.
 */
export const readKeyFile = async (path: string, kind: KeyFileKind): Promise<Uint8Array | undefined> => {
  const text = await readSmallFile(path, { maxBytes: maxFileBytes });
  if (text === undefined) return undefined;
  const key = parseKeyFile(kind, text);
  if (key) return key;
  throw new AlthingError(
    'key-corrupt',
    `${path} is damaged: it does not hold a key with a matching checksum. Restore it from a backup; it was left as it is.`,
  );
};

/**
 * Writes a key file, mode 0600. Resolves to false, with nothing changed, where there is one and `replace` is false.
 * Throws `disk-full`, `home-read-only`, `disk-failed`.
 */
export const writeKeyFile = (
  path: string,
  kind: KeyFileKind,
  key: Uint8Array,
  options: { replace: boolean },
): Promise<boolean> => writeFileAtomic(path, formatKeyFile(kind, key), { mode: 0o600, ...options });
