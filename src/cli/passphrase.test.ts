/**
 * The promise of the passphrase: asked for where a person is, read where none is, and never shown.
 * Relies on streams that look like a terminal or a pipe.
 */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { readPassphrase } from './passphrase.ts';

const terminal = () => Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });

const typing = async (lines: readonly string[], isNew: boolean) => {
  const input = terminal();
  const shown: string[] = [];
  const asked = readPassphrase({ isNew, env: {}, input, prompt: (text) => shown.push(text) });
  for (const line of lines) input.write(`${line}\r`);
  return { asked, shown };
};

test('on a terminal it is asked for, twice where it is new, and not shown', async () => {
  const { asked, shown } = await typing(['correct horse', 'correct horse'], true);
  assert.equal(await asked, 'correct horse');
  assert.deepEqual(shown, ['Passphrase: ', '\n', 'Once more: ', '\n']);
  const once = await typing(['short'], false);
  assert.equal(await once.asked, 'short');
});

test('two that differ, a short new one and none at all are refused', async () => {
  await assert.rejects((await typing(['correct horse', 'correct hose'], true)).asked, { code: 'bad-input' });
  await assert.rejects((await typing(['short', 'short'], true)).asked, { code: 'bad-input' });
  const nothing = new PassThrough();
  nothing.end();
  await assert.rejects(readPassphrase({ isNew: false, env: {}, input: nothing }), { code: 'bad-input' });
});

test('without a terminal it is the first line, and the environment goes before', async () => {
  const pipe = new PassThrough();
  pipe.end('from the pipe\nmore\n');
  assert.equal(await readPassphrase({ isNew: true, env: {}, input: pipe }), 'from the pipe');
  const env = { ALTHING_PASSPHRASE: 'from the environment' };
  assert.equal(await readPassphrase({ isNew: true, env, input: new PassThrough() }), 'from the environment');
});
