/**
 * The package as users get it: packed, and installed into an empty prefix. For tests and benches of the packaged form.
 * Relies on npm with the settings of the environment; install scripts are off, to prove that none is needed.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const npmTimeoutMs = 180_000;

/** An installed package. */
export interface InstalledPackage {
  /** Its own directory, `.../node_modules/althing`. */
  readonly dir: string;
  /** The program's launcher as npm links it. */
  readonly launcher: string;
}

/** npm under the Node that runs this, without the settings that `npm run` gives to what it runs. */
const npm = async (...args: string[]): Promise<void> => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  env.PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  await run('npm', args, { cwd: root, env, timeout: npmTimeoutMs, maxBuffer: 16 * 1024 * 1024 });
};

/** Packs the project and installs it into `dir`, which exists. */
export const installPackage = async (dir: string): Promise<InstalledPackage> => {
  const packed = join(dir, 'packed');
  const prefix = join(dir, 'prefix');
  await mkdir(packed);
  await npm('pack', '--silent', '--pack-destination', packed);
  const [file] = await readdir(packed);
  if (file === undefined) throw new Error('npm pack made no file.');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  await npm('install', '--global', '--prefix', prefix, ...quiet, join(packed, file));
  return {
    dir: join(prefix, 'lib', 'node_modules', 'althing'),
    launcher: join(prefix, 'bin', 'althing'),
  };
};
