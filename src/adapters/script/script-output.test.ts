import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { defaultOutputLimits, readOutput } from './script-output.ts';

const printed = async (chunks: string[], limits = {}) => {
  const stream = new PassThrough();
  const lines: string[] = [];
  let dropped = 0;
  readOutput(
    stream,
    (line) => lines.push(line),
    (count) => {
      dropped += count;
    },
    { ...defaultOutputLimits, ...limits },
  );
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await once(stream, 'close');
  return { lines, dropped };
};

test('lines arrive whole, however they were cut on the way', async () => {
  const { lines } = await printed(['one\ntw', 'o\n', '\nthr', 'ee']);
  assert.deepEqual(lines, ['one', 'two', 'three']);
});

test('a line without end is cut and costs no memory', async () => {
  const { lines } = await printed([...Array(100).fill('x'.repeat(1000)), '\nnext\n'], { lineChars: 50 });
  assert.deepEqual(lines, ['x'.repeat(50), 'next']);
});

test('lines above the rate are counted, not logged', async () => {
  const { lines, dropped } = await printed(['line\n'.repeat(500)], { linesAtOnce: 20 });
  assert.ok(lines.length >= 20 && lines.length < 100, String(lines.length));
  assert.equal(lines.length + dropped, 500);
});
