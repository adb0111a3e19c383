/**
 * The promises of the log for people: one line an entry, facts beside it, levels respected.
 * Relies on a stream that keeps what is written.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { createHumanLogger, logLevel } from './log.ts';

const keptLog = (level: 'debug' | 'info' | 'warn' | 'error') => {
  const lines: string[] = [];
  const stream = {
    write: (text: string) => {
      lines.push(text);
      return true;
    },
    on: () => {},
  };
  return { lines, logger: createHumanLogger(level, stream, () => new Date(2025, 0, 1, 12, 3, 4)) };
};

test('an entry is one line: time, sentence, facts of the part and its own', () => {
  const { lines, logger } = keptLog('info');
  logger.child({ part: 'net' }).info({ peer: 'z6Mk', rttMs: 0.5, none: undefined }, 'a session is up');
  logger.error({ err: new AlthingError('timeout', 'No answer.') }, 'a request failed');
  logger.warn({ text: 'a\nb' }, 'odd');
  assert.deepEqual(lines, [
    '12:03:04 a session is up part=net peer=z6Mk rttMs=0.5\n',
    '12:03:04 error: a request failed err=timeout: No answer.\n',
    '12:03:04 warn: odd text="a\\nb"\n',
  ]);
});

test('entries below the level are left out, and an unknown level is refused', () => {
  const { lines, logger } = keptLog('warn');
  logger.debug({}, 'a');
  logger.info({}, 'b');
  logger.warn({}, 'c');
  assert.equal(lines.length, 1);
  assert.equal(logLevel({}), 'info');
  assert.equal(logLevel({ ALTHING_LOG: 'debug' }), 'debug');
  assert.throws(
    () => logLevel({ ALTHING_LOG: 'loud' }),
    (error: unknown) => error instanceof AlthingError && error.code === 'bad-option',
  );
});
