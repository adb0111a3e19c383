/**
 * Runs one `--things FILE` for as long as the peer wants it: starts it again when it fails, and takes nothing else along.
 * Relies on `script-process.ts` for one run and on `script-things.ts` for what outlives it.
 */
import { AlthingError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Wot } from '../../thing/scripting-api.ts';
import { resolveScript, scriptName } from './script-permissions.ts';
import { type RunEnd, type RunLimits, type ScriptFailureReason, ScriptRun } from './script-process.ts';
import { ScriptThings } from './script-things.ts';

/** What `onFailure` is told about a run that failed. */
export interface ScriptFailure {
  /** The script's real path. */
  readonly script: string;
  readonly reason: ScriptFailureReason;
  /** The process's exit code, null where a signal ended it. */
  readonly code: number | null;
  /** What happened, for people. */
  readonly message: string;
  /** Milliseconds until it is started again, null where it is not. */
  readonly restartMs: number | null;
}

export interface ScriptOptions {
  readonly logger: Logger;
  readonly onFailure?: (failure: ScriptFailure) => void;
  /** Directories that no script may read, although they lie in its folder: the peer's home. */
  readonly protect?: readonly string[];
  /** Resident memory of its process, in bytes (default 256 MiB). */
  readonly memoryLimitBytes?: number;
  /** V8's old space, in MiB (default 128). */
  readonly heapMib?: number;
  /** How long it may go without answering, in milliseconds (default 5 000). */
  readonly hangTimeoutMs?: number;
  /** Requests and notices a second (default 2 000). */
  readonly messagesPerSecond?: number;
  /** How long `startScript` waits for the first pass, in milliseconds (default 10 000). */
  readonly startTimeoutMs?: number;
  /** Go on trying where the first run fails, instead of rejecting (default false). */
  readonly keepTrying?: boolean;
  readonly restart?: Partial<RestartPolicy>;
  /** Stops it, as `stop` does. */
  readonly signal?: AbortSignal;
}

/** When a script that failed is started again. Times in milliseconds. */
export interface RestartPolicy {
  /** Before the first restart; doubles with every failure in a row (default 500). */
  readonly firstMs: number;
  /** At most (default 60 000). */
  readonly maxMs: number;
  /** A run of this length was a healthy one: the next failure counts as the first (default 60 000). */
  readonly healthyMs: number;
}

/** `starting`: its first pass runs. `waiting`: it failed and will be started again. */
export type ScriptState = 'starting' | 'running' | 'waiting' | 'stopped';

/** A script under supervision. */
export interface ScriptHandle {
  /** The script's real path. */
  readonly script: string;
  readonly state: ScriptState;
  /** Its process, where there is one. */
  readonly pid: number | undefined;
  /** Ends the process and destroys the script's Things. */
  stop(): Promise<void>;
}

const defaultRestart: RestartPolicy = { firstMs: 500, maxMs: 60_000, healthyMs: 60_000 };

/** Milliseconds to wait after so many failures in a row (1 or more). */
export const restartDelayMs = (failures: number, { firstMs, maxMs }: RestartPolicy): number =>
  Math.min(maxMs, firstMs * 2 ** (failures - 1));

/**
 * Starts a script (.js, .mjs, .cjs, .ts): a module whose default export is `async (wot) => void`, or one that uses the
 * global `WoT`. Resolves when its top level and default export are through, or still run after `startTimeoutMs`.
 * Rejects with `bad-input` where there is no such script, with `script-failed` where the first run fails (it is not
 * tried again then, unless `keepTrying`), with `cancelled` where the signal is aborted meanwhile. Later failures are
 * told to `onFailure` and the log, and it is started again after 0.5 s, 1 s, 2 s and so on up to 60 s. Its Things stay
 * known all the while; requests to them fail as `script-failed`.
 */
export const startScript = async (wot: Wot, file: string, options: ScriptOptions): Promise<ScriptHandle> => {
  if (options.signal?.aborted) throw cancelled(file);
  const script = new SupervisedScript(wot, resolveScript(file), options);
  await script.start();
  return script;
};

class SupervisedScript implements ScriptHandle {
  readonly script: string;
  readonly #wot: Wot;
  readonly #options: ScriptOptions;
  readonly #logger: Logger;
  readonly #limits: RunLimits;
  readonly #restart: RestartPolicy;
  readonly #things: ScriptThings;
  #state: ScriptState = 'starting';
  #run: ScriptRun | undefined;
  #failures = 0;
  /** Whether `startScript` has resolved: from then on failures are only told. */
  #handedOver = false;
  #timer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor(wot: Wot, script: string, options: ScriptOptions) {
    this.script = script;
    this.#wot = wot;
    this.#options = options;
    this.#logger = options.logger.child({ script: scriptName(script) });
    this.#limits = {
      memoryLimitBytes: options.memoryLimitBytes ?? 256 * 1024 * 1024,
      heapMib: options.heapMib ?? 128,
      hangTimeoutMs: options.hangTimeoutMs ?? 5000,
      messagesPerSecond: options.messagesPerSecond ?? 2000,
      protect: options.protect ?? [],
    };
    this.#restart = { ...defaultRestart, ...options.restart };
    this.#things = new ScriptThings(wot, this.#logger);
  }

  get state(): ScriptState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  async start(): Promise<void> {
    const { signal, startTimeoutMs = 10_000, keepTrying = false } = this.#options;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    const run = this.#newRun();
    this.#follow(run);
    const first = await new Promise<RunEnd | undefined>((resolve) => {
      const slow = setTimeout(() => resolve(undefined), startTimeoutMs);
      Promise.race([run.started, run.ended]).then((end) => {
        clearTimeout(slow);
        resolve(end ?? undefined);
      });
    });
    if (signal?.aborted) {
      await this.stop();
      throw cancelled(this.script);
    }
    if (first === undefined || keepTrying) {
      this.#handedOver = true;
      return;
    }
    await this.stop();
    throw new AlthingError(
      'script-failed',
      `${this.script} failed: ${first.message}. See its output in the log.`,
      {
        details: { reason: first.reason, code: first.code },
      },
    );
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  readonly #onAbort = (): void => {
    this.stop().catch((error: Error) =>
      this.#logger.error({ error: error.message }, 'Stopping a script failed.'),
    );
  };

  async #stop(): Promise<void> {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    await this.#run?.stop();
    await this.#things.removeAll();
  }

  #newRun(): ScriptRun {
    const name = scriptName(this.script);
    return new ScriptRun(this.script, name, this.#wot, this.#things, this.#logger, this.#limits);
  }

  #follow(run: ScriptRun): void {
    const startedAt = performance.now();
    this.#run = run;
    this.#state = 'starting';
    run.started.then(() => {
      if (this.#state === 'starting') this.#state = 'running';
    });
    this.#timer = setTimeout(() => this.#healthy(), this.#restart.healthyMs);
    run.ended.then((end) => {
      clearTimeout(this.#timer);
      this.#run = undefined;
      if (!this.#stopping) this.#failed(end, performance.now() - startedAt);
    });
  }

  #runAgain(): void {
    try {
      this.#follow(this.#newRun());
    } catch (error) {
      // Its folder is gone, or the machine has no process left to give: tried again later like any other failure.
      const message = `it could not be started: ${(error as Error).message}`;
      this.#failed({ reason: 'exited', code: null, signal: null, message }, 0);
    }
  }

  /** Things that the present run has not produced again by now are gone for good. */
  #healthy(): void {
    this.#failures = 0;
    this.#things
      .removeLeft()
      .catch((error: Error) => this.#logger.error({ error: error.message }, 'Destroying a Thing failed.'));
  }

  #failed({ reason, code, message }: RunEnd, ranMs: number): void {
    this.#failures = ranMs >= this.#restart.healthyMs ? 1 : this.#failures + 1;
    const again = this.#handedOver || this.#options.keepTrying === true;
    const restartMs = again ? restartDelayMs(this.#failures, this.#restart) : null;
    this.#state = 'waiting';
    this.#logger.error({ reason, code, restartMs }, `The script failed: ${message}.`);
    if (restartMs !== null) this.#timer = setTimeout(() => this.#runAgain(), restartMs);
    this.#options.onFailure?.({ script: this.script, reason, code, message, restartMs });
  }
}

const cancelled = (file: string): AlthingError =>
  new AlthingError('cancelled', `The start of ${file} was given up.`);
