/**
 * A few small files as one tar archive (POSIX ustar), and back: so that `tar` can read what a backup holds.
 * Relies on plain names of regular files alone; anything else in an archive is refused.
 */
import { AlthingError } from '../core/errors.ts';

/** One file: a plain name of at most 100 bytes, and its content. */
export interface TarEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const blockBytes = 512;
const plainName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** The archive of these files, mode 0600, of this time (ms since 1970). */
export const packTar = (entries: readonly TarEntry[], mtimeMs: number): Uint8Array => {
  const parts: Uint8Array[] = [];
  for (const { name, bytes } of entries) {
    const padding = new Uint8Array((blockBytes - (bytes.length % blockBytes)) % blockBytes);
    parts.push(header(name, bytes.length, mtimeMs), bytes, padding);
  }
  return Buffer.concat([...parts, new Uint8Array(2 * blockBytes)]);
};

const header = (name: string, size: number, mtimeMs: number): Buffer => {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'ascii');
  };
  block.write(name, 0, 'ascii');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.floor(mtimeMs / 1000), 136, 12);
  block.write('0', 156, 'ascii');
  block.write('ustar\x0000', 257, 'latin1');
  octal(checksumOf(block), 148, 7);
  block.write(' ', 155, 'ascii');
  return block;
};

/** The sum of all bytes, the checksum's own place taken as blanks. */
const checksumOf = (block: Uint8Array): number =>
  block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);

/** The files of an archive. Throws `backup-invalid` for anything but plain files with plain names, each once. */
export const unpackTar = (archive: Uint8Array): Map<string, Uint8Array> => {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  for (;;) {
    const block = Buffer.from(archive.subarray(at, at + blockBytes));
    if (block.length < blockBytes) throw invalid('it ends too early');
    if (block.every((byte) => byte === 0)) return files;
    const text = (from: number, to: number): string =>
      block.toString('latin1', from, to).replace(/\0.*$/s, '');
    const number = (from: number, to: number): number => Number.parseInt(text(from, to).trim() || '0', 8);
    const name = text(0, 100);
    const size = number(124, 136);
    const type = text(156, 157);
    if (number(148, 156) !== checksumOf(block)) throw invalid('a header is damaged');
    if (!plainName.test(name) || text(345, 500) !== '' || (type !== '0' && type !== '') || files.has(name))
      throw invalid(`it holds "${name}", which is no plain file of a home`);
    at += blockBytes;
    if (!Number.isSafeInteger(size) || at + size > archive.length) throw invalid('it ends too early');
    files.set(name, new Uint8Array(archive.subarray(at, at + size)));
    at += Math.ceil(size / blockBytes) * blockBytes;
  }
};

const invalid = (why: string): AlthingError =>
  new AlthingError('backup-invalid', `This is no backup of a home: ${why}.`);
