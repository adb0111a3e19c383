import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { utf8 } from '../core/bytes.ts';
import { JournalFile } from './journal-file.ts';

const pathOf = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-journal-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return join(dir, 'steps.journal');
};

const read = (path: string, token: string): string[] | undefined =>
  new JournalFile(path).read(token)?.map((entry) => new TextDecoder().decode(entry));

test('what was appended is there for the next process, whatever became of the one that did it', (t) => {
  const path = pathOf(t);
  const journal = new JournalFile(path);
  journal.begin('one');
  for (const entry of ['a', '', 'ccc']) journal.append(utf8(entry));
  assert.deepEqual(read(path, 'one'), ['a', '', 'ccc']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  journal.close();
});

test('a journal of another token, and none at all, say nothing', (t) => {
  const path = pathOf(t);
  assert.equal(read(path, 'one'), undefined);
  const journal = new JournalFile(path);
  journal.begin('one');
  journal.append(utf8('a'));
  assert.equal(read(path, 'on'), undefined);
  assert.equal(read(path, 'one more'), undefined);
  journal.begin('two');
  assert.equal(read(path, 'one'), undefined);
  assert.deepEqual(read(path, 'two'), []);
  journal.close();
});

test('one that is cleared is empty, and goes on', (t) => {
  const path = pathOf(t);
  const journal = new JournalFile(path);
  journal.begin('one');
  const emptyBytes = journal.sizeBytes;
  journal.append(utf8('a'));
  assert.ok(journal.sizeBytes > emptyBytes);
  journal.clear();
  assert.equal(journal.sizeBytes, emptyBytes);
  journal.append(utf8('b'));
  assert.deepEqual(read(path, 'one'), ['b']);
  journal.close();
});

test('reading ends before the first entry that is torn or damaged', (t) => {
  const path = pathOf(t);
  const journal = new JournalFile(path);
  journal.begin('one');
  for (const entry of ['first', 'second', 'third']) journal.append(utf8(entry));
  journal.close();
  const whole = readFileSync(path);
  truncateSync(path, whole.length - 1);
  assert.deepEqual(read(path, 'one'), ['first', 'second']);
  const damaged = Buffer.from(whole);
  damaged[damaged.indexOf('second')]! ^= 1;
  writeFileSync(path, damaged);
  assert.deepEqual(read(path, 'one'), ['first']);
  writeFileSync(path, whole);
  appendFileSync(path, Buffer.alloc(5, 0xff));
  assert.deepEqual(read(path, 'one'), ['first', 'second', 'third']);
});
