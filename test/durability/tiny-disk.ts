/**
 * A small file system of a test's own, in a mount namespace that ends with the test: to be filled up and made read-only.
 * Relies on Linux, root, `unshare`, `nsenter` and tmpfs; `whyNot` says where a test must be skipped.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why no such disk can be made here; false where it can. */
export const whyNot = ((): string | false => {
  if (process.getuid?.() !== 0) return 'needs root for a file system of its own';
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs unshare (util-linux) and the right to mount';
  }
})();

/** A tmpfs that only the processes started with `prefix` see, at `home`. */
export class TinyDisk {
  readonly home: string;
  /** What a command is run with to see the disk; it execs, so that the pid stays. */
  readonly prefix: readonly string[];
  readonly #holder: ChildProcess;

  private constructor(home: string, holder: ChildProcess) {
    this.home = home;
    this.#holder = holder;
    this.prefix = ['nsenter', '--target', String(holder.pid), '--mount', '--'];
  }

  /** Makes one of this size. Call `close`. */
  static async make(sizeBytes: number): Promise<TinyDisk> {
    const home = mkdtempSync(join(tmpdir(), 'althing-disk-'));
    const script = `mount -t tmpfs -o size=${sizeBytes},mode=700 tmpfs "$1" && echo ready && exec sleep infinity`;
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', home], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await Promise.race([
      once(holder.stdout!, 'data'),
      once(holder, 'exit').then(() => {
        throw new Error('The disk could not be mounted.');
      }),
    ]);
    return new TinyDisk(home, holder);
  }

  /** Where this process sees what is on the disk. */
  path(name: string): string {
    return `/proc/${this.#holder.pid}/root${join(this.home, name)}`;
  }

  /** Fills all that is free, to the last page. */
  fill(): void {
    this.#run(`cat /dev/zero > "${this.home}/ballast" 2>/dev/null || true`);
  }

  /** Frees what `fill` took. */
  free(): void {
    this.#run(`rm -f "${this.home}/ballast"`);
  }

  /** Makes the disk read-only or writable. Fails while a process has a file on it open for writing. */
  remount(how: 'ro' | 'rw'): void {
    this.#run(`mount -o remount,${how} "${this.home}"`);
  }

  async close(): Promise<void> {
    const gone = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await gone;
    rmSync(this.home, { recursive: true, force: true });
  }

  #run(script: string): void {
    const [command, ...args] = this.prefix;
    execFileSync(command!, [...args, 'sh', '-c', script]);
  }
}
