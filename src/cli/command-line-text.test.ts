/**
 * The promises of the small readers and writers of command-line text: durations, addresses, tables.
 * Relies on nothing but them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { parseDurationMs } from './duration.ts';
import { parseHostPort } from './host-port.ts';
import { table } from './table.ts';

const isBadOption = (error: unknown) => error instanceof AlthingError && error.code === 'bad-option';

test('durations are read with their unit, and refused without one', () => {
  assert.equal(parseDurationMs('90s', '--expires'), 90_000);
  assert.equal(parseDurationMs('1d', '--expires'), 86_400_000);
  for (const text of ['', '1', '0d', '-1d', '1.5h', '1 d', '1y', '99999999s'])
    assert.throws(() => parseDurationMs(text, '--expires'), isBadOption, text);
});

test('HOST:PORT is read with names, IPv4, bracketed IPv6 and no host', () => {
  assert.deepEqual(parseHostPort('127.0.0.1:7420', '--http'), { host: '127.0.0.1', port: 7420 });
  assert.deepEqual(parseHostPort('[::1]:0', '--http'), { host: '::1', port: 0 });
  assert.deepEqual(parseHostPort(':0', '--http'), { host: '', port: 0 });
  assert.deepEqual(parseHostPort('hall.local:1', '--http'), { host: 'hall.local', port: 1 });
  for (const text of ['', '7420', '127.0.0.1', '::1:7420', 'a:65536', 'http://a:1', 'a:1/x'])
    assert.throws(() => parseHostPort(text, '--http'), isBadOption, text);
});

test('columns are aligned, gaps show as dashes, and a cell never breaks the line', () => {
  assert.equal(
    table(
      ['NAME', 'STATE'],
      [
        ['hall lamp', 'online'],
        ['x', null],
        ['two\nlines', ''],
      ],
    ),
    ['NAME       STATE', 'hall lamp  online', 'x          -', 'two lines  -'].join('\n'),
  );
});
