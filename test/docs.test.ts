/**
 * The promise that the tables in docs/ say what the code says.
 * Relies on the error table, the shape of rules and package.json; `ALTHING_UPDATE_DOCS=1` rewrites what is generated.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorTable } from '../src/core/errors.ts';
import { ruleJsonSchema } from '../src/rules/rule-json-schema.ts';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const errorsPage = (): string => {
  const rows = Object.entries(errorTable).map(
    ([code, { status, exit, retry, hint }]) =>
      `| \`${code}\` | ${status} | ${exit} | ${retry ? 'yes' : 'no'} | ${hint} |`,
  );
  return `# Errors

Every failure carries one of these codes: \`AlthingError.code\` in programs, \`code\` in the gateway's problem details
(RFC 9457), \`error.code\` on stderr with \`--json\`. Written out of \`src/core/errors.ts\` by
\`ALTHING_UPDATE_DOCS=1 npm run test:docs\`.

Exit codes: 2 usage, 3 not found, 4 refused, 5 out of reach, 6 this machine, 7 the other side, 70 a bug in Althing.
"Retry" says whether the same request can succeed later without a change by anybody.

| code | HTTP status | exit code | retry | hint |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
};

test('docs/errors.md equals the error table', () => {
  if (process.env.ALTHING_UPDATE_DOCS)
    writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsPage());
  assert.equal(read('docs/errors.md'), errorsPage());
});

test('docs/rule.schema.json equals what the reader of rules takes', () => {
  const page = `${JSON.stringify(ruleJsonSchema(), null, 2)}\n`;
  if (process.env.ALTHING_UPDATE_DOCS)
    writeFileSync(new URL('../docs/rule.schema.json', import.meta.url), page);
  assert.equal(read('docs/rule.schema.json'), page);
});

test('docs/dependencies.md has a line for every package and for no other', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const [runTime = '', development = ''] = read('docs/dependencies.md').split('## In development');
  const listed = (section: string): string[] =>
    [...section.matchAll(/^\| `([^`]+)` \| \S/gm)].map((match) => match[1]!);
  assert.deepEqual(listed(runTime), Object.keys(dependencies).sort());
  assert.deepEqual(listed(development), Object.keys(devDependencies).sort());
});

test('every promise of docs/security.md names a test that is there', () => {
  const promises = [...read('docs/security.md').matchAll(/^\| [^|]+ \| `([^`]+\.ts)`: (.+) \|$/gm)];
  assert.ok(promises.length > 30);
  for (const [, file, name] of promises) assert.ok(read(file!).includes(name!), `${file}: ${name}`);
});
