/**
 * Exposes the computer that this peer runs on as a Thing: load, memory, disks, network, pressure, sensors, lights.
 * Relies on `Wot.produce`; reads when asked, and polls only what somebody observes.
 */
import { homedir, hostname } from 'node:os';
import { AlthingError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { ExposedThing, Wot } from '../../thing/scripting-api.ts';
import { type Disk, diskSources } from './disk-source.ts';
import { procSources } from './proc-sources.ts';
import { sysSources } from './sys-sources.ts';
import { cachedSource, hasChanged, type SystemProperty, type SystemSource } from './system-source.ts';
import { systemDescription } from './system-td.ts';

export interface SystemAdapterOptions {
  readonly logger: Logger;
  /** The Thing's title (default: the host's name). */
  readonly name?: string;
  /** Where proc(5) is mounted (default `/proc`). */
  readonly procRoot?: string;
  /** Where sysfs(5) is mounted (default `/sys`). */
  readonly sysRoot?: string;
  /** File systems to watch (default: `/`, and the user's home where that is another one). */
  readonly disks?: readonly Disk[];
  /** How often observed properties are read, in milliseconds (default 2 000). */
  readonly pollMs?: number;
  /** How long a reading is kept, in milliseconds (default 500). */
  readonly keepMs?: number;
  /** Stops the adapter, as `stop` does. */
  readonly signal?: AbortSignal;
}

/** The running adapter. */
export interface SystemAdapter {
  /** Ends polling and destroys the Thing. */
  stop(): Promise<void>;
}

/**
 * Looks at what the machine has, and exposes it. Resolves once the Thing is exposed; rejects with what `produce` and
 * `expose` throw, and with `cancelled` where the signal is aborted before.
 */
export const startSystemAdapter = async (wot: Wot, options: SystemAdapterOptions): Promise<SystemAdapter> => {
  const { logger, name = hostname(), pollMs = 2000, keepMs = 500, signal } = options;
  const disks = options.disks ?? [
    { name: 'root', path: '/' },
    { name: 'home', path: homedir() },
  ];
  const found = [
    ...(await procSources(options.procRoot ?? '/proc')),
    ...(await diskSources(disks)),
    ...(await sysSources(options.sysRoot ?? '/sys')),
  ];
  if (signal?.aborted) throw new AlthingError('cancelled', 'The start of the system adapter was given up.');
  const sources = found.map((source) => cachedSource(source, keepMs, () => performance.now()));
  const thing = await wot.produce(systemDescription(name, sources));
  const polls = sources.map((source) => new Poll(thing, source, pollMs, logger));
  for (const [i, source] of sources.entries())
    for (const property of source.properties) setHandlers(thing, source, property, polls[i]!);
  await thing.expose();

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    signal?.removeEventListener('abort', onAbort);
    for (const poll of polls) poll.stop();
    stopping ??= thing.destroy();
    return stopping;
  };
  const onAbort = (): void => {
    stop().catch((error: Error) =>
      logger.warn({ error: error.message }, 'Stopping the system adapter failed.'),
    );
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  return { stop };
};

const setHandlers = (
  thing: ExposedThing,
  source: SystemSource,
  property: SystemProperty,
  poll: Poll,
): void => {
  const { name, affordance, write } = property;
  thing.setPropertyReadHandler(name, async () => presentValue(await source.read(), name));
  if (write)
    thing.setPropertyWriteHandler(name, async (input) => {
      await write(await input.value());
      await poll.tell();
    });
  if (affordance.observable !== true) return;
  thing.setPropertyObserveHandler(name, () => poll.add(property));
  thing.setPropertyUnobserveHandler(name, () => poll.remove(property));
};

/** Throws `handler-failed` for what the machine no longer has: an interface or a battery that was taken out. */
const presentValue = (readings: Readonly<Record<string, unknown>>, name: string): unknown => {
  if (readings[name] !== undefined) return readings[name];
  throw new AlthingError('handler-failed', `The computer gives no ${name} now.`);
};

interface Watched {
  observers: number;
  /** What observers know. */
  last: unknown;
}

/** Reads one source regularly while any of its properties is observed, and emits what has changed. */
class Poll {
  readonly #thing: ExposedThing;
  readonly #source: SystemSource;
  readonly #pollMs: number;
  readonly #logger: Logger;
  readonly #watched = new Map<SystemProperty, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #telling = false;

  constructor(thing: ExposedThing, source: SystemSource, pollMs: number, logger: Logger) {
    this.#thing = thing;
    this.#source = source;
    this.#pollMs = pollMs;
    this.#logger = logger;
  }

  /** One observer more; the first one sets what later values are compared with. Throws what reading throws. */
  async add(property: SystemProperty): Promise<void> {
    const watched = this.#watched.get(property);
    if (watched) {
      watched.observers++;
      return;
    }
    const entry: Watched = { observers: 1, last: undefined };
    this.#watched.set(property, entry);
    try {
      entry.last = (await this.#source.read())[property.name];
    } catch (error) {
      this.remove(property);
      throw error;
    }
    // Unless the last observer left, or the adapter was stopped, meanwhile.
    if (this.#watched.has(property)) this.#timer ??= setInterval(() => void this.tell(), this.#pollMs);
  }

  /** One observer less; with the last one polling ends. */
  remove(property: SystemProperty): void {
    const watched = this.#watched.get(property);
    if (watched && --watched.observers === 0) this.#watched.delete(property);
    if (this.#watched.size === 0) this.stop();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#watched.clear();
  }

  /** Reads, and tells observers of what has changed. Never rejects: a device that fails is one line in the log. */
  async tell(): Promise<void> {
    if (this.#watched.size === 0 || this.#telling) return;
    this.#telling = true;
    try {
      const readings = await this.#source.read();
      for (const [{ name, deadBand }, watched] of this.#watched) {
        const value = readings[name];
        if (value === undefined || !hasChanged(watched.last, value, deadBand)) continue;
        watched.last = value;
        await this.#thing.emitPropertyChange(name, value);
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#logger.warn({ error: (error as Error).message }, 'A device cannot be read.');
      this.#failing = true;
    } finally {
      this.#telling = false;
    }
  }
}
