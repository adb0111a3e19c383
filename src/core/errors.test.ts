import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, errorTable, isErrorCode, toAlthingError } from './errors.ts';

test('every code has an HTTP status, an exit code and a hint that is a sentence', () => {
  for (const [code, { status, exit, retry, hint }] of Object.entries(errorTable)) {
    assert.match(code, /^[a-z]+(-[a-z]+)*$/);
    assert.ok(status >= 400 && status < 600, code);
    assert.ok([2, 3, 4, 5, 6, 7, 70].includes(exit), code);
    assert.equal(typeof retry, 'boolean', code);
    assert.match(hint, /^[A-Z].*\.$/, code);
  }
});

test('only codes of the table are codes', () => {
  assert.equal(isErrorCode('timeout'), true);
  for (const other of ['', 'nope', 'toString', '__proto__', 5, null, undefined])
    assert.equal(isErrorCode(other), false);
});

test('an error keeps its code, message, cause and details', () => {
  const cause = new Error('underneath');
  const error = new AlthingError('timeout', 'The lamp did not answer.', { cause, details: { afterMs: 5 } });
  assert.equal(error.code, 'timeout');
  assert.equal(error.message, 'The lamp did not answer.');
  assert.equal(error.cause, cause);
  assert.deepEqual(error.details, { afterMs: 5 });
  assert.equal('cause' in new AlthingError('timeout', 'x'), false);
});

test('whatever was thrown becomes an AlthingError, and one stays what it is', () => {
  const error = new AlthingError('timeout', 'x');
  assert.equal(toAlthingError(error, 'internal'), error);
  const wrapped = toAlthingError(new TypeError('broken'), 'handler-failed');
  assert.equal(wrapped.code, 'handler-failed');
  assert.equal(wrapped.message, 'broken');
  assert.equal(toAlthingError('text').code, 'internal');
  assert.equal(toAlthingError(undefined).message, 'undefined');
});
