/**
 * A short append-only file whose entries have reached the operating system when a call returns: a dying process loses none.
 * Relies on synchronous writes of some microseconds into the page cache; nothing here waits for a disk, so that a loss of
 * power may lose, tear or bring back any of it. A checksum ends the reading where an entry is not whole.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { storeError } from './store-error.ts';

const headBytes = 8;
const bootIdPath = '/proc/sys/kernel/random/boot_id';

/** What names this start of the machine (Linux, random(4)); undefined elsewhere. */
export const bootId = (): string | undefined => {
  try {
    return readFileSync(bootIdPath, 'latin1').trim() || undefined;
  } catch {
    // No Linux, or a sandbox that does not show it: whoever asks takes every start for one after a loss of power.
    return undefined;
  }
};

/** The journal in one file, mode 0600, of this process alone. Throws `disk-full`, `home-read-only`, `disk-failed`. */
export class JournalFile {
  readonly boot: string | undefined;
  readonly #path: string;
  #fd: number | undefined;
  #first = 0;
  #size = 0;

  constructor(path: string, boot: string | undefined = bootId()) {
    this.#path = path;
    this.boot = boot;
  }

  get sizeBytes(): number {
    return this.#size;
  }

  read(token: string): Uint8Array[] | undefined {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw storeError(error, this.#path);
    }
    const head = headOf(token);
    if (bytes.compare(head, 0, head.length, 0, Math.min(head.length, bytes.length)) !== 0) return undefined;
    const entries: Uint8Array[] = [];
    for (let at = head.length; at + headBytes <= bytes.length; ) {
      const from = at + headBytes;
      const to = from + bytes.readUInt32LE(at);
      const entry = bytes.subarray(from, to);
      if (to > bytes.length || crc32(entry) !== bytes.readUInt32LE(at + 4)) break;
      entries.push(entry);
      at = to;
    }
    return entries;
  }

  begin(token: string): void {
    try {
      this.#fd ??= openSync(this.#path, 'a', 0o600);
      this.#cut(0);
      this.#write(headOf(token));
      this.#first = this.#size;
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  append(entry: Uint8Array): void {
    const bytes = Buffer.allocUnsafe(headBytes + entry.length);
    bytes.writeUInt32LE(entry.length, 0);
    bytes.writeUInt32LE(crc32(entry), 4);
    bytes.set(entry, headBytes);
    try {
      this.#write(bytes);
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  clear(): void {
    if (this.#fd === undefined || this.#size === this.#first) return;
    try {
      this.#cut(this.#first);
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #cut(size: number): void {
    ftruncateSync(this.#fd!, size);
    this.#size = size;
  }

  /** All of it, or it throws: a disk that becomes full takes a part. */
  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(this.#fd!, bytes, at);
      at += written;
      this.#size += written;
    }
  }
}

const headOf = (token: string): Buffer => Buffer.from(`althing-journal-1 ${token}\n`, 'latin1');
