import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../../core/errors.ts';
import { silentLogger } from '../../core/logger.ts';
import { MemoryWot } from '../../testing/memory-wot.ts';
import { waitFor } from '../../testing/wait-for.ts';
import { validateTd } from '../../thing/validate-td.ts';
import { type SystemAdapterOptions, startSystemAdapter } from './system-adapter.ts';

const machine: Record<string, string> = {
  'proc/loadavg': '0.52 0.58 1.25 2/400 1234\n',
  'proc/meminfo': 'MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     250 kB\n',
  'proc/uptime': '3600.77 7000.00\n',
  'proc/net/dev':
    'Inter-|   Receive  |  Transmit\n face |bytes packets errs\n' +
    '    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n' +
    '  eth0: 1000 10 1 0 0 0 0 0 2000 20 2 0 0 0 0 0\n',
  'proc/pressure/cpu': 'some avg10=1.50 avg60=0.25 avg300=0.00 total=1\nfull avg10=9.00 avg60=9.00\n',
  'sys/class/thermal/thermal_zone0/temp': '45678\n',
  'sys/class/thermal/thermal_zone0/type': 'x86_pkg_temp\n',
  'sys/class/thermal/cooling_device0/type': 'Processor\n',
  'sys/class/power_supply/BAT0/type': 'Battery\n',
  'sys/class/power_supply/BAT0/capacity': '87\n',
  'sys/class/power_supply/BAT0/status': 'Discharging\n',
  'sys/class/power_supply/AC/type': 'Mains\n',
  'sys/class/power_supply/AC/online': '0\n',
  'sys/class/backlight/intel/brightness': '600\n',
  'sys/class/backlight/intel/max_brightness': '1200\n',
  'sys/class/leds/input3::capslock/brightness': '0\n',
  'sys/class/leds/input3::capslock/max_brightness': '1\n',
};

const build = (t: TestContext, files: Record<string, string>) => {
  const root = mkdtempSync(join(tmpdir(), 'althing-system-'));
  t.after(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  return { root, write, read: (path: string) => readFileSync(join(root, path), 'utf8') };
};

const expose = async (t: TestContext, root: string, options: Partial<SystemAdapterOptions> = {}) => {
  const wot = new MemoryWot();
  const adapter = await startSystemAdapter(wot, {
    logger: silentLogger,
    name: 'box',
    procRoot: join(root, 'proc'),
    sysRoot: join(root, 'sys'),
    disks: [],
    keepMs: 0,
    ...options,
  });
  t.after(() => adapter.stop());
  const thing = await wot.consume('box');
  const all = async () => {
    const outputs = await thing.readAllProperties();
    return Object.fromEntries(
      await Promise.all([...outputs].map(async ([name, output]) => [name, await output.value()])),
    );
  };
  return { wot, adapter, thing, all };
};

test('what the machine has is read in the units that the description gives', async (t) => {
  const { root } = build(t, machine);
  const { all, thing } = await expose(t, root);
  assert.deepEqual(await all(), {
    load1: 0.52,
    load5: 0.58,
    load15: 1.25,
    cpuCount: availableParallelism(),
    memoryTotal: 1_024_000,
    memoryAvailable: 256_000,
    memoryUsed: 75,
    uptime: 3600,
    network: {
      eth0: { rxBytes: 1000, rxPackets: 10, rxErrors: 1, txBytes: 2000, txPackets: 20, txErrors: 2 },
    },
    cpuPressure10: 1.5,
    cpuPressure60: 0.25,
    temperatureX86PkgTemp: 45.7,
    batteryLevel: 87,
    batteryState: 'Discharging',
    mainsOnline: false,
    backlight: 50,
    ledInput3Capslock: 0,
  });
  const { properties } = thing.getThingDescription();
  assert.equal(properties?.temperatureX86PkgTemp?.unit, 'Cel');
});

test('the description is a valid Thing Description, and read-only but for the lights', async (t) => {
  const { root } = build(t, machine);
  const { thing } = await expose(t, root, { disks: [{ name: 'root', path: '/' }] });
  const td = thing.getThingDescription();
  await validateTd(td);
  const writable = Object.entries(td.properties ?? {}).filter(([, { readOnly }]) => readOnly !== true);
  assert.deepEqual(
    writable.map(([name]) => name),
    ['backlight', 'ledInput3Capslock'],
  );
  assert.equal(td.properties?.ledInput3Capslock?.maximum, 1);
});

// A peer exposes this description without validating it: what a driver says must never be able to spoil it.
test('the description is valid whatever drivers call their devices, and however many there are', async (t) => {
  const many = Array.from({ length: 200 }, (_, i) => [`sys/class/leds/led:${i}/max_brightness`, '255\n']);
  const on = many.map(([path]) => [path!.replace('max_', ''), '0\n']);
  const crowded = build(t, { ...machine, ...Object.fromEntries([...many, ...on]) });
  await validateTd((await expose(t, crowded.root)).thing.getThingDescription());
  const said = fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { minLength: 1, maxLength: 4 });
  const numbers = fc.constantFrom('', '0', '-1', '255', 'x', '1e400');
  await fc.assert(
    fc.asyncProperty(said, numbers, async (labels, full) => {
      const files = labels.flatMap((label, i) => [
        [`sys/class/thermal/thermal_zone${i}/temp`, '45678\n'],
        [`sys/class/thermal/thermal_zone${i}/type`, label],
        [`sys/class/leds/led${i}/brightness`, '1'],
        [`sys/class/leds/led${i}/max_brightness`, full],
      ]);
      const { root } = build(t, Object.fromEntries(files));
      await validateTd((await expose(t, root)).thing.getThingDescription());
    }),
    { numRuns: 30 },
  );
});

test('lights are written in the steps of their driver', async (t) => {
  const { root, read } = build(t, machine);
  const { thing } = await expose(t, root);
  await thing.writeProperty('backlight', 25);
  await thing.writeProperty('ledInput3Capslock', 1);
  assert.equal(read('sys/class/backlight/intel/brightness'), '300');
  assert.equal(read('sys/class/leds/input3::capslock/brightness'), '1');
  const invalid = (error: unknown) => error instanceof AlthingError && error.code === 'value-invalid';
  await assert.rejects(thing.writeProperty('backlight', 101), invalid);
});

test('a light that may not be written is read-only', { skip: process.getuid?.() === 0 }, async (t) => {
  const { root } = build(t, machine);
  chmodSync(join(root, 'sys/class/backlight/intel/brightness'), 0o444);
  const { thing } = await expose(t, root);
  assert.equal(thing.getThingDescription().properties?.backlight?.readOnly, true);
});

test('a machine with nothing has no property for what is missing', async (t) => {
  const { root } = build(t, {});
  const { all } = await expose(t, root);
  const names = Object.keys(await all()).sort();
  assert.deepEqual(names, [
    'cpuCount',
    'load1',
    'load15',
    'load5',
    'memoryAvailable',
    'memoryTotal',
    'memoryUsed',
    'uptime',
  ]);
});

test('sensors of hwmon stand in where there are no thermal zones, and names stay apart', async (t) => {
  const { root } = build(t, {
    'sys/class/hwmon/hwmon0/name': 'k10temp\n',
    'sys/class/hwmon/hwmon0/temp1_input': '50000\n',
    'sys/class/hwmon/hwmon1/name': 'k10temp\n',
    'sys/class/hwmon/hwmon1/temp1_input': '51000\n',
  });
  const { all } = await expose(t, root);
  const { temperatureK10temp, temperatureK10temp2 } = await all();
  assert.deepEqual([temperatureK10temp, temperatureK10temp2], [50, 51]);
});

test('an observed property is told when it moves beyond its dead band, and only while it is observed', async (t) => {
  const { root, write } = build(t, machine);
  const { thing } = await expose(t, root, { pollMs: 5 });
  const told: unknown[] = [];
  const temperatures = await thing.observeProperty('temperatureX86PkgTemp', async (data) => {
    told.push(await data.value());
  });
  const levels: unknown[] = [];
  await thing.observeProperty('batteryLevel', async (data) => void levels.push(await data.value()));
  const temp = 'sys/class/thermal/thermal_zone0/temp';
  write(temp, '45900\n');
  write('sys/class/power_supply/BAT0/capacity', '86\n');
  await waitFor(() => levels.length === 1, { what: 'the battery' });
  write(temp, '47000\n');
  await waitFor(() => told.length === 1, { what: 'the temperature' });
  assert.deepEqual(told, [47]);

  await temperatures.stop();
  write(temp, '60000\n');
  write('sys/class/power_supply/BAT0/capacity', '85\n');
  await waitFor(() => levels.length === 2, { what: 'the battery again' });
  assert.deepEqual(told, [47]);
});

test('a device that is taken out fails as such, and the rest goes on', async (t) => {
  const { root } = build(t, machine);
  const { thing } = await expose(t, root);
  rmSync(join(root, 'sys/class/thermal'), { recursive: true });
  const failed = (error: unknown) => error instanceof AlthingError && error.code === 'handler-failed';
  await assert.rejects(thing.readProperty('temperatureX86PkgTemp'), failed);
  assert.equal(await (await thing.readProperty('batteryLevel')).value(), 87);
});

test('this machine itself is exposed, and gone after the stop', async (t) => {
  const wot = new MemoryWot();
  const adapter = await startSystemAdapter(wot, { logger: silentLogger, name: 'This machine' });
  t.after(() => adapter.stop());
  const thing = await wot.consume('this-machine');
  const outputs = await thing.readAllProperties();
  assert.ok(((await outputs.get('uptime')?.value()) as number) > 0);
  assert.ok(((await outputs.get('rootDiskTotal')?.value()) as number) > 0);
  await adapter.stop();
  assert.equal(wot.exposed.size, 0);
});

test('an aborted signal stops the adapter', async (t) => {
  const { root } = build(t, machine);
  const controller = new AbortController();
  const { wot } = await expose(t, root, { signal: controller.signal });
  controller.abort();
  await waitFor(() => wot.exposed.size === 0, { what: 'the Thing to go' });
});
