/**
 * The fabrics of the rules bench: devices in processes of their own, all members of the first one's fabric.
 * Relies on `rule-peer.ts`; what was started is stopped and what was written removed by `close`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchProcess } from './command-messages.ts';
import type { RuleDeed, RulePeerReady, RulePeerRequest } from './rule-peer.ts';

/** One device. */
export class RuleDevice {
  readonly name: string;
  readonly #dir: string;
  readonly #kinds: number;
  #process: BenchProcess | undefined;
  #ready: RulePeerReady | undefined;

  constructor(dir: string, name: string, kinds: number) {
    this.#dir = dir;
    this.name = name;
    this.#kinds = kinds;
  }

  get id(): string {
    return this.#ready!.id;
  }

  /** Starts it, the first time with a ticket unless it is the founder. */
  async start(ticket = ''): Promise<void> {
    const args = [join(this.#dir, this.name), this.name, ticket, String(this.#kinds)];
    this.#process = new BenchProcess('./rule-peer.ts', args);
    this.#ready = (await this.#process.next()) as RulePeerReady;
  }

  async ask<Answer = unknown>(request: RulePeerRequest): Promise<Answer> {
    return (await this.#process!.ask(request)) as Answer;
  }

  /** What its lamp did since it was asked last. */
  deeds(): Promise<RuleDeed[]> {
    return this.ask<RuleDeed[]>({ ask: 'deeds' });
  }

  /** Kills it, and says when that was, in microseconds of the monotonic clock. */
  async kill(): Promise<number> {
    const at = Number(process.hrtime.bigint()) / 1000;
    await this.#process!.stop('SIGKILL');
    return at;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}

/** A home of devices. */
export class RuleHome {
  readonly devices: readonly RuleDevice[];
  readonly #dir: string;

  private constructor(dir: string, devices: readonly RuleDevice[]) {
    this.#dir = dir;
    this.devices = devices;
  }

  /** Starts them all; the first one is the admin. @param kinds events that each of their Things has */
  static async start(names: readonly string[], kinds = 1): Promise<RuleHome> {
    const dir = await mkdtemp(join(tmpdir(), 'althing-bench-'));
    const devices = names.map((name) => new RuleDevice(dir, name, kinds));
    const home = new RuleHome(dir, devices);
    for (const device of devices) {
      const isFirst = device === devices[0];
      await device.start(isFirst ? '' : await devices[0]!.ask<string>({ ask: 'invite' }));
    }
    await home.ready(0);
    return home;
  }

  /** Resolves once all know each other's Things and so many rules. */
  async ready(rules: number): Promise<void> {
    const things = this.devices.length;
    await Promise.all(this.devices.map((device) => device.ask({ ask: 'ready', things, rules })));
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.stop()));
    await rm(this.#dir, { recursive: true, force: true });
  }
}
