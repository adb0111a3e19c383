/**
 * The promise that imports point one way only, and that the linter is really the one who sees to it.
 * Relies on the arrow table below, which says the same as `biome.json` in fewer words.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const biome = join(root, 'node_modules', '.bin', 'biome');

/** Folder -> the folders of src that it may import from, besides itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  core: [],
  thing: ['core'],
  fabric: ['core', 'thing'],
  replica: ['core', 'thing', 'fabric'],
  rules: ['core', 'thing', 'fabric', 'replica'],
  store: ['core', 'thing', 'fabric', 'replica', 'rules'],
  net: ['core', 'thing', 'fabric', 'replica', 'rules'],
  peer: ['core', 'thing', 'fabric', 'replica', 'rules', 'store', 'net'],
  adapters: ['core', 'thing'],
  gateway: ['core', 'thing', 'fabric', 'replica', 'rules', 'store', 'net', 'peer'],
  client: ['core', 'thing'],
  cli: ['core', 'thing', 'fabric', 'rules', 'peer', 'adapters', 'gateway', 'client'],
};
/** Single files of other folders that are open to one. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  // Where a peer's home and socket are: the command line looks there before any peer runs.
  cli: ['../store/home.ts'],
};
const folders = Object.keys(arrows);
const pureFolders = ['core', 'thing', 'fabric', 'replica', 'rules'];

const sources = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'));

/** Every module that a source names, in import, export from and import(). */
const importsOf = (file: string): string[] => {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^'\n]+)'/g)].map((match) => match[1]!);
};

const folderOf = (file: string): string => file.split(sep)[1]!;

test('every folder of src is in the arrow table, testing aside', () => {
  const found = new Set(sources.filter((file) => file.split(sep).length > 2).map(folderOf));
  found.delete('testing');
  assert.deepEqual(
    [...found].filter((folder) => !folders.includes(folder)),
    [],
  );
});

test('no source imports against the arrows', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of sources) {
    const folder = folderOf(file);
    const allowed = arrows[folder];
    if (allowed === undefined) continue; // testing/ and index.ts may import from everywhere.
    for (const specifier of importsOf(file)) {
      seen += 1;
      if (specifier.startsWith('node:') && pureFolders.includes(folder)) wrong.push(`${file}: ${specifier}`);
      if (!specifier.startsWith('.') || exceptions[folder]?.includes(specifier)) continue;
      const target = folderOf(join('src', relative('src', join(dirname(file), specifier))));
      if (target !== folder && !allowed.includes(target)) wrong.push(`${file}: ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 50, `only ${seen} imports were found: the pattern no longer matches the sources`);
});

test('the linter refuses every import against the arrows', async () => {
  // The same configuration over a tree that holds one forbidden import a file.
  const tree = await mkdtemp(join(tmpdir(), 'althing-arrows-'));
  try {
    const { vcs: _, ...config } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    await writeFile(join(tree, 'biome.json'), JSON.stringify(config));
    const forbidden: string[] = [];
    for (const folder of folders) {
      await mkdir(join(tree, 'src', folder), { recursive: true });
      const targets = [...folders, 'testing'].filter(
        (target) => target !== folder && !arrows[folder]!.includes(target),
      );
      const imports = targets.map((target) => `../${target}/x.ts`);
      if (pureFolders.includes(folder)) imports.push('node:fs');
      for (const [index, specifier] of imports.entries()) {
        const file = join('src', folder, `case-${index}.ts`);
        await writeFile(join(tree, file), `import '${specifier}';\n`);
        forbidden.push(file);
      }
    }
    const refused = lint(tree).diagnostics.filter(({ category }) =>
      category.endsWith('/noRestrictedImports'),
    );
    assert.deepEqual(new Set(refused.map(({ location }) => location.path)), new Set(forbidden));
  } finally {
    await rm(tree, { recursive: true });
  }
});

test('the linter sees every source file', () => {
  const { summary } = lint(root, 'src');
  assert.equal(summary.changed + summary.unchanged, globSync('src/**/*.ts', { cwd: root }).length);
});

interface LintReport {
  readonly summary: { readonly changed: number; readonly unchanged: number };
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string };
  }[];
}

const lint = (cwd: string, path = '.'): LintReport => {
  const args = ['lint', path, '--reporter=json', '--max-diagnostics=none'];
  const { stdout, stderr } = spawnSync(biome, args, { cwd, encoding: 'utf8' });
  assert.ok(stdout.startsWith('{'), `the linter gave no report: ${stderr}`);
  return JSON.parse(stdout) as LintReport;
};
