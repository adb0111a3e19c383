/**
 * The demo's home: all devices, how they come together, and that nothing is left of them.
 * Relies on a temporary directory and on the devices' processes; both are gone when it is closed, however that comes.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { parseThingId } from '../core/ids.ts';
import { homePaths } from '../store/home.ts';
import { cast, rulesFile } from './demo-cast.ts';
import { DemoDevice, type DeviceHost } from './demo-device.ts';
import type { Fact } from './demo-facts.ts';

const waitTimeoutMs = 60_000;
const refreshMs = 1000;
const pollMs = 50;
/** By then the end of a process is known that broke a request. */
const endNoticeMs = 500;
const inviteMs = 60 * 60 * 1000;
/** A process that was just killed may still have a file open. */
const removal = { recursive: true, force: true, maxRetries: 10, retryDelay: 20 } as const;

export interface DemoHomeOptions {
  readonly onFact: (fact: Fact) => void;
  readonly onChange?: () => void;
  /** Gives up whatever is waited for. */
  readonly signal: AbortSignal;
  /** A process that ends by itself ends all waiting: for a story that cannot go on without it. */
  readonly strict: boolean;
}

interface Waiting {
  readonly met: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: AlthingError) => void;
}

/** The devices and the directory that they live in. */
export class DemoHome {
  readonly dir: string;
  readonly devices: readonly DemoDevice[];
  readonly #options: DemoHomeOptions;
  readonly #waiting = new Set<Waiting>();
  readonly #onExit = (): void => this.#sweep();
  #refreshing: NodeJS.Timeout | undefined;
  #processes = 0;
  /** Why nothing is waited for any more. */
  #givenUp: AlthingError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(dir: string, options: DemoHomeOptions) {
    this.dir = dir;
    this.#options = options;
    const host: DeviceHost = {
      tell: (fact) => this.tell(fact),
      changed: () => this.#changed(),
      nameOf: (peer) => this.#nameOf(peer),
      titleOf: (thing) =>
        this.devices.flatMap(({ things }) => things.get(thing) ?? [])[0] ??
        parseThingId(thing)?.name ??
        thing,
    };
    this.devices = cast.map((part) => new DemoDevice(part, dir, host));
    process.on('exit', this.#onExit);
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** A home with nothing running yet. */
  static async create(options: DemoHomeOptions): Promise<DemoHome> {
    return new DemoHome(await mkdtemp(join(tmpdir(), 'althing-demo-')), options);
  }

  get founder(): DemoDevice {
    return this.devices[0]!;
  }

  device(name: string): DemoDevice {
    const found = this.devices.find((device) => device.name === name);
    if (found === undefined) throw new Error(`No device "${name}" in the cast.`);
    return found;
  }

  #nameOf(peer: string): string {
    return this.devices.find((device) => device.peer === peer)?.name ?? peer;
  }

  tell(fact: Fact): void {
    if (fact.event === 'started') this.#processes++;
    // Ctrl-C reaches the whole process group: the devices end with us then, not by themselves.
    if (fact.event === 'ended' && this.#options.signal.aborted) return;
    this.#options.onFact(fact);
    if (fact.event === 'ended' && this.#options.strict)
      this.#giveUp(new AlthingError('peer-offline', `${fact.device} has ended by itself: ${fact.how}.`));
    this.#changed();
  }

  /** Starts everybody, lets the first one invite the others and give the rules; resolves when all are connected to all. */
  async open(): Promise<void> {
    const startedAt = performance.now();
    this.#refreshing = setInterval(() => {
      for (const device of this.devices) void device.refresh();
    }, refreshMs);
    const [founder, ...others] = this.devices;
    const invited = founder!
      .start()
      .then(() => founder!.client.invite({ uses: others.length, expiresMs: inviteMs }));
    invited.catch(() => {
      // Told by those who wait for it, where they got that far.
    });
    const joined = others.map(async (device) => {
      await device.start();
      const { ticket } = await invited;
      const { fabric, role } = await device.client.join(ticket);
      this.tell({ event: 'joined', device: device.name, fabric, role });
    });
    await this.#orGivenUp(Promise.all([invited, ...joined]));
    await this.until(() => this.devices.every((device) => this.#isConnected(device)), 'all to be connected');
    const count = this.devices.length;
    const tookMs = performance.now() - startedAt;
    this.tell({ event: 'connected', devices: count, sessions: this.sessions, tookMs });
    await this.#orGivenUp(this.#giveRules());
  }

  /** The founder gives the home its rules, once it knows all that they name; every device then watches for its own. */
  async #giveRules(): Promise<void> {
    const { founder, devices } = this;
    const all = devices.flatMap(({ things }) => [...things.keys()]);
    await this.poll(
      async () => {
        const known = new Set((await founder.client.things()).map(({ id }) => id));
        return all.every((id) => known.has(id));
      },
      () => `${founder.name} to know all Things`,
    );
    const applied = await founder.client.rules.apply(await readFile(rulesFile, 'utf8'));
    for (const device of devices)
      await this.poll(
        async () => device.state !== 'on' || (await device.client.rules.list()).length === applied.length,
        () => `${device.name} to know ${applied.length} rules`,
      );
    for (const { rule, name, watchedBy } of await founder.client.rules.list()) {
      const isAll = watchedBy.length === devices.length;
      const names = isAll ? 'all' : watchedBy.map((peer) => this.#nameOf(peer));
      this.tell({ event: 'rule', rule, name, watchedBy: names });
    }
  }

  /** Pairs of devices that both say that they are connected. */
  get sessions(): number {
    const pairs = this.devices.flatMap((a, i) => this.devices.slice(i + 1).filter((b) => areConnected(a, b)));
    return pairs.length;
  }

  /** Kills a device and waits until all others have noticed. */
  async switchOff(device: DemoDevice): Promise<void> {
    const pid = device.pid;
    if (device.state !== 'on' || pid === undefined) return;
    const killedAt = performance.now();
    this.tell({ event: 'killed', device: device.name, pid });
    await device.kill();
    const others = this.#othersOf(device);
    await this.until(
      () => others.every((other) => other.state !== 'on' || !other.sees.has(device.peer)),
      `the others to miss ${device.name}`,
    );
    this.tell({
      event: 'missed',
      device: device.name,
      by: others.length,
      tookMs: performance.now() - killedAt,
    });
  }

  /** Starts a device again and waits until it is connected to all others. */
  async switchOn(device: DemoDevice): Promise<void> {
    if (device.state !== 'off') return;
    const startedAt = performance.now();
    await this.#orGivenUp(device.start());
    await this.until(() => this.#isConnected(device), `${device.name} to be connected again`);
    const by = this.#othersOf(device).length;
    this.tell({ event: 'back', device: device.name, by, tookMs: performance.now() - startedAt });
  }

  /** Resolves when a condition on the devices holds. Throws `timeout` with what was waited for, and `cancelled`. */
  async until(met: () => boolean, what: string, timeoutMs = waitTimeoutMs): Promise<void> {
    if (this.#givenUp) throw this.#givenUp;
    if (met()) return;
    let waiting: Waiting | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        waiting = { met, resolve, reject };
        this.#waiting.add(waiting);
        const late = new AlthingError('timeout', `Waited ${timeoutMs / 1000} s in vain for ${what}.`);
        timer = setTimeout(() => reject(late), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      if (waiting) this.#waiting.delete(waiting);
    }
  }

  /** Asks again and again until the answer is yes. Throws what `until` throws, and what asking throws. */
  async poll(ask: () => Promise<boolean>, what: () => string): Promise<void> {
    const deadline = performance.now() + waitTimeoutMs;
    while (!(await ask())) {
      if (this.#givenUp) throw this.#givenUp;
      if (performance.now() > deadline)
        throw new AlthingError('timeout', `Waited ${waitTimeoutMs / 1000} s in vain for ${what()}.`);
      await pause(pollMs);
    }
  }

  /** The cause of a failure: a request to a device breaks before its process is known to have ended. */
  async causeOf(thrown: unknown): Promise<unknown> {
    const { code } = toAlthingError(thrown);
    if (code === 'connection-lost' || code === 'not-running' || code === 'peer-offline')
      await pause(endNoticeMs);
    return this.#givenUp ?? thrown;
  }

  /** Ends every process and removes the directory; tells so. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#refreshing);
    await Promise.all(this.devices.map((device) => device.end()));
    await rm(this.dir, removal);
    for (const socket of this.#socketsElsewhere()) await rm(socket, { force: true });
    process.off('exit', this.#onExit);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#options.onFact({ event: 'over', processes: this.#processes, dir: this.dir });
  }

  /** The same at once, for an exit that does not wait. */
  #sweep(): void {
    for (const device of this.devices) device.killNow();
    rmSync(this.dir, removal);
    for (const socket of this.#socketsElsewhere()) rmSync(socket, { force: true });
  }

  /** Gateway sockets lie outside the homes where the temporary directory's path is too long for them. */
  #socketsElsewhere(): string[] {
    return this.devices
      .map(({ home }) => homePaths(home).gatewaySocket)
      .filter((socket) => !socket.startsWith(this.dir));
  }

  #othersOf(device: DemoDevice): DemoDevice[] {
    return this.devices.filter((other) => other !== device && other.state === 'on');
  }

  #isConnected(device: DemoDevice): boolean {
    return device.state === 'on' && this.#othersOf(device).every((other) => areConnected(device, other));
  }

  #changed(): void {
    for (const waiting of this.#waiting) if (waiting.met()) waiting.resolve();
    this.#options.onChange?.();
  }

  readonly #onAbort = (): void => this.#giveUp(new AlthingError('cancelled', 'The demo was interrupted.'));

  #giveUp(error: AlthingError): void {
    this.#givenUp ??= error;
    for (const waiting of this.#waiting) waiting.reject(error);
  }

  /** What `work` gives, unless the demo is interrupted meanwhile. */
  async #orGivenUp<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finished = work.finally(() => {
      done = true;
      this.#changed();
    });
    finished.catch(() => {
      // Told by whoever awaits `work` below.
    });
    await this.until(() => done, 'the devices to start');
    return finished;
  }
}

const areConnected = (a: DemoDevice, b: DemoDevice): boolean => a.sees.has(b.peer) && b.sees.has(a.peer);
