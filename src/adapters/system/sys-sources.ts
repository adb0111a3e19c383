/**
 * Temperatures, batteries, backlights and LEDs, out of Linux' /sys (Documentation/ABI, sysfs-class-*).
 * Relies on a root passed in; what the machine does not have gives no source.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AlthingError } from '../../core/errors.ts';
import { percent, quantity, rounded, type SystemProperty, type SystemSource } from './system-source.ts';

/** More devices than this of one class are left out: a server has hundreds of LEDs that nobody wants. */
const maxDevices = 32;

/** All sources that this machine's /sys can serve. */
export const sysSources = async (sysRoot: string): Promise<SystemSource[]> => {
  const names = new Names();
  const sources = [
    ...(await temperatures(sysRoot, names)),
    ...(await powerSupplies(sysRoot, names)),
    ...(await backlights(sysRoot, names)),
    ...(await leds(sysRoot, names)),
  ];
  return sources;
};

/** Property names out of what drivers call things, each given once. */
class Names {
  readonly #taken = new Set<string>();

  take(prefix: string, label = ''): string {
    const words = label.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
    const name = prefix + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
    let free = name;
    for (let n = 2; this.#taken.has(free); n++) free = `${name}${n}`;
    this.#taken.add(free);
    return free;
  }
}

/** The trimmed text of a file of /sys, or undefined where it is missing or the driver has no value now. */
const optional = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );

const required = async (path: string): Promise<number> => Number((await readFile(path, 'utf8')).trim());

const entries = (path: string): Promise<string[]> =>
  readdir(path).then(
    (names) => names.sort().slice(0, maxDevices),
    // The class does not exist: there is no such device.
    () => [],
  );

const canWrite = (path: string): Promise<boolean> =>
  access(path, constants.W_OK).then(
    () => true,
    () => false,
  );

/** Thermal zones, and hwmon sensors where there are no zones (most have both, for the same chips). */
const temperatures = async (sysRoot: string, names: Names): Promise<SystemSource[]> => {
  const found: { path: string; label: string }[] = [];
  const zones = join(sysRoot, 'class/thermal');
  for (const zone of await entries(zones)) {
    if (!zone.startsWith('thermal_zone')) continue;
    const path = join(zones, zone, 'temp');
    if ((await optional(path)) !== undefined)
      found.push({ path, label: (await optional(join(zones, zone, 'type'))) ?? '' });
  }
  if (found.length === 0) found.push(...(await hwmonTemperatures(join(sysRoot, 'class/hwmon'))));
  return found.map(({ path, label }) => {
    const name = names.take('temperature', label);
    const title = label === '' ? 'Temperature' : `Temperature, ${label}`;
    const affordance = quantity(title, 'Cel', { '@type': 'saref:Temperature' });
    return {
      properties: [{ name, affordance, deadBand: 0.5 }],
      read: async () => ({ [name]: rounded((await required(path)) / 1000, 1) }),
    };
  });
};

const hwmonTemperatures = async (root: string): Promise<{ path: string; label: string }[]> => {
  const found: { path: string; label: string }[] = [];
  for (const chip of await entries(root)) {
    const chipName = (await optional(join(root, chip, 'name'))) ?? '';
    for (const file of await readdir(join(root, chip))) {
      const sensor = /^(temp\d+)_input$/.exec(file)?.[1];
      if (sensor === undefined || found.length >= maxDevices) continue;
      const path = join(root, chip, file);
      if ((await optional(path)) === undefined) continue;
      const label = (await optional(join(root, chip, `${sensor}_label`))) ?? '';
      found.push({ path, label: `${chipName} ${label}`.trim() });
    }
  }
  return found;
};

const batteryStates = ['Charging', 'Discharging', 'Full', 'Not charging', 'Unknown'];

const powerSupplies = async (sysRoot: string, names: Names): Promise<SystemSource[]> => {
  const root = join(sysRoot, 'class/power_supply');
  const sources: SystemSource[] = [];
  for (const supply of await entries(root)) {
    const file = (name: string) => join(root, supply, name);
    const type = await optional(file('type'));
    if (type === 'Battery' && (await optional(file('capacity'))) !== undefined) {
      const level = names.take('batteryLevel');
      const state = names.take('batteryState');
      const text = { title: `Battery ${supply}, state`, type: 'string', enum: batteryStates };
      sources.push({
        properties: [
          { name: level, affordance: percent(`Battery ${supply}`, { type: 'integer' }) },
          { name: state, affordance: { ...text, readOnly: true, observable: true } },
        ],
        read: async () => {
          const status = (await optional(file('status'))) ?? 'Unknown';
          return {
            [level]: Math.min(100, await required(file('capacity'))),
            [state]: batteryStates.includes(status) ? status : 'Unknown',
          };
        },
      });
    } else if (type === 'Mains' && (await optional(file('online'))) !== undefined) {
      const name = names.take('mainsOnline');
      const affordance = { title: `Mains ${supply}`, type: 'boolean', readOnly: true, observable: true };
      sources.push({
        properties: [{ name, affordance }],
        read: async () => ({ [name]: (await required(file('online'))) === 1 }),
      });
    }
  }
  return sources;
};

/** The steps that a light has; undefined where its driver says nothing that makes sense. */
const fullBrightness = async (device: string): Promise<number | undefined> => {
  const full = Number(await optional(join(device, 'max_brightness')));
  return Number.isSafeInteger(full) && full > 0 ? full : undefined;
};

/** Backlights as a share of full brightness, because their steps differ from screen to screen. */
const backlights = async (sysRoot: string, names: Names): Promise<SystemSource[]> => {
  const root = join(sysRoot, 'class/backlight');
  const sources: SystemSource[] = [];
  for (const device of await entries(root)) {
    const path = join(root, device, 'brightness');
    const full = await fullBrightness(join(root, device));
    if (full === undefined || (await optional(path)) === undefined) continue;
    const name = names.take('backlight');
    const property = await dimmer(name, path, full, percent(`Backlight ${device}`, { type: 'integer' }), 100);
    sources.push({
      properties: [property],
      read: async () => ({ [name]: Math.round((100 * (await required(path))) / full) }),
    });
  }
  return sources;
};

/** LEDs in the steps of their driver: most are on (1) or off (0). */
const leds = async (sysRoot: string, names: Names): Promise<SystemSource[]> => {
  const root = join(sysRoot, 'class/leds');
  const sources: SystemSource[] = [];
  for (const device of await entries(root)) {
    const path = join(root, device, 'brightness');
    const full = await fullBrightness(join(root, device));
    if (full === undefined || (await optional(path)) === undefined) continue;
    const name = names.take('led', device);
    const affordance = quantity(`LED ${device}`, '1', { type: 'integer', minimum: 0, maximum: full });
    sources.push({
      properties: [await dimmer(name, path, full, affordance, full)],
      read: async () => ({ [name]: await required(path) }),
    });
  }
  return sources;
};

/** A brightness that can be written where this process may. `scale` is the value that means full. */
const dimmer = async (
  name: string,
  path: string,
  full: number,
  affordance: SystemProperty['affordance'],
  scale: number,
): Promise<SystemProperty> => {
  if (!(await canWrite(path))) return { name, affordance };
  const write = async (value: unknown): Promise<void> => {
    try {
      await writeFile(path, String(Math.round((Number(value) * full) / scale)));
    } catch (error) {
      const { message } = error as Error;
      throw new AlthingError('handler-failed', `${path} could not be written: ${message}`, { cause: error });
    }
  };
  return { name, affordance: { ...affordance, readOnly: false }, write };
};
