/**
 * A folder of scripts for tests, and what became of them: log lines, failures, handles.
 * Relies on `startScript` and the in-memory Scripting API; removes everything when the test is over.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ScriptFailure,
  type ScriptHandle,
  type ScriptOptions,
  startScript,
} from '../adapters/script/start-script.ts';
import type { Logger } from '../core/logger.ts';
import { MemoryWot } from './memory-wot.ts';

/** One test's scripts. */
export class ScriptLab {
  readonly wot: MemoryWot;
  readonly failures: ScriptFailure[] = [];
  readonly lines: string[] = [];
  readonly folder: string;
  readonly #handles: ScriptHandle[] = [];

  /**
   * @param t the test, or the file with its `after`
   * @param wot that of another lab, for scripts that are to be beside its scripts
   */
  constructor(t: { after(release: () => Promise<void>): void }, wot = new MemoryWot()) {
    this.wot = wot;
    this.folder = mkdtempSync(join(tmpdir(), 'althing-script-'));
    t.after(async () => {
      await Promise.all(this.#handles.map((handle) => handle.stop()));
      rmSync(this.folder, { recursive: true });
    });
  }

  /** Writes a script into the folder. */
  write(name: string, source: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, source);
    return file;
  }

  /** Starts a script of this source. */
  async start(
    source: string,
    options: Partial<ScriptOptions> = {},
    name = 'script.js',
  ): Promise<ScriptHandle> {
    const handle = await startScript(this.wot, this.write(name, source), {
      logger: this.#logger(),
      onFailure: (failure) => this.failures.push(failure),
      restart: { firstMs: 20, maxMs: 100 },
      ...options,
    });
    this.#handles.push(handle);
    return handle;
  }

  #logger(): Logger {
    const keep = (_facts: object, message: string): void => {
      this.lines.push(message);
    };
    const logger = { debug: keep, info: keep, warn: keep, error: keep, child: (): Logger => logger };
    return logger;
  }
}
