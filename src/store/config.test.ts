import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Config, loadConfig, updateConfig } from './config.ts';

const configPath = async (t: TestContext, text?: string): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-config-'));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, 'config.yaml');
  if (text !== undefined) await writeFile(path, text);
  return path;
};

test('no file, an empty one and one of comments all mean: nothing set', async (t) => {
  assert.deepEqual(await loadConfig(await configPath(t)), {});
  assert.deepEqual(await loadConfig(await configPath(t, ' \n')), {});
  assert.deepEqual(await loadConfig(await configPath(t, '# later\n')), {});
});

test('the short way to read what peers write gives what YAML says', async (t) => {
  const path = await configPath(t);
  const whole = async (text: string): Promise<unknown> => {
    await writeFile(path, text);
    return loadConfig(path).catch(({ code }) => code);
  };
  const words = fc.constantFrom(
    'true',
    'false',
    'null',
    'no',
    'hall-2',
    'Hall',
    'e1',
    'x'.repeat(70),
    '"a"',
    '1',
  );
  const numbers = fc.oneof(
    fc.integer({ min: -1, max: 70_000 }).map(String),
    fc.constantFrom('007', '1e3', '0x10'),
  );
  const line = fc.oneof(
    words.map((word) => `name: ${word}\n`),
    numbers.map((number) => `port: ${number}\n`),
    fc.constantFrom('mdns: false\n', 'port:\n', '\n', ' '),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 3 }), async (lines) => {
      const text = lines.join('');
      assert.deepEqual(await whole(text), await whole(`${text}\n# a comment takes the long way\n`));
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(await whole('name: hall-2\nport: 65535\n'), { name: 'hall-2', port: 65535 });
});

test('all keys are read', async (t) => {
  const config: Config = {
    name: 'Kitchen',
    port: 7421,
    listen: '[::]:7421',
    http: '127.0.0.1:7420',
    bootstrap: ['10.0.0.2:7421', 'attic.lan:7421'],
    mdns: false,
  };
  assert.deepEqual(await loadConfig(await configPath(t, JSON.stringify(config))), config);
});

test('a change keeps comments, unknown keys and the rest', async (t) => {
  const path = await configPath(t, '# by hand\nname: Kitchen # the peer\nfuture:\n  - 1\n');
  assert.deepEqual(await updateConfig(path, { port: 7421 }), { name: 'Kitchen', port: 7421 });
  assert.equal(
    await readFile(path, 'utf8'),
    '# by hand\nname: Kitchen # the peer\nfuture:\n  - 1\nport: 7421\n',
  );
  assert.deepEqual(await updateConfig(path, { port: null }), { name: 'Kitchen' });
});

test('a change makes the file where there is none, for its owner only', async (t) => {
  for (const text of [undefined, '', '# only a comment\n']) {
    const path = await configPath(t, text);
    await updateConfig(path, { port: 7421 });
    assert.deepEqual(await loadConfig(path), { port: 7421 });
    if (text === undefined) assert.equal((await stat(path)).mode & 0o777, 0o600);
  }
});

test('what does not hold is named with its line', async (t) => {
  const cases: [text: string, line: number, what: RegExp][] = [
    ['name: a\nport: 70000\n', 2, /port: /],
    ['name: a\nlisten: nowhere\n', 2, /HOST:PORT/],
    ['http: 127.0.0.1:99999\n', 1, /65535/],
    ['bootstrap:\n  - a:1\n  - nope\n', 3, /bootstrap\.1: /],
    ['port: 1\nname: "x\n', 3, /quote/],
    ['name: a\nname: b\n', 2, /unique/],
    ['- a\n', 1, /key: value/],
    ['name: ""\n', 1, /name: /],
  ];
  for (const [text, line, what] of cases) {
    const path = await configPath(t, text);
    await assert.rejects(loadConfig(path), (error: Error & { code: string }) => {
      assert.equal(error.code, 'config-invalid');
      assert.match(error.message, what);
      assert.match(error.message, new RegExp(`, line ${line}: `), `${text} gave ${error.message}`);
      return true;
    });
  }
});

test('aliases that unfold into gigabytes are refused', async (t) => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 10; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  await assert.rejects(loadConfig(await configPath(t, bomb.join('\n'))), { code: 'config-invalid' });
});

test('a file too large to be a configuration is refused', async (t) => {
  await assert.rejects(loadConfig(await configPath(t, `# ${'x'.repeat(70_000)}`)), {
    code: 'config-invalid',
  });
});

test('a change that would not hold is refused and the file stays as it is', async (t) => {
  const path = await configPath(t, 'name: Kitchen\n');
  await assert.rejects(updateConfig(path, { port: -1 }), { code: 'config-invalid' });
  assert.equal(await readFile(path, 'utf8'), 'name: Kitchen\n');
});
