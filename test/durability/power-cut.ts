/**
 * Cuts the power of a process that was journalled: rebuilds its directory with all that was synced and a part of the rest.
 * Relies on `power-shim.c`, compiled here by `gcc`, and on the strict reading of POSIX: names last only once their
 * directory was synced, bytes once their file was; of everything else any part may be there, down to single sectors.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Why no power can be cut here; false where it can. */
export const whyNot = ((): string | false => {
  if (process.platform !== 'linux') return 'needs Linux and LD_PRELOAD';
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return existsSync('/usr/include/stdlib.h') ? false : 'needs the headers of the C library (libc6-dev)';
  } catch {
    return 'needs a C compiler (gcc)';
  }
})();

const sectorBytes = 512;

interface Operation {
  readonly kind: number;
  readonly file: number;
  readonly offset: number;
  readonly bytes: Buffer;
}

const kinds = {
  create: 1,
  write: 2,
  truncate: 3,
  rename: 4,
  unlink: 5,
  sync: 6,
  link: 7,
  syncDir: 8,
} as const;

/** A directory below which everything is journalled, and what a failing disk needs. */
export class PowerLab {
  readonly dir: string;
  readonly #work: string;

  constructor() {
    this.#work = mkdtempSync(join(tmpdir(), 'althing-power-'));
    this.dir = join(this.#work, 'home');
    mkdirSync(this.dir, { mode: 0o700 });
    const source = fileURLToPath(new URL('power-shim.c', import.meta.url));
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', join(this.#work, 'shim.so'), source, '-lpthread']);
  }

  /** The environment of the process to be journalled. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: join(this.#work, 'shim.so'),
      ALTHING_POWER_DIR: this.dir,
      ALTHING_POWER_JOURNAL: join(this.#work, 'journal'),
      ALTHING_POWER_FAULT: join(this.#work, 'fault'),
    };
  }

  /** From now on every write below the directory fails with this errno, until it is null. */
  failWith(errno: number | null): void {
    if (errno === null) rmSync(join(this.#work, 'fault'), { force: true });
    else writeFileSync(join(this.#work, 'fault'), String(errno));
  }

  /** What was done, in its order. */
  journal(): Journal {
    return new Journal(this.dir, readFileSync(join(this.#work, 'journal')));
  }

  /** A new directory beside the journalled one. */
  newDir(): string {
    return mkdtempSync(join(this.#work, 'cut-'));
  }

  close(): void {
    rmSync(this.#work, { recursive: true, force: true });
  }
}

/** Everything that one process did to the files of a directory. */
export class Journal {
  readonly operations: readonly Operation[];
  readonly #root: string;

  constructor(root: string, bytes: Buffer) {
    this.#root = root;
    const operations: Operation[] = [];
    for (let at = 0; at + 24 <= bytes.length; ) {
      const length = bytes.readUInt32LE(at + 16);
      operations.push({
        kind: bytes.readUInt32LE(at),
        file: bytes.readUInt32LE(at + 4),
        offset: Number(bytes.readBigUInt64LE(at + 8)),
        bytes: bytes.subarray(at + 24, at + 24 + length),
      });
      at += 24 + length;
    }
    this.operations = operations;
  }

  /** What had been written, synced or not, to the file of this name before the cut. */
  written(name: string, cut: number): string {
    const path = join(this.#root, name);
    const before = this.operations.slice(0, cut);
    const file = before.find(({ kind, bytes }) => kind === kinds.create && String(bytes) === path)?.file;
    return before
      .filter((one) => one.kind === kinds.write && one.file === file)
      .map(({ bytes }) => String(bytes))
      .join('');
  }

  /** Writes into `target` what may be on the disk when the power goes after `cut` operations. */
  rebuild(target: string, cut: number, random: () => number): void {
    const disk = new Disk(random);
    for (const operation of this.operations.slice(0, cut)) disk.do(operation);
    for (const [path, content] of disk.afterCut()) {
      const to = join(target, relative(this.#root, path));
      mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
      writeFileSync(to, content, { mode: 0o600 });
    }
  }
}

/** The bytes of one file; what was cut off and grows again is zero. */
class Content {
  #buffer = Buffer.alloc(64 * 1024);
  #length = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  resize(length: number): void {
    if (length > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(length, 2 * this.#buffer.length));
      this.bytes.copy(grown);
      this.#buffer = grown;
    }
    if (length < this.#length) this.#buffer.fill(0, length, this.#length);
    this.#length = length;
  }

  write(offset: number, bytes: Buffer): void {
    this.resize(Math.max(this.#length, offset + bytes.length));
    bytes.copy(this.#buffer, offset);
  }
}

/** A disk that keeps what is synced, and of the rest what chance leaves. */
class Disk {
  readonly #random: () => number;
  readonly #content = new Map<number, Content>();
  readonly #pendingContent = new Map<number, Operation[]>();
  #names = new Map<string, number>();
  #pendingNames: Operation[] = [];
  /** The names as the process sees them. */
  readonly #seen = new Map<string, number>();

  constructor(random: () => number) {
    this.#random = random;
  }

  do(operation: Operation): void {
    const { kind, file, bytes } = operation;
    if (kind === kinds.write || kind === kinds.truncate) {
      const pending = this.#pendingContent.get(file) ?? [];
      pending.push(operation);
      this.#pendingContent.set(file, pending);
    } else if (kind === kinds.sync) {
      for (const one of this.#pendingContent.get(file) ?? []) this.#write(one);
      this.#pendingContent.delete(file);
    } else if (kind === kinds.syncDir) {
      const isIn = (one: Operation): boolean => pathsOf(one).some((path) => dirname(path) === String(bytes));
      for (const one of this.#pendingNames.filter(isIn)) this.#name(this.#names, one);
      this.#pendingNames = this.#pendingNames.filter((one) => !isIn(one));
    } else {
      // Which file a name stands for is fixed now: what chance leaves out later must not change that.
      const [from = ''] = pathsOf(operation);
      const meant = kind === kinds.create ? file : (this.#seen.get(from) ?? 0);
      const fixed = { ...operation, file: meant };
      this.#name(this.#seen, fixed);
      this.#pendingNames.push(fixed);
    }
  }

  afterCut(): Map<string, Buffer> {
    for (const pending of this.#pendingContent.values())
      for (const one of pending) if (this.#random() < 0.5) this.#write(this.#torn(one));
    const names = new Map(this.#names);
    for (const one of this.#pendingNames) if (this.#random() < 0.5) this.#name(names, one);
    return new Map([...names].map(([path, file]) => [path, this.#contentOf(file).bytes]));
  }

  /** A write of which only some sectors reach the disk. */
  #torn(operation: Operation): Operation {
    if (operation.kind !== kinds.write || this.#random() < 0.5) return operation;
    const { file, offset, bytes } = operation;
    const torn = Buffer.from(bytes);
    const before = this.#contentOf(file).bytes;
    for (let at = 0; at < torn.length; at += sectorBytes)
      if (this.#random() < 0.5)
        for (let i = at; i < Math.min(at + sectorBytes, torn.length); i++) torn[i] = before[offset + i] ?? 0;
    return { ...operation, bytes: torn };
  }

  #write({ kind, file, offset, bytes }: Operation): void {
    const content = this.#contentOf(file);
    if (kind === kinds.truncate) content.resize(offset);
    else content.write(offset, bytes);
  }

  #contentOf(file: number): Content {
    const content = this.#content.get(file) ?? new Content();
    this.#content.set(file, content);
    return content;
  }

  #name(names: Map<string, number>, operation: Operation): void {
    const { kind, file } = operation;
    const [from = '', to = ''] = pathsOf(operation);
    if (kind === kinds.create) names.set(from, file);
    if (kind === kinds.unlink) names.delete(from);
    if (kind === kinds.link || kind === kinds.rename) names.set(to, file);
    if (kind === kinds.rename && names.get(from) === file) names.delete(from);
  }
}

const pathsOf = ({ bytes }: Operation): string[] => String(bytes).split('\0');
