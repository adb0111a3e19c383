/**
 * The promises of a command's output: one JSON line or text, failures with their hint, nothing that rewrites the screen.
 * Relies on streams that keep what is written.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, errorTable } from '../core/errors.ts';
import { createOutput, type TextStream } from './output.ts';

class KeptStream implements TextStream {
  text = '';
  fail: (error: NodeJS.ErrnoException) => void = () => {};
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  on(_event: 'error', listener: (error: NodeJS.ErrnoException) => void): void {
    this.fail = listener;
  }
}

const outputOf = (json: boolean) => {
  const stdout = new KeptStream();
  const stderr = new KeptStream();
  return { stdout, stderr, out: createOutput(json, stdout, stderr) };
};

test('an answer is one line of JSON with --json, and remarks are left out', () => {
  const { stdout, stderr, out } = outputOf(true);
  out.answer({ a: 'x\ny' }, () => 'for people');
  out.answer(undefined, () => 'for people');
  out.note('by the way');
  assert.equal(stdout.text, '{"a":"x\\ny"}\nnull\n');
  assert.equal(stderr.text, '');
});

test('an answer is text for people without --json, and remarks go to stderr', () => {
  const { stdout, stderr, out } = outputOf(false);
  out.answer({ a: 1 }, () => 'for people');
  out.note('by the way');
  assert.equal(stdout.text, 'for people\n');
  assert.equal(stderr.text, 'by the way\n');
});

test('a failure shows code, message and hint on one line of JSON, or message and hint', () => {
  const error = new AlthingError('thing-unknown', 'There is no Thing "lamp".');
  const { hint } = errorTable['thing-unknown'];
  const asJson = outputOf(true);
  asJson.out.failure(error);
  assert.deepEqual(JSON.parse(asJson.stderr.text), {
    error: { code: 'thing-unknown', message: 'There is no Thing "lamp".', hint },
  });
  assert.equal(asJson.stderr.text.split('\n').length, 2);
  const asText = outputOf(false);
  asText.out.failure(error);
  assert.equal(asText.stderr.text, `althing: There is no Thing "lamp".\n${hint}\n`);
});

test('control characters out of other devices never reach the terminal', () => {
  const { stdout, stderr, out } = outputOf(false);
  out.answer(null, () => 'lamp\x1b[2J\r\x07\x9b');
  out.failure(new AlthingError('internal', 'said \x1b]0;title\x07'));
  for (const text of [stdout.text, stderr.text]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  }
});

test('once the reader of stdout is gone nothing is written and streams are told', () => {
  const { stdout, out } = outputOf(true);
  stdout.fail(Object.assign(new Error('gone'), { code: 'EPIPE' }));
  out.answer(1, () => '');
  assert.equal(out.closed.aborted, true);
  assert.equal(stdout.text, '');
});
