/**
 * The promises of the command line as a program: help, exit codes, errors as JSON, and the launcher under any Node.
 * Relies on real processes; no peer runs here.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commands } from '../../src/cli/command-table.ts';
import { errorTable } from '../../src/core/errors.ts';
import { ProcessLab } from '../../src/testing/process-lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const lab = new ProcessLab();
after(() => lab.close());
const home = await lab.makeHome();
const run = (...args: string[]) => lab.run(home, args);

test('help lists every command, and every command has help with its options', async () => {
  const { stdout, exitCode } = await run('--help');
  assert.equal(exitCode, 0);
  for (const { name, summary } of commands)
    if (!name.includes(' ')) assert.match(stdout, new RegExp(`^  ${name}\\b.*`, 'm'), summary);
  const pages = helpPages();
  assert.equal((await run('read', '--help')).stdout, pages.get('read'));
  for (const { name, options } of commands) {
    const help = pages.get(name)!;
    for (const { flags } of options) assert.ok(help.includes(flags), `${name}: ${flags}`);
    assert.ok(help.includes('--home <dir>'), name);
  }
});

/** What the program says as help of each command: told by one process, since a start for each costs seconds. */
const helpPages = (): Map<string, string> => {
  const program = new URL('../../src/cli/program.ts', import.meta.url).href;
  const names = commands.map(({ name }) => name);
  const script = `import { runProgram } from ${JSON.stringify(program)};
    for (const name of ${JSON.stringify(names)}) {
      console.log('\\f' + name);
      await runProgram([...name.split(' '), '--help'], async () => {});
    }`;
  const told = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(told.status, 0, told.stderr);
  const pages = told.stdout.split('\f').slice(1);
  return new Map(
    pages.map((page): [string, string] => {
      const [name = '', ...lines] = page.trimEnd().split('\n');
      return [name, lines.join('\n')];
    }),
  );
};

test('the version is the package’s', async () => {
  const { stdout, exitCode } = await run('--version');
  assert.match(stdout, /^\d+\.\d+\.\d+$/);
  assert.equal(exitCode, 0);
});

for (const args of [
  ['frobnicate'],
  ['read', 'lamp'],
  ['peers', '--frob'],
  ['up', '--frob'],
  ['up', 'lamp'],
  ['up', '--http', 'nowhere'],
  ['token', '--scope', 'all'],
  ['invite', '--uses', '0'],
  ['invite', '--expires', 'soon'],
  ['invite', '--role', 'admin'],
  [],
])
  test(`"althing ${args.join(' ')}" is a usage error: one JSON line on stderr, nothing on stdout`, async () => {
    const { exitCode, stdout, stderr, error } = await run(...args);
    assert.equal(error?.code, 'bad-option');
    assert.equal(error?.hint, errorTable['bad-option'].hint);
    assert.equal(exitCode, errorTable['bad-option'].exit);
    assert.equal(stdout, '');
    assert.equal(stderr.trimEnd().split('\n').length, 1);
  });

for (const args of [['peers'], ['things'], ['read', 'lamp', 'on'], ['observe', 'lamp', 'on'], ['invite']])
  test(`"althing ${args[0]}" says that no peer runs where none does`, async () => {
    const { exitCode, error } = await run(...args);
    assert.equal(error?.code, 'not-running');
    assert.ok(error?.message.includes(home));
    assert.equal(exitCode, errorTable['not-running'].exit);
  });

test('without --json an error is a sentence and a hint', async () => {
  const child = lab.spawnCommand(home, ['peers']);
  await child.ended(20_000);
  assert.equal(child.stderr, `althing: No peer is running on ${home}.\n${errorTable['not-running'].hint}\n`);
});

test('--home comes before ALTHING_HOME', async () => {
  const other = await lab.makeHome();
  const { error } = await run('--home', other, 'peers');
  assert.ok(error?.message.includes(other));
});

/** A Node before 24.12 on this machine, where there is one. */
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((dir) => !dir.includes('node_modules'))
  .map((dir) => join(dir, 'node'))
  .find((node) => {
    const { stdout } = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = (stdout ?? '').split('.').map(Number);
    return stdout && (major < 24 || (major === 24 && minor < 12));
  });
const withOldNode = { skip: oldNode === undefined && 'this machine has no old Node' };

test('under an old Node the launcher takes the project’s own', withOldNode, async () => {
  const result = await lab.run(home, ['peers'], { node: oldNode! });
  assert.equal(result.error?.code, 'not-running');
  assert.equal(result.exitCode, errorTable['not-running'].exit);
});

test('under an old Node with none of its own the launcher says what is wrong', withOldNode, async () => {
  const bare = await lab.makeHome();
  await cp(join(root, 'bin'), join(bare, 'bin'), { recursive: true });
  const asJson = spawnSync(oldNode!, [join(bare, 'bin', 'althing'), 'peers', '--json'], { encoding: 'utf8' });
  const { error } = JSON.parse(asJson.stderr);
  assert.equal(error.code, 'node-too-old');
  assert.equal(error.hint, errorTable['node-too-old'].hint);
  assert.equal(asJson.status, errorTable['node-too-old'].exit);
  const asText = spawnSync(oldNode!, [join(bare, 'bin', 'althing'), 'peers'], { encoding: 'utf8' });
  assert.match(asText.stderr, /^althing: Althing needs Node 24\.12 or newer, and this is Node \d/);
});

test('an installed package runs its dist, through a link too', async () => {
  const bare = await lab.makeHome();
  await cp(join(root, 'bin'), join(bare, 'bin'), { recursive: true });
  await mkdir(join(bare, 'dist', 'cli'), { recursive: true });
  await writeFile(join(bare, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(bare, 'dist', 'cli', 'main.js'),
    'export const main = async (argv) => console.log(JSON.stringify(argv));',
  );
  await symlink(join(bare, 'bin', 'althing'), join(bare, 'althing'));
  const { stdout } = spawnSync(process.execPath, [join(bare, 'althing'), 'read', 'a b'], {
    encoding: 'utf8',
  });
  assert.equal(stdout, '["read","a b"]\n');
});

test(
  'under an old Node a hoisted one is taken, and its exit code and signals are passed on',
  withOldNode,
  async () => {
    const modules = join(await lab.makeHome(), 'node_modules');
    const bare = join(modules, 'althing');
    await cp(join(root, 'bin'), join(bare, 'bin'), { recursive: true });
    await mkdir(join(modules, 'node', 'bin'), { recursive: true });
    await writeFile(
      join(modules, 'node', 'package.json'),
      JSON.stringify({ version: process.versions.node }),
    );
    await symlink(process.execPath, join(modules, 'node', 'bin', 'node'));
    await mkdir(join(bare, 'dist', 'cli'), { recursive: true });
    await writeFile(join(bare, 'package.json'), '{ "type": "module" }');
    await writeFile(
      join(bare, 'dist', 'cli', 'main.js'),
      `export const main = async ([wish]) => {
      if (wish === 'exit') process.exit(5);
      process.on('SIGTERM', () => process.exit(7));
      if (wish === 'stay') setInterval(() => {}, 1000);
      if (wish === 'die') process.kill(process.pid, 'SIGKILL');
      console.log('here');
    };`,
    );
    const launcher = join(bare, 'bin', 'althing');
    assert.equal(spawnSync(oldNode!, [launcher, 'exit']).status, 5);
    assert.equal(spawnSync(oldNode!, [launcher, 'die']).signal, 'SIGKILL');
    const staying = spawn(oldNode!, [launcher, 'stay'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(staying.stdout, 'data');
    staying.kill('SIGTERM');
    const [exitCode] = await once(staying, 'exit');
    assert.equal(exitCode, 7);
  },
);
