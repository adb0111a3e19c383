/**
 * One run of a script: its process, its heartbeat, its memory, and why it ended.
 * Relies on the permission flags for what it may do; every bound that is crossed ends the process, and only it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { AlthingError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Wot } from '../../thing/scripting-api.ts';
import { type HostLink, ScriptHost } from './script-host.ts';
import { ScriptLink } from './script-link.ts';
import { checkChildMessage } from './script-message-schema.ts';
import { type ChildNotice, channelLimits } from './script-messages.ts';
import { readOutput } from './script-output.ts';
import { childEntry, nodeFlags, scriptEnvironment } from './script-permissions.ts';
import type { ScriptThings } from './script-things.ts';
import { TokenBucket } from './token-bucket.ts';

/** Why a run ended: by the script (`threw`, `exited`), or by the host that ended it. */
export type ScriptFailureReason = 'threw' | 'exited' | 'hung' | 'flooded' | 'grew' | 'broke-protocol';

/** How a run ended. `code` and `signal` are the process's. */
export interface RunEnd {
  readonly reason: ScriptFailureReason;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly message: string;
}

/** Bounds on one run. */
export interface RunLimits {
  /** Resident memory, in bytes. */
  readonly memoryLimitBytes: number;
  /** V8's old space, in MiB. */
  readonly heapMib: number;
  /** Milliseconds without an answer after which a script counts as hung; four times that before its first answer. */
  readonly hangTimeoutMs: number;
  /** Requests and notices a second that a script may send; faster ones are read later. */
  readonly messagesPerSecond: number;
  /** Directories that it must never read. */
  readonly protect: readonly string[];
}

const heartbeatMs = 1000;
/** A process that starts on a busy machine is given so many times as long to answer for the first time. */
const startPatience = 4;
const pageBytes = 4096;
/** What V8 writes before it aborts; a stack trace of any length follows. */
const v8OutOfHeap = /heap limit|out of memory/i;
/** How long a process may take to end by itself before it is killed. */
const stopTimeoutMs = 1000;

/** Processes that must not outlive this one, however it ends. One that runs notices by itself, one that hangs does not. */
const alive = new Set<ChildProcess>();
const killAlive = (): void => {
  for (const child of alive) child.kill('SIGKILL');
};
const remember = (child: ChildProcess): void => {
  if (alive.size === 0) process.once('exit', killAlive);
  alive.add(child);
};
const forget = (child: ChildProcess): void => {
  alive.delete(child);
  if (alive.size === 0) process.removeListener('exit', killAlive);
};

/** A started process. */
export class ScriptRun {
  readonly pid: number | undefined;
  /** Resolves when the script's first pass is through; never rejects. */
  readonly started: Promise<void>;
  /** Resolves when the process is gone; never rejects. */
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  readonly #link: HostLink;
  readonly #limits: RunLimits;
  #heartbeat: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #hasAnswered = false;
  #why: { reason: ScriptFailureReason; message: string } | undefined;
  #fatal: string | undefined;
  #ranOutOfHeap = false;
  #markStarted: () => void = () => {};

  /** Starts the script at a real path; what it asks for goes to `wot`, its Things are kept in `kept`. */
  constructor(file: string, name: string, wot: Wot, kept: ScriptThings, logger: Logger, limits: RunLimits) {
    this.#limits = limits;
    this.started = new Promise((resolve) => {
      this.#markStarted = resolve;
    });
    const entryAndFile = [childEntry, file];
    this.#child = spawn(process.execPath, [...nodeFlags(file, limits), ...entryAndFile], {
      cwd: dirname(file),
      env: scriptEnvironment(process.env),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.pid = this.#child.pid;
    this.#readOutputs(logger);

    const bucket = new TokenBucket(limits.messagesPerSecond, limits.messagesPerSecond, () =>
      performance.now(),
    );
    const stream = this.#child.stdio[3] as Duplex;
    this.#link = new ScriptLink(stream, {
      maxInBytes: channelLimits.fromChildBytes,
      maxOutBytes: channelLimits.fromHostBytes,
      maxWaiting: 0,
      lost: new AlthingError('script-failed', `The script ${name} ended before it answered.`),
      check: checkChildMessage,
      onRequest: (request, signal) => host.request(request, signal),
      onNotice: (notice) => this.#take(notice, host),
      onBroken: (error) => this.#broke(error),
      delayMs: () => bucket.take(),
    });
    const host = new ScriptHost(wot, kept, this.#link, logger);
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null, spawnError?: Error): void => {
        clearInterval(this.#heartbeat);
        forget(this.#child);
        this.#link.close();
        host.end();
        resolve(this.#endOf(code, signal, spawnError));
      };
      this.#child.once('error', (error) => end(null, null, error));
      // Not 'exit': what it still wrote tells why it ended.
      this.#child.once('close', (code, signal) => end(code, signal));
    });
    this.#watch();
  }

  /** Ends the process; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs);
    await this.ended;
    clearTimeout(late);
  }

  #take(notice: ChildNotice, host: ScriptHost): void {
    // Whatever it says shows that it runs: what hangs from now on hangs.
    this.#hasAnswered = true;
    if (notice.topic === 'started') this.#markStarted();
    else if (notice.topic === 'fatal') this.#fatal = notice.params.message;
    else if (notice.topic === 'flooded')
      this.#kill('flooded', `it had more than ${channelLimits.waitingRequests} requests waiting at once`);
    else if (notice.topic === 'pong') this.#unanswered = 0;
    else host.notice(notice);
  }

  #broke(error: AlthingError | undefined): void {
    // The process has closed the channel, and is ending or does nothing useful any more.
    if (error === undefined) this.#child.kill('SIGKILL');
    else this.#kill(error.code === 'rate-limited' ? 'flooded' : 'broke-protocol', error.message);
  }

  #kill(reason: ScriptFailureReason, message: string): void {
    this.#why ??= { reason, message };
    this.#child.kill('SIGKILL');
  }

  #readOutputs(logger: Logger): void {
    const { stdout, stderr } = this.#child;
    const dropped = (lines: number) =>
      logger.warn({ lines }, `The script prints too much: ${lines} lines were left out.`);
    readOutput(stdout!, (line) => logger.info({ output: 'stdout' }, line), dropped);
    const onError = (line: string): void => {
      this.#ranOutOfHeap ||= v8OutOfHeap.test(line);
      logger.warn({ output: 'stderr' }, line);
    };
    readOutput(stderr!, onError, dropped);
  }

  /** Counts beats, not time: after a suspend of the whole machine the script gets its chance to answer. */
  #watch(): void {
    preferForOom(this.pid);
    remember(this.#child);
    const beatMs = Math.min(heartbeatMs, this.#limits.hangTimeoutMs / 5);
    const allowed = Math.ceil(this.#limits.hangTimeoutMs / beatMs);
    this.#heartbeat = setInterval(() => {
      const patience = this.#hasAnswered ? 1 : startPatience;
      if (this.#unanswered++ >= allowed * patience)
        return this.#kill('hung', `it has not answered for ${this.#limits.hangTimeoutMs * patience} ms`);
      const rssBytes = residentBytes(this.pid);
      const { memoryLimitBytes } = this.#limits;
      if (rssBytes > memoryLimitBytes)
        return this.#kill(
          'grew',
          `it uses ${mib(rssBytes)} MiB of memory, ${mib(memoryLimitBytes)} are allowed`,
        );
      this.#ping();
    }, beatMs);
  }

  #ping(): void {
    try {
      this.#link.notify({ topic: 'ping', params: {} });
    } catch {
      // It does not read what it was sent: it will not answer, and that is counted.
    }
  }

  #endOf(code: number | null, signal: NodeJS.Signals | null, spawnError?: Error): RunEnd {
    const how = signal ? `ended by ${signal}` : `exited with code ${code}`;
    if (spawnError)
      return { reason: 'exited', code, signal, message: `it could not be started: ${spawnError.message}` };
    if (this.#why) return { ...this.#why, code, signal };
    if (this.#ranOutOfHeap)
      return {
        reason: 'grew',
        code,
        signal,
        message: `it needs more than ${this.#limits.heapMib} MiB of heap`,
      };
    if (this.#fatal !== undefined) return { reason: 'threw', code, signal, message: this.#fatal };
    return { reason: 'exited', code, signal, message: `it ${how}` };
  }
}

const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024);

/** Resident memory out of /proc (proc(5), statm); 0 where there is no /proc. */
const residentBytes = (pid: number | undefined): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes;
  } catch {
    // Another operating system, or the process has just ended: V8's own limit still holds.
    return 0;
  }
};

/** Where memory runs out all of a sudden, the kernel takes a script before it takes the peer (proc(5)). */
const preferForOom = (pid: number | undefined): void => {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // Not Linux, or not allowed: the watch on its memory is there all the same.
  }
};
