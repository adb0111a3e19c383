import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { storeError } from './store-error.ts';

test('a full disk is named as one', { skip: !existsSync('/dev/full') && 'no /dev/full' }, async () => {
  const thrown = await writeFile('/dev/full', 'x').catch((error: unknown) => error);
  const error = storeError(thrown, '/home/x/config.yaml');
  assert.equal(error.code, 'disk-full');
  assert.match(error.message, /\/home\/x\/config\.yaml/);
  assert.equal(error.cause, thrown);
});

test('every code that disks give has its meaning, and the rest says what it was', async () => {
  const codeOf = (facts: object) => storeError(Object.assign(new Error('odd'), facts), '/p').code;
  for (const code of ['EROFS', 'EACCES', 'EPERM']) assert.equal(codeOf({ code }), 'home-read-only');
  assert.equal(codeOf({ code: 'EIO' }), 'disk-failed');
  const sqlite = (errcode: number) => codeOf({ code: 'ERR_SQLITE_ERROR', errcode });
  assert.equal(sqlite(5), 'home-in-use');
  assert.equal(sqlite(11), 'store-corrupt');
  assert.equal(sqlite(26), 'store-corrupt');
  assert.equal(sqlite(13), 'disk-full');
  assert.equal(sqlite(8 | (4 << 8)), 'home-read-only'); // SQLITE_READONLY_DBMOVED: extended codes count too.
  assert.equal(sqlite(10 | (4 << 8)), 'disk-failed'); // SQLITE_IOERR_FSYNC
  assert.equal(sqlite(1), 'internal');
  const odd = await readFile('/dev/null/nothing/here\0').catch((error: unknown) => error);
  assert.equal(storeError(odd, '/p').code, 'internal');
  assert.match(storeError('a string', '/p').message, /a string/);
});

test('an error that is ours already stays itself', () => {
  const ours = new AlthingError('key-corrupt', 'x');
  assert.equal(storeError(ours, '/p'), ours);
});
