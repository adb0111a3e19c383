/**
 * What a running peer costs: memory, CPU at rest, and the time until it is ready, of the installed package.
 * Relies on /proc, so on Linux; peers are on loopback, without discovery, with the system adapter that is on by default.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type InstalledPackage, installPackage } from '../test/installed-package.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** How much is measured. */
export interface FootprintBenchOptions {
  readonly starts?: number;
  /** How long a peer settles before its memory and CPU are read. */
  readonly settleMs?: number;
  /** A package that is installed already. */
  readonly installed?: InstalledPackage;
}

/** Of peers that started on a home that was there already, with the compile cache filled. */
export interface FootprintFigures {
  /** From spawning the process to its ready line. */
  readonly startMs: Spread;
  /** VmRSS once settled. */
  readonly rssMb: Spread;
  /** What of it is the process's own: RssAnon. */
  readonly anonymousMb: Spread;
  /** CPU time used while nothing happens, as a share of one core. */
  readonly idleCpuPercent: Spread;
  /** A bare `node -e 0` on this machine. */
  readonly nodeStartMs: Spread;
  /** A Node that does nothing: what no program in it can go below. */
  readonly nodeRssMb: Spread;
}

const clockTicksPerSecond = 100;
const kib = 1024;
const mb = 1e6;

/** Measures. Takes about a minute, most of it waiting for peers to settle. */
export const benchFootprint = async (options: FootprintBenchOptions = {}): Promise<FootprintFigures> => {
  const { starts = 15, settleMs = 5000 } = options;
  const dir = await mkdtemp(join(tmpdir(), 'althing-bench-'));
  try {
    const { launcher } = options.installed ?? (await installPackage(dir));
    const home = join(dir, 'home');
    // A compile cache that the environment names would be one that other runs have filled.
    const { NODE_COMPILE_CACHE: _, ...inherited } = process.env;
    const env = { ...inherited, ALTHING_HOME: home, XDG_CACHE_HOME: join(dir, 'cache') };
    const up = () => startPeer(launcher, env);
    // The first makes the home, the second fills the cache with what only an existing home loads.
    for (let i = 0; i < 2; i++) await stop((await up()).child);
    const startMs: number[] = [];
    const nodeStartMs: number[] = [];
    for (let i = 0; i < starts; i++) {
      const peer = await up();
      startMs.push(peer.readyMs);
      await stop(peer.child);
      nodeStartMs.push(await bareStart());
    }
    const settled: Settled[] = [];
    const bare: Settled[] = [];
    for (let i = 0; i < 3; i++) {
      const { child } = await up();
      settled.push(await settle(child, settleMs));
      await stop(child);
      const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
      bare.push(await settle(node, 500));
      await stop(node);
    }
    return {
      startMs: spreadOf(startMs),
      rssMb: spreadOf(settled.map(({ rss }) => rss)),
      anonymousMb: spreadOf(settled.map(({ anonymous }) => anonymous)),
      idleCpuPercent: spreadOf(settled.map(({ cpuPercent }) => cpuPercent)),
      nodeStartMs: spreadOf(nodeStartMs),
      nodeRssMb: spreadOf(bare.map(({ rss }) => rss)),
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

/** Whether this machine can be measured. */
export const canMeasureFootprint = (): boolean => existsSync('/proc/self/status');

const startPeer = async (launcher: string, env: NodeJS.ProcessEnv) => {
  const begun = performance.now();
  const child = spawn(process.execPath, [launcher, 'up', '--json', '--listen', '127.0.0.1:0', '--no-mdns'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The peer ended with ${code} before it was ready.`);
  });
  ended.catch(() => {
    // Told by the race; a peer that is stopped later ends too.
  });
  await Promise.race([once(createInterface({ input: child.stdout! }), 'line'), ended]);
  return { child, readyMs: performance.now() - begun };
};

const bareStart = async (): Promise<number> => {
  const begun = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - begun;
};

const stop = async (child: ChildProcess): Promise<void> => {
  const gone = once(child, 'exit');
  child.kill();
  await gone;
};

interface Settled {
  readonly rss: number;
  readonly anonymous: number;
  readonly cpuPercent: number;
}

const settle = async ({ pid }: ChildProcess, settleMs: number): Promise<Settled> => {
  await delay(settleMs);
  const before = await cpuSeconds(pid);
  const begun = performance.now();
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * kib) / mb;
  await delay(settleMs);
  const cpuPercent = ((await cpuSeconds(pid)) - before) / ((performance.now() - begun) / 1000);
  return { rss: field('VmRSS'), anonymous: field('RssAnon'), cpuPercent: cpuPercent * 100 };
};

/** User and system time out of proc(5), stat. */
const cpuSeconds = async (pid: number | undefined): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond;
};
