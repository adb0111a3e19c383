/**
 * The promises of the package: installed into an empty prefix, without a build and without install scripts, it runs.
 * Relies on npm with the settings of the environment, for the packages that Althing depends on.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { errorTable } from '../../src/core/errors.ts';
import { type InstalledPackage, installPackage } from '../installed-package.ts';

type Labs = typeof import('../../src/testing/process-lab.ts');

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const installTimeoutMs = 240_000;
const storyTimeoutMs = 90_000;

let dir = '';
let installed: InstalledPackage;
let lab: InstanceType<Labs['ProcessLab']>;

before(
  async () => {
    dir = await mkdtemp(join(tmpdir(), 'althing-package-'));
    installed = await installPackage(dir);
    // The package's own lab starts the package's own program.
    const { ProcessLab }: Labs = await import(
      pathToFileURL(join(installed.dir, 'dist', 'testing', 'process-lab.js')).href
    );
    lab = new ProcessLab();
  },
  { timeout: installTimeoutMs },
);
after(async () => {
  await lab?.close();
  await rm(dir, { recursive: true, force: true });
});

const packageFile = (): Record<string, unknown> & { version: string } =>
  JSON.parse(readFileSync(join(installed.dir, 'package.json'), 'utf8'));

test('the linked program runs and says the package’s version', async () => {
  const { stdout } = await run(process.execPath, [installed.launcher, '--version']);
  assert.equal(stdout.trim(), packageFile().version);
});

test('a peer runs with the machine and a script as its Things, and a command reaches them', async () => {
  const script = join(dir, 'lamp.mjs');
  await writeFile(
    script,
    `export default async (wot) => {
      let on = false;
      const lamp = await wot.produce({ title: 'Lamp', properties: { on: { type: 'boolean' } } });
      lamp.setPropertyReadHandler('on', async () => on);
      lamp.setPropertyWriteHandler('on', async (input) => { on = await input.value(); });
      await lamp.expose();
    };`,
  );
  const peer = await lab.startPeer({ system: true, args: ['--things', script] });
  const things = (await peer.cli('things')) as { title: string; online: boolean }[];
  assert.equal(things.length, 2);
  assert.ok(things.some(({ title, online }) => title === 'Lamp' && online));
  assert.equal(await peer.cli('write', 'lamp', 'on', 'true'), null);
  assert.equal(await peer.cli('read', 'lamp', 'on'), true);
  await peer.restart('SIGKILL');
  assert.equal(((await peer.cli('things')) as unknown[]).length, 2);
  await peer.kill('SIGTERM');
  assert.equal(peer.process.exitCode, 0);
});

test('the demo tells its whole story with the round trip of each command, and leaves nothing', async () => {
  const temp = join(dir, 'demo');
  await mkdir(temp);
  const demo = lab.spawnCommand(await lab.makeHome(), ['demo', '--once'], { env: { TMPDIR: temp } });
  await demo.ended(storyTimeoutMs);
  assert.equal(demo.exitCode, 0, demo.describe('to succeed'));
  const story = demo.lines.join('\n');
  const scenes = [
    /7 devices, 21 direct connections/,
    /door knows 8 Things by itself: .*Kitchen lamp/,
    /rule "The voice switches lamps": watched by speaker$/m,
    /speaker → Kitchen lamp: write on +[\d.]+ ms {2}rule the-voice-switches-lamps$/m,
    /speaker → Reading lamp: write on +[\d.]+ ms {2}rule the-voice-switches-lamps$/m,
    /Speaker: answer is "The lamps are on\."/,
    /Door: visitor is "Anna"/,
    /camera → Door: invoke unlock +[\d.]+ ms {2}rule the-door-opens-for-those-who-live-here$/m,
    /Thermostat: heating is true/,
    /computer is switched off: kill -9 \d+/,
    /computer is missed by the 6 others +\d+/,
    /Kitchen lamp: on is false/,
    /Door: visitor is "Ben"/,
    /computer is back, connected to 6 others/,
    /computer → Kitchen lamp: write on +[\d.]+ ms$/m,
    /Nothing is left: 8 processes ended/,
  ];
  for (const scene of scenes) assert.match(story, scene);
  assert.deepEqual(await readdir(temp), []);
});

test('a program embeds it by its name, and its types hold', async () => {
  const program = join(dir, 'program');
  await mkdir(join(program, 'node_modules', '@types'), { recursive: true });
  await symlink(installed.dir, join(program, 'node_modules', 'althing'));
  await symlink(
    join(root, 'node_modules', '@types', 'node'),
    join(program, 'node_modules', '@types', 'node'),
  );
  await writeFile(join(program, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(program, 'main.ts'),
    `import { AlthingError, createPeer, type PeerId, type Wot } from 'althing';
import { waitFor } from 'althing/testing/wait-for';

const peer = await createPeer({ home: process.argv[2]!, listen: '127.0.0.1:0', mdns: false });
const id: PeerId = peer.id;
const wot: Wot = peer.wot;
const lamp = await wot.produce({ title: 'Lamp', properties: { on: { type: 'boolean' } } });
lamp.setPropertyReadHandler('on', async () => true);
await lamp.expose();
await waitFor(() => peer.things().length === 1, { what: 'the lamp' });
const refused = await wot.consume('door').catch((error: unknown) => (error as AlthingError).code);
console.log(JSON.stringify([id === peer.self().peer, refused]));
await peer.stop();
`,
  );
  const strict = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'esnext', '--types', 'node'];
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const env = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };
  await run(tsc, [...strict, join(program, 'main.ts')], { env, cwd: program });
  const { stdout } = await run(process.execPath, [join(program, 'main.ts'), join(dir, 'embedded')]);
  assert.deepEqual(JSON.parse(stdout), [true, 'thing-unknown']);
});

test('it holds what users need, and no tests', async () => {
  const files = globSync('**/*', { cwd: installed.dir, exclude: ['node_modules'] });
  assert.deepEqual(
    files.filter((file) => /\.test\.|\.tgz$/.test(file)),
    [],
  );
  for (const needed of ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/errors.md', 'docs/protocol.md'])
    assert.ok(files.includes(needed), needed);
  const examples = await readdir(join(root, 'examples', 'home'));
  assert.deepEqual(files.filter((file) => /^examples\/home\/./.test(file)).length, examples.length);
});

test('every package that its files import is one that it brings along', () => {
  const { dependencies, peerDependencies } = packageFile() as Record<string, Record<string, string>>;
  const imported = new Set<string>();
  for (const file of globSync('dist/**/*.js', { cwd: installed.dir })) {
    const known = { ...dependencies, ...(file.startsWith(join('dist', 'testing')) && peerDependencies) };
    const code = readFileSync(join(installed.dir, file), 'utf8');
    for (const [, specifier = ''] of code.matchAll(/\b(?:from |import |import\()'([^'.\n][^'\n]*)'/g)) {
      if (specifier.startsWith('node:')) continue;
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
      assert.ok(!builtinModules.includes(name), `${file} imports ${name} without "node:"`);
      assert.ok(name in known, `${file} imports ${name}, which is no dependency`);
      imported.add(name);
    }
  }
  // Types alone do not need a dependency to be brought along, but its declarations do.
  for (const file of globSync('dist/**/*.d.ts', { cwd: installed.dir }))
    for (const [, name = ''] of readFileSync(join(installed.dir, file), 'utf8').matchAll(/from '([^'.:]+)'/g))
      imported.add(name);
  assert.deepEqual(
    Object.keys(dependencies!).filter((name) => !imported.has(name)),
    [],
  );
});

test('nothing that it depends on wants to run a script when it is installed', () => {
  const wanting = globSync('node_modules/{*,@*/*}/package.json', { cwd: installed.dir }).filter((file) => {
    const { scripts = {} } = JSON.parse(readFileSync(join(installed.dir, file), 'utf8')) as {
      scripts?: Record<string, string>;
    };
    return ['preinstall', 'install', 'postinstall'].some((name) => name in scripts);
  });
  assert.deepEqual(wanting, []);
});

test('under an old Node it says what is wrong: no Node comes with the package', async (t) => {
  const pretended = join(dir, 'pretend-old.cjs');
  await writeFile(pretended, "Object.defineProperty(process.versions, 'node', { value: '20.11.0' });");
  const ways = [[process.execPath, '--require', pretended], ...oldNodes().map((node) => [node])];
  t.diagnostic(`tried with ${ways.length - 1} old Node`);
  for (const [node = '', ...flags] of ways) {
    const said = spawnSync(node, [...flags, installed.launcher, '--json', 'peers'], { encoding: 'utf8' });
    assert.equal(said.status, errorTable['node-too-old'].exit, said.stderr);
    const { error } = JSON.parse(said.stderr) as { error: { code: string; hint: string } };
    assert.deepEqual([error.code, error.hint], ['node-too-old', errorTable['node-too-old'].hint]);
  }
});

/** What PATH has of Nodes below 24, one of each directory. */
const oldNodes = (): string[] =>
  [...new Set((process.env.PATH ?? '').split(delimiter))]
    .map((place) => join(place, 'node'))
    .filter((node) => {
      const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
      return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) < 24;
    });
