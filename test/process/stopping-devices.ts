/**
 * Devices that a test stops at a moment of a firing and kills there: the test's side of `fixtures/stopping-device.ts`.
 * Relies on real processes on loopback; each ends with the test.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../src/testing/wait-for.ts';

const program = fileURLToPath(new URL('./fixtures/stopping-device.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const patience = { timeoutMs: 60_000 };

/** What a Thing of a device did for a rule. */
export interface Deed {
  readonly rule: string;
  readonly value: number;
}

/** One device, a process at a time. */
export class StoppingDevice {
  readonly name: string;
  readonly #titles: readonly string[];
  #home = '';
  #id = '';
  #child: ChildProcess | undefined;
  #stderr = '';
  #calls = 0;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  /** Where firings stand, as `rule at`. */
  readonly #reached = new Set<string>();

  constructor(name: string, ...titles: string[]) {
    this.name = name;
    this.#titles = titles;
  }

  get id(): string {
    return this.#id;
  }

  /** Starts the process, the first time on a new home. */
  async start(): Promise<void> {
    this.#home ||= await mkdtemp(join(tmpdir(), 'althing-stopping-'));
    const child = fork(program, [this.#home, this.name, ...this.#titles], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'althing-tests'),
      },
    });
    this.#child = child;
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-64_000);
    });
    const ready = Promise.withResolvers<string>();
    child.on('message', (message: Record<string, unknown>) => {
      if (typeof message.ready === 'string') ready.resolve(message.ready);
      else if (typeof message.at === 'string') this.#reached.add(`${message.rule} ${message.at}`);
      else this.#answered(message as { id: number; answer?: unknown; error?: string });
    });
    child.on('exit', () => {
      const gone = new Error(`${this.name} ended: ${this.#stderr}`);
      ready.reject(gone);
      for (const { reject } of this.#waiting.values()) reject(gone);
      this.#waiting.clear();
    });
    this.#id = await ready.promise;
  }

  /** Kills the process, `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child!;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    this.#child = undefined;
    this.#reached.clear();
  }

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  /** Calls what the device offers the test. */
  call<T = unknown>(name: string, ...given: unknown[]): Promise<T> {
    const id = ++this.#calls;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#child!.send({ id, call: name, given });
    return answer.promise as Promise<T>;
  }

  /** Firings of these rules stand still at these points, and are told, until `release`. */
  async hold(points: Readonly<Record<string, readonly string[]>>): Promise<void> {
    this.#reached.clear();
    await this.call('hold', points);
  }

  /** Whether a firing of the rule has come to the point at this device since `hold`. */
  hasReached(rule: string, point: string): boolean {
    return this.#reached.has(`${rule} ${point}`);
  }

  /** Whatever its Things did for rules, over all its processes. */
  async deeds(): Promise<Deed[]> {
    try {
      const lines = (await readFile(join(this.#home, 'deeds'), 'utf8')).trimEnd().split('\n');
      return lines.map((line) => JSON.parse(line) as Deed);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.isUp) await this.kill();
    if (this.#home) await rm(this.#home, { recursive: true, force: true });
  }

  #answered({ id, answer, error }: { id: number; answer?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }
}

/** Makes one fabric of these devices, in the zone UTC; resolves when each is in session with each and knows all Things. */
export const formFabric = async (devices: readonly StoppingDevice[], things: number): Promise<void> => {
  await Promise.all(devices.map((device) => device.start()));
  const [founder, ...others] = devices;
  const { ticket } = await founder!.call<{ ticket: string }>('invite');
  for (const device of others) await device.call('join', ticket);
  await founder!.call('inUtc');
  await inSession(devices);
  for (const device of devices)
    await waitFor(async () => (await device.call('things')) === things, {
      ...patience,
      what: `all Things to be known to ${device.name}`,
    });
};

/** Resolves when each of these devices is in session with each other one. */
export const inSession = async (devices: readonly StoppingDevice[]): Promise<void> => {
  for (const device of devices) {
    const others = devices.filter((other) => other !== device).map(({ id }) => id);
    await waitFor(
      async () => {
        const online = await device.call<string[]>('online');
        return others.every((id) => online.includes(id));
      },
      { ...patience, what: `${device.name} to be in session with all` },
    );
  }
};
