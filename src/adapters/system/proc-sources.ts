/**
 * Load, memory, uptime, pressure and network counters, out of Linux' /proc (proc(5)).
 * Relies on a root passed in; where there is no /proc, load, memory and uptime come from node:os.
 */
import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import { join } from 'node:path';
import {
  bytes,
  percent,
  quantity,
  rounded,
  type SystemProperty,
  type SystemSource,
} from './system-source.ts';

/** All sources that this machine's /proc, or its node:os, can serve. */
export const procSources = async (procRoot: string): Promise<SystemSource[]> => {
  const has = (path: string) =>
    readFile(join(procRoot, path)).then(
      () => true,
      () => false,
    );
  const sources = [loadSource(procRoot, await has('loadavg')), memorySource(procRoot, await has('meminfo'))];
  sources.push(uptimeSource(procRoot, await has('uptime')));
  if (await has('net/dev')) sources.push(networkSource(procRoot));
  for (const resource of ['cpu', 'memory', 'io'] as const)
    if (await has(`pressure/${resource}`)) sources.push(pressureSource(procRoot, resource));
  return sources;
};

const text = (procRoot: string, path: string): Promise<string> => readFile(join(procRoot, path), 'utf8');

const loadSource = (procRoot: string, hasProc: boolean): SystemSource => {
  const load = (minutes: number): SystemProperty => ({
    name: `load${minutes}`,
    affordance: quantity(`Load, ${minutes} min`, '1', {
      description: `Processes that run or wait, on average over ${minutes} min; all processors are busy where it equals cpuCount.`,
      minimum: 0,
    }),
    deadBand: 0.05,
  });
  const cpuCount: SystemProperty = {
    name: 'cpuCount',
    affordance: quantity('Processors', '1', { type: 'integer', minimum: 1, observable: false }),
  };
  const isWindows = os.platform() === 'win32';
  return {
    // Windows keeps no load: node:os says 0 there, which would be a lie.
    properties: isWindows ? [cpuCount] : [load(1), load(5), load(15), cpuCount],
    read: async () => {
      const loads = hasProc ? (await text(procRoot, 'loadavg')).split(' ', 3).map(Number) : os.loadavg();
      const [load1, load5, load15] = loads.map((value) => rounded(value, 2));
      const cpuCount = os.availableParallelism();
      return isWindows ? { cpuCount } : { load1, load5, load15, cpuCount };
    },
  };
};

const memorySource = (procRoot: string, hasProc: boolean): SystemSource => ({
  properties: [
    { name: 'memoryTotal', affordance: bytes('Memory', { observable: false }) },
    {
      name: 'memoryAvailable',
      affordance: bytes('Memory available', {
        description: 'What programs can still have without swapping.',
      }),
      deadBand: os.totalmem() / 100,
    },
    { name: 'memoryUsed', affordance: percent('Memory in use'), deadBand: 0.5 },
  ],
  read: async () => {
    const [total, available] = hasProc
      ? parseMeminfo(await text(procRoot, 'meminfo'))
      : [os.totalmem(), os.freemem()];
    return {
      memoryTotal: total,
      memoryAvailable: available,
      memoryUsed: total === 0 ? 0 : rounded(100 * (1 - available / total), 1),
    };
  },
});

/** Total and available bytes; kernels before 3.14 give no MemAvailable, the free and cached parts stand in. */
const parseMeminfo = (meminfo: string): [total: number, available: number] => {
  const kib = new Map([...meminfo.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, key, n]) => [key, Number(n)]));
  const available =
    kib.get('MemAvailable') ??
    (kib.get('MemFree') ?? 0) + (kib.get('Buffers') ?? 0) + (kib.get('Cached') ?? 0);
  return [(kib.get('MemTotal') ?? 0) * 1024, available * 1024];
};

const uptimeSource = (procRoot: string, hasProc: boolean): SystemSource => ({
  properties: [
    {
      name: 'uptime',
      affordance: quantity('Uptime', 's', { type: 'integer', minimum: 0, observable: false }),
    },
  ],
  read: async () => {
    const seconds = hasProc ? Number((await text(procRoot, 'uptime')).split(' ', 1)[0]) : os.uptime();
    return { uptime: Math.floor(seconds) };
  },
});

const counters = ['rxBytes', 'rxPackets', 'rxErrors', 'txBytes', 'txPackets', 'txErrors'] as const;

/** One property for all interfaces, because they come and go; loopback and containers' ends of a pair are left out. */
const networkSource = (procRoot: string): SystemSource => ({
  properties: [
    {
      name: 'network',
      affordance: {
        title: 'Network counters',
        description: 'By interface, since it came up: received (rx) and sent (tx).',
        type: 'object',
        readOnly: true,
        observable: true,
        additionalProperties: {
          type: 'object',
          properties: Object.fromEntries(
            counters.map((name) => [
              name,
              { type: 'integer', minimum: 0, unit: name.endsWith('Bytes') ? 'By' : '1' },
            ]),
          ),
        },
      },
    },
  ],
  read: async () => ({ network: parseNetDev(await text(procRoot, 'net/dev')) }),
});

const parseNetDev = (dev: string): Record<string, Record<string, number>> => {
  const interfaces: Record<string, Record<string, number>> = {};
  for (const [, name, fields] of dev.matchAll(/^\s*([^\s:]+):\s*(.+)$/gm)) {
    if (name === 'lo' || name!.startsWith('veth')) continue;
    const [rxBytes, rxPackets, rxErrors, , , , , , txBytes, txPackets, txErrors] = fields!
      .split(/\s+/)
      .map(Number);
    interfaces[name!] = Object.fromEntries(
      Object.entries({ rxBytes, rxPackets, rxErrors, txBytes, txPackets, txErrors }).map(([key, n]) => [
        key,
        n ?? 0,
      ]),
    );
  }
  return interfaces;
};

const resourceTitles = { cpu: 'Processor', memory: 'Memory', io: 'Disk' } as const;

/** Pressure stall information (Linux, Documentation/accounting/psi.rst): the share of time in which something waited. */
const pressureSource = (procRoot: string, resource: keyof typeof resourceTitles): SystemSource => {
  const name = (seconds: 10 | 60) => `${resource}Pressure${seconds}`;
  const property = (seconds: 10 | 60): SystemProperty => ({
    name: name(seconds),
    affordance: percent(`${resourceTitles[resource]} pressure, ${seconds} s`, {
      description: `Share of the last ${seconds} s in which some process waited for it.`,
    }),
    deadBand: 0.5,
  });
  return {
    properties: [property(10), property(60)],
    read: async () => {
      const some = /^some avg10=([\d.]+) avg60=([\d.]+)/m.exec(await text(procRoot, `pressure/${resource}`));
      return { [name(10)]: Number(some?.[1] ?? 0), [name(60)]: Number(some?.[2] ?? 0) };
    },
  };
};
