/**
 * Real peers in processes of their own, for tests: the program as people start it, on loopback, in temporary homes.
 * Relies on `bin/althing`; whatever it started is ended and whatever it wrote is removed by `close`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait-for.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const launcher = join(root, 'bin', 'althing');
const loopback = '127.0.0.1:0';
const keptStderrSize = 256 * 1024;
const keptLines = 10_000;
const startTimeoutMs = 60_000;
const commandTimeoutMs = 60_000;
const endTimeoutMs = 5000;

/** The ready line of `up --json`. */
export interface ReadyLine {
  readonly ready: true;
  readonly peer: string;
  readonly name: string;
  readonly fabric: string;
  readonly listen: readonly string[];
  readonly gateway: { readonly socket: string; readonly http: string | null };
}

/** How a process is started. */
export interface SpawnOptions {
  /** What the command is run with, such as `['ip', 'netns', 'exec', name]`; it must exec, so that the pid stays. */
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The node binary (default: the one that runs the test). */
  readonly node?: string;
}

/** How a peer is started. */
export interface PeerOptions extends SpawnOptions {
  /** An existing home; a new temporary one where there is none. */
  readonly home?: string;
  readonly name?: string;
  /** Default `127.0.0.1:0`: pass another one only inside a network namespace. */
  readonly listen?: string;
  /** Default false: pass true only inside a network namespace. */
  readonly mdns?: boolean;
  /** Whether the machine itself is exposed as a Thing (default false). */
  readonly system?: boolean;
  /** More arguments of `up`. */
  readonly args?: readonly string[];
}

/** What a finished command left behind. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON, or undefined where it is none. */
  readonly json: unknown;
  /** The `error` of stderr's JSON line, where there is one. */
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | undefined;
}

/** Processes and homes of one test. */
export class ProcessLab {
  readonly #running = new Set<LabProcess>();
  readonly #homes: string[] = [];
  readonly #killAll = () => {
    for (const running of this.#running) running.kill('SIGKILL');
  };

  constructor() {
    // A test run that dies leaves no process behind.
    process.on('exit', this.#killAll);
  }

  /**
   * A new home in a temporary directory, removed by `close`. Its configuration keeps whatever runs on it on loopback,
   * `join` included, unless `loopbackOnly` is false: that is for network namespaces only.
   */
  async makeHome({ loopbackOnly = true } = {}): Promise<string> {
    const home = await mkdtemp(join(tmpdir(), 'althing-lab-'));
    this.#homes.push(home);
    if (loopbackOnly) await writeFile(join(home, 'config.yaml'), `listen: ${loopback}\n`);
    return home;
  }

  /** Starts a peer and resolves when it is ready. Rejects with its stderr where it ends or never gets ready. */
  async startPeer(options: PeerOptions = {}): Promise<LabPeer> {
    const home = options.home ?? (await this.makeHome({ loopbackOnly: options.listen === undefined }));
    const peer = new LabPeer(this, home, options);
    await peer.start();
    return peer;
  }

  /** Runs one command (with `--json`) against a home until it ends. */
  async run(home: string, args: readonly string[], options: SpawnOptions = {}): Promise<CommandResult> {
    const child = this.spawnCommand(home, ['--json', ...args], options);
    await child.ended(commandTimeoutMs);
    const stdout = child.lines.join('\n');
    const lastLine = child.stderr.trimEnd().split('\n').at(-1) ?? '';
    const failure = parsed(lastLine) as { error?: CommandResult['error'] } | undefined;
    return {
      exitCode: child.exitCode,
      stdout,
      stderr: child.stderr,
      json: parsed(stdout),
      error: failure?.error,
    };
  }

  /** Starts any command of the program against a home, and leaves it running. */
  spawnCommand(home: string, args: readonly string[], options: SpawnOptions = {}): LabProcess {
    const command = [...(options.prefix ?? []), options.node ?? process.execPath, launcher, ...args];
    const env = {
      ...process.env,
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'althing-tests'),
      ...options.env,
      ALTHING_HOME: home,
    };
    const child = new LabProcess(command, env, () => this.#running.delete(child));
    this.#running.add(child);
    return child;
  }

  /** Ends every process and removes every temporary home. */
  async close(): Promise<void> {
    const running = [...this.#running];
    this.#killAll();
    await Promise.all(running.map((child) => child.ended(endTimeoutMs)));
    process.off('exit', this.#killAll);
    await Promise.all(this.#homes.map((home) => rm(home, { recursive: true, force: true })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller looks at the text.
    return undefined;
  }
};

/** One process with its output. */
export class LabProcess {
  /** Whole lines of stdout so far, the newest 10 000. */
  readonly lines: string[] = [];
  /** The end of stderr so far. */
  stderr = '';
  readonly #child: ChildProcess;
  readonly #command: string;
  #closed = false;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv, onEnd: () => void) {
    this.#command = command.join(' ');
    this.#child = spawn(command[0]!, command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.lines.push(line);
      if (this.lines.length > keptLines) this.lines.shift();
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-keptStderrSize);
    });
    this.#child.on('error', (error) => {
      this.stderr += error.message;
      this.#closed = true;
      onEnd();
    });
    this.#child.on('close', () => {
      this.#closed = true;
      onEnd();
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#command} did not start: ${this.stderr}`);
    return this.#child.pid;
  }

  /** Null while it runs and where a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** The signal that ended it. */
  get signal(): NodeJS.Signals | null {
    return this.#child.signalCode;
  }

  /** Whether it has ended and all its output has been read. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** stdout's lines as JSON. */
  get values(): unknown[] {
    return this.lines.map((line) => JSON.parse(line) as unknown);
  }

  /** Sends a signal to this process alone. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended; rejects with its stderr at the deadline. */
  async ended(timeoutMs: number = endTimeoutMs): Promise<void> {
    await waitFor(() => this.#closed, { timeoutMs, what: () => this.describe('to end') });
  }

  /** For messages: what was waited for, the command and the end of stderr. */
  describe(what: string): string {
    return `${this.#command} ${what}; its stderr:\n${this.stderr || '(empty)'}`;
  }
}

/** A peer in a process of its own. */
export class LabPeer {
  readonly home: string;
  readonly #lab: ProcessLab;
  readonly #options: PeerOptions;
  #process: LabProcess | undefined;
  #ready: ReadyLine | undefined;

  constructor(lab: ProcessLab, home: string, options: PeerOptions) {
    this.#lab = lab;
    this.home = home;
    this.#options = options;
  }

  /** What it said when it was ready last. */
  get ready(): ReadyLine {
    if (this.#ready === undefined) throw new Error('The peer was never ready.');
    return this.#ready;
  }

  get process(): LabProcess {
    if (this.#process === undefined) throw new Error('The peer was never started.');
    return this.#process;
  }

  get id(): string {
    return this.ready.peer;
  }

  /** Starts the process and waits for its ready line. */
  async start(): Promise<void> {
    const { name, listen = loopback, mdns = false, system = false, args = [] } = this.#options;
    const flags = ['--json', '--listen', listen];
    if (name !== undefined) flags.push('--name', name);
    if (!mdns) flags.push('--no-mdns');
    if (!system) flags.push('--no-system');
    const started = this.#lab.spawnCommand(this.home, ['up', ...flags, ...args], this.#options);
    this.#process = started;
    const line = await waitFor(() => started.lines[0] ?? (started.isClosed && 'ended'), {
      timeoutMs: startTimeoutMs,
      what: () => started.describe('to be ready'),
    });
    if (line === 'ended')
      throw new Error(
        started.describe(`ended with ${started.exitCode ?? started.signal} before it was ready`),
      );
    this.#ready = JSON.parse(line) as ReadyLine;
  }

  /** Sends a signal and waits for the end of the process. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.process.ended();
  }

  /** Kills the process (SIGKILL unless told otherwise) and starts it again on the same home. */
  async restart(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.process.isClosed) await this.kill(signal);
    await this.start();
  }

  /** Runs a command against this peer and gives back all that it left. */
  run(...args: string[]): Promise<CommandResult> {
    return this.#lab.run(this.home, args, this.#options);
  }

  /** Runs a command that must succeed; resolves with its JSON. */
  async cli(...args: string[]): Promise<unknown> {
    const result = await this.run(...args);
    if (result.exitCode !== 0)
      throw new Error(`althing ${args.join(' ')} exited with ${result.exitCode}: ${result.stderr}`);
    return result.json;
  }

  /** Starts a command that streams (`observe`, `subscribe`); its `values` grow as lines come. */
  stream(...args: string[]): LabProcess {
    return this.#lab.spawnCommand(this.home, ['--json', ...args], this.#options);
  }
}
