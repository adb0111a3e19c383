/**
 * What a script's process may do, as Node's command line flags, and the environment that it sees.
 * Relies on Node's permission model (`--permission`, Node 24): all that is not granted here is denied.
 */
import { readdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AlthingError } from '../../core/errors.ts';

/** What a script is allowed beyond running. */
export interface ScriptPermissions {
  /** Directories that no script may read, although they lie in its folder: the peer's home. */
  readonly protect: readonly string[];
  /** Limit of V8's old space, in MiB. */
  readonly heapMib: number;
}

const scriptExtensions = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']);
/** Names beside a script that it may need, where its folder cannot be granted as a whole. */
const neighbours = new Set([...scriptExtensions, '.json']);
const maxNeighbours = 500;

/** This file runs as it is in the sources and compiled in the package: the child's entry has its extension. */
const ownExtension = extname(fileURLToPath(import.meta.url));
export const childEntry = fileURLToPath(new URL(`script-child${ownExtension}`, import.meta.url));

/** The script's real path. Throws `bad-input` for a missing file and one that is no script. */
export const resolveScript = (file: string): string => {
  let path: string;
  try {
    path = realpathSync(resolve(file));
  } catch (error) {
    throw new AlthingError('bad-input', `There is no script ${file}: check the path.`, { cause: error });
  }
  if (!scriptExtensions.has(extname(path)))
    throw new AlthingError('bad-input', `${file} is no script: its name ends in .js, .mjs, .cjs or .ts.`);
  if (path.includes('*'))
    throw new AlthingError('bad-input', `The path of ${file} contains a "*": rename the file or its folder.`);
  return path;
};

/** Node's flags for a script at a real path: reads its own folder, and nothing else of the machine. */
export const nodeFlags = (file: string, { protect, heapMib }: ScriptPermissions): string[] => [
  '--permission',
  ...[...readable(file, protect), ...ownFiles()].map((path) => `--allow-fs-read=${path}`),
  // SQLite opens files past the permission model: measured on Node 24.
  '--no-experimental-sqlite',
  `--max-old-space-size=${heapMib}`,
  ...typescriptFlags(file),
];

/** Scripts written for other runners use enums too, which Node only strips out when it is told to transform. */
const typescriptFlags = (file: string): string[] => {
  const flag = '--experimental-transform-types';
  const wanted = file.endsWith('ts') && process.allowedNodeEnvironmentFlags.has(flag);
  return wanted ? [flag, '--disable-warning=ExperimentalWarning'] : [];
};

/** What a script sees of the environment: language, time zone and certificates, no secrets and no Node options. */
export const scriptEnvironment = (from: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  const names = Object.keys(from).filter((name) => /^(TZ|LANG|LC_[A-Z]+|NODE_EXTRA_CA_CERTS)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, from[name]]));
};

/** The script's folder; where that holds a protected directory (or all of a user's home), only what is beside it. */
const readable = (file: string, protect: readonly string[]): string[] => {
  const folder = dirname(file);
  const holdsSecret = [homedir(), ...protect].some((path) => within(folder, realpath(path)));
  if (!holdsSecret) return [join(folder, sep)];
  const entries = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && neighbours.has(extname(entry.name)) && !entry.name.includes('*'))
    .map((entry) => join(folder, entry.name))
    .slice(0, maxNeighbours);
  return [...new Set([file, ...entries, join(folder, 'node_modules', sep)])];
};

const within = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

const realpath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    // What does not exist yet keeps the name it will have.
    return resolve(path);
  }
};

/** Althing's own files that the child loads; it uses no library. */
const ownFiles = (): string[] => {
  const source = dirname(dirname(dirname(childEntry)));
  return [
    join(dirname(childEntry), sep),
    join(source, 'core', sep),
    join(source, 'thing', sep),
    join(dirname(source), 'package.json'),
  ];
};

/** A script's name for people: its file name. */
export const scriptName = (file: string): string => basename(file);
