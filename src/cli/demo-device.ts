/**
 * One device of the demo: its process, the client of its gateway, and what it says of itself.
 * Relies on `bin/althing up` in a process of its own; everything told of the device comes from its own gateway.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { GatewayClient } from '../client/client.ts';
import type { Activity } from '../core/api-shapes.ts';
import { AlthingError, isErrorCode, toAlthingError } from '../core/errors.ts';
import { parseThingId } from '../core/ids.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { clientOf } from './connect.ts';
import type { Part } from './demo-cast.ts';
import type { Fact } from './demo-facts.ts';

/** The program, in the sources and in the package. */
export const launcher = fileURLToPath(new URL('../../bin/althing', import.meta.url));

const keptLogLines = 20;
/** A process that was asked to end and has not is killed. */
const endTimeoutMs = 3000;

/** What devices need of the home that they belong to. */
export interface DeviceHost {
  tell(fact: Fact): void;
  /** Something that can be seen from outside has changed. */
  changed(): void;
  /** A peer's name, by its id. */
  nameOf(peer: string): string;
  /** A Thing's title, by its id. */
  titleOf(thing: string): string;
}

/** A device, whether it runs or not. */
export class DemoDevice {
  readonly part: Part;
  readonly home: string;
  readonly client: GatewayClient;
  /** `off`, until it says that it is ready `starting`, then `on`. */
  state: 'off' | 'starting' | 'on' = 'off';
  /** Its peer's id, once it has run. */
  peer = '';
  /** Its Things: titles by id. */
  readonly things = new Map<string, string>();
  /** The peers that it has a session with. */
  sees: ReadonlySet<string> = new Set();
  /** The watched properties' last values. */
  values: Readonly<Record<string, unknown>> = {};
  /** The latest warnings and errors of its log. */
  readonly complaints: string[] = [];
  readonly #host: DeviceHost;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  /** Aborted when its process ends. */
  #run = new AbortController();
  #wanted = false;

  constructor(part: Part, dir: string, host: DeviceHost) {
    this.part = part;
    this.home = join(dir, part.name);
    this.client = clientOf(this.home);
    this.#host = host;
  }

  get name(): string {
    return this.part.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Starts its process; resolves once the peer is ready and listened to. Throws what the process said when it ended
   * instead.
   */
  async start(): Promise<void> {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [launcher, ...this.#arguments()], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ALTHING_HOME: this.home },
    });
    const run = new AbortController();
    this.#child = child;
    this.#run = run;
    this.#wanted = true;
    this.state = 'starting';
    this.#host.changed();
    this.#exited = new Promise((resolve) => {
      const end = (how: string) => {
        this.#ended(how);
        resolve(undefined);
      };
      child.once('error', (error) => end(`it did not start: ${error.message}`));
      // Not 'exit': what it wrote last tells why it ended.
      child.once('close', (code, signal) => end(signal ? `ended by ${signal}` : `exited with ${code}`));
    });
    createInterface({ input: child.stderr! }).on('line', (line) => this.#readLog(line));
    const output = createInterface({ input: child.stdout! });
    const [line] = await once(output, 'line', { signal: run.signal }).catch(() => {
      throw this.#failure();
    });
    const ready = JSON.parse(line) as { peer: string };
    this.peer = ready.peer;
    this.state = 'on';
    const tookMs = performance.now() - startedAt;
    this.#host.tell({
      event: 'started',
      device: this.name,
      pid: child.pid!,
      peer: this.peer,
      home: this.home,
      tookMs,
    });
    await this.#follow(run.signal);
  }

  /** Kills it as a power cut would; resolves when its process is gone. */
  async kill(): Promise<void> {
    this.#wanted = false;
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to end, and kills it where it does not. */
  async end(): Promise<void> {
    this.#wanted = false;
    const child = this.#child;
    child?.kill('SIGTERM');
    const late = setTimeout(() => child?.kill('SIGKILL'), endTimeoutMs);
    await this.#exited;
    clearTimeout(late);
  }

  /** Kills it without waiting: for a process that is about to exit itself. */
  killNow(): void {
    this.#wanted = false;
    this.#child?.kill('SIGKILL');
  }

  /** The id of its Thing of this title. Throws `thing-unknown`. */
  thing(title: string): string {
    for (const [id, known] of this.things) if (known === title) return id;
    throw new AlthingError('thing-unknown', `${this.name} has no Thing "${title}": ${this.lastComplaint}`);
  }

  /** What it complained of last, for messages. */
  get lastComplaint(): string {
    return this.complaints.at(-1) ?? 'its log complains of nothing';
  }

  /** Asks it for its sessions: what the activity told may have been lost. */
  async refresh(): Promise<void> {
    if (this.state !== 'on') return;
    try {
      const peers = await this.client.peers({ signal: this.#run.signal });
      this.sees = new Set(peers.filter(({ state }) => state === 'online').map(({ peer }) => peer));
      this.#host.changed();
    } catch {
      // It is ending, or busy: its process's end is told by itself, and it is asked again soon.
    }
  }

  #arguments(): string[] {
    const { name, scripts, system } = this.part;
    const things = scripts.flatMap((file) => ['--things', file]);
    const machine = system ? [] : ['--no-system'];
    const network = ['--listen', '127.0.0.1:0', '--no-mdns'];
    return ['up', '--json', '--home', this.home, '--name', name, ...network, ...things, ...machine];
  }

  #ended(how: string): void {
    this.#run.abort();
    this.state = 'off';
    this.#child = undefined;
    this.sees = new Set();
    this.values = {};
    if (this.#wanted) this.#host.tell({ event: 'ended', device: this.name, how });
    this.#wanted = false;
    this.#host.changed();
  }

  /** What the process complained of last, as the error that it meant. */
  #failure(): AlthingError {
    const said = this.lastComplaint;
    try {
      const { code, message } = (JSON.parse(said) as { error: { code: unknown; message: string } }).error;
      if (isErrorCode(code)) return new AlthingError(code, `${this.name} did not start: ${message}`);
    } catch {
      // Not the error line of a command: told as it is.
    }
    return new AlthingError('internal', `${this.name} did not start: ${said}`);
  }

  #readLog(line: string): void {
    if (/^\{"level":[123]0,/.test(line)) return;
    this.complaints.push(line);
    if (this.complaints.length > keptLogLines) this.complaints.shift();
  }

  /** Listens to all that the peer tells, until its process ends. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { client } = this;
    this.#take(
      await client.activity({ signal, onMissed: ignoreMissed }),
      (activity) => this.#heard(activity),
      signal,
    );
    await this.refresh();
    const own = (await client.thingDescriptions({}, { signal })).filter(
      ({ id }) => parseThingId(id)?.peer === this.peer,
    );
    for (const { id, title } of own) this.things.set(id, title);
    await Promise.all(own.map((td) => this.#watch(td, signal)));
  }

  async #watch(td: ThingDescription, signal: AbortSignal): Promise<void> {
    const { client } = this;
    const { id, title } = td;
    const options = { signal, onMissed: ignoreMissed };
    const names = Object.keys(td.properties ?? {}).filter((name) => this.part.watches.includes(name));
    for (const name of names)
      this.#take(
        await client.observeProperty(id, name, options),
        (value) => {
          this.values = { ...this.values, [name]: value };
          this.#host.tell({ event: 'property', device: this.name, thing: title, name, value });
        },
        signal,
      );
    for (const name of Object.keys(td.events ?? {}))
      this.#take(
        await client.subscribeEvent(id, name, options),
        (data) => this.#host.tell({ event: 'event', device: this.name, thing: title, name, data }),
        signal,
      );
    if (names.length === 0) return;
    this.values = { ...(await client.readMultipleProperties(id, names, { signal })), ...this.values };
    this.#host.changed();
  }

  /** Reads a stream in the background for as long as the process runs. */
  #take<T>(stream: AsyncIterable<T>, use: (value: T) => void, signal: AbortSignal): void {
    const read = async (): Promise<void> => {
      for await (const value of stream) use(value);
    };
    read().catch(async (thrown: unknown) => {
      // The stream breaks before the process is known to have ended.
      if (!signal.aborted) await Promise.race([this.#exited, soon()]);
      // One that was asked to end may take its time.
      if (!signal.aborted && this.#wanted)
        this.#host.tell({ event: 'failed', text: `${this.name}: ${toAlthingError(thrown).message}` });
    });
  }

  #heard(activity: Activity): void {
    const { kind, peer = '' } = activity;
    if (kind === 'session-up' || kind === 'session-down') {
      const sees = new Set(this.sees);
      if (kind === 'session-up') sees.add(peer);
      else sees.delete(peer);
      this.sees = sees;
      this.#host.tell({ event: kind, device: this.name, with: this.#host.nameOf(peer) });
    } else if (kind === 'command') this.#host.tell(this.#commandFact(activity));
    else if (kind === 'script-failed')
      this.#host.tell({ event: 'script-failed', device: this.name, text: activity.message ?? '' });
  }

  #commandFact({ peer = '', thing = '', op = '', name = '', outcome = '', rttMs = 0, rule }: Activity): Fact {
    return {
      event: 'command',
      device: this.name,
      to: this.#host.nameOf(peer),
      thing: this.#host.titleOf(thing),
      op,
      name,
      outcome,
      ...(rule !== undefined && { rule }),
      roundTripMs: rttMs,
    };
  }
}

/** The picture shows the present: values that came too fast to be passed on are not missed. */
const ignoreMissed = (): void => {};

const soon = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 1000).unref();
  });
