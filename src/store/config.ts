/**
 * `config.yaml`: what a person may set for one peer, and what the peer keeps there (its port).
 * Relies on `yaml` (YAML 1.2), loaded only where there is something to read or write; comments and unknown keys stay.
 */
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import type { Document } from 'yaml';
import { AlthingError } from '../core/errors.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { storeError } from './store-error.ts';

const hostPort = v.pipe(
  v.string(),
  v.regex(/^(\[[0-9a-fA-F:.%\w]+\]|[^\s:[\]]+):\d{1,5}$/, 'must be HOST:PORT'),
  v.check(
    (address) => Number(address.slice(address.lastIndexOf(':') + 1)) <= 65535,
    'has a port above 65535',
  ),
);

const configSchema = v.looseObject({
  /** The peer's name for people. */
  name: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(100))),
  /** The TCP port to listen on where `listen` names none. */
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535))),
  /** HOST:PORT of the peer's own listener. */
  listen: v.optional(hostPort),
  /** HOST:PORT of the gateway; none, no TCP. */
  http: v.optional(hostPort),
  /** HOST:PORT of peers to try first. */
  bootstrap: v.optional(v.pipe(v.array(hostPort), v.maxLength(64))),
  /** Whether to announce and look for peers on the local network. */
  mdns: v.optional(v.boolean()),
});

/** What `config.yaml` says; keys that this version does not know are left out. */
export type Config = Partial<Pick<v.InferOutput<typeof configSchema>, keyof typeof configSchema.entries>>;

/** What to change: a value, or null to remove the key. */
export type ConfigChange = { readonly [K in keyof Config]?: NonNullable<Config[K]> | null };

const maxFileBytes = 64 * 1024;

/**
 * The configuration in a file; empty where there is no file or nothing in it.
 * Throws `config-invalid` with the line, `home-read-only`, `disk-failed`.
 */
export const loadConfig = async (path: string): Promise<Config> => {
  const text = await readText(path);
  return quickConfig(text) ?? (await parse(text, path)).config;
};

/** What a peer itself writes into its file, and all that most files ever hold: `name` and `port` as plain words. */
const ownLines =
  /^(?:name: (?!(?:true|false|null)\n)(?<name>[a-z][a-z0-9-]{0,62})\n)?(?:port: (?<port>[1-9]\d{0,4})\n)?$/;

/** Reads such a file without the parser, whose megabytes every start would pay for; undefined for any other file. */
const quickConfig = (text: string): Config | undefined => {
  const { name, port } = ownLines.exec(text)?.groups ?? {};
  if (text !== '' && name === undefined && port === undefined) return undefined;
  if (Number(port) > 65535) return undefined;
  return { ...(name !== undefined && { name }), ...(port !== undefined && { port: Number(port) }) };
};

/**
 * Changes some keys and leaves the rest of the file, comments included, as it is. Resolves to the new configuration,
 * on disk. Throws `config-invalid` for a file or a value that does not hold, `disk-full`, `home-read-only`, `disk-failed`.
 */
export const updateConfig = async (path: string, change: ConfigChange): Promise<Config> => {
  const { document } = await parse(await readText(path), path);
  for (const [key, value] of Object.entries(change)) {
    if (value === null) document.delete(key);
    else if (value !== undefined) document.set(key, value);
  }
  const text = document.toString();
  const { config } = await parse(text, path);
  await writeFileAtomic(path, text);
  return config;
};

const readText = async (path: string): Promise<string> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw storeError(error, path);
  }
  if (text.length <= maxFileBytes) return text;
  throw new AlthingError('config-invalid', `${path} is larger than 64 KiB: that is no configuration.`);
};

const invalid = (path: string, line: number, problem: string): AlthingError =>
  new AlthingError('config-invalid', `${path}, line ${line}: ${problem}`, { details: { path, line } });

const parse = async (text: string, path: string): Promise<{ document: Document; config: Config }> => {
  const { LineCounter, parseDocument, isMap } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const [error] = document.errors;
  if (error) throw invalid(path, lineAt(error.pos[0]), error.message);
  if (document.contents !== null && !isMap(document.contents))
    throw invalid(path, 1, 'expected lines of the form "key: value".');
  const result = v.safeParse(configSchema, plainOf(document, path));
  if (!result.success) {
    const [issue] = result.issues;
    const keys = (issue.path ?? []).map(({ key }) => key);
    const node = document.getIn(keys, true) as { range?: readonly number[] } | undefined;
    throw invalid(path, lineAt(node?.range?.[0] ?? 0), `${keys.join('.')}: ${issue.message}.`);
  }
  return { document, config: known(result.output) };
};

const plainOf = (document: Document, path: string): unknown => {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    // Aliases that unfold into more than the library allows.
    throw invalid(path, 1, `${(error as Error).message}.`);
  }
};

const known = (output: v.InferOutput<typeof configSchema>): Config =>
  Object.fromEntries(
    Object.keys(configSchema.entries)
      .filter((key) => output[key] !== undefined)
      .map((key) => [key, output[key]]),
  );
