import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  formatMembershipFile,
  type MembershipFacts,
  parseMembershipFile,
  readMembershipFile,
  writeMembershipFile,
} from './membership-file.ts';

const facts: MembershipFacts = {
  genesis: new Uint8Array([1, 2, 3]),
  proof: [new Uint8Array(30).fill(7), new Uint8Array(0)],
  addresses: [['z6Mk', ['10.0.0.1:7421', '[::1]:7421']]],
  epoch: 1_700_000_000_000,
  clock: 2 ** 52,
};

const pathIn = async (t: TestContext): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-membership-'));
  t.after(() => rm(dir, { recursive: true }));
  return join(dir, 'membership');
};

test('what was written is read again, by its owner alone', async (t) => {
  const path = await pathIn(t);
  assert.equal(await readMembershipFile(path), undefined);
  await writeMembershipFile(path, facts);
  assert.deepEqual(await readMembershipFile(path), facts);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await writeMembershipFile(path, { ...facts, epoch: 5 });
  assert.equal((await readMembershipFile(path))?.epoch, 5);
});

test('a file with any byte changed, cut anywhere, or of another kind is refused and left as it is', async (t) => {
  const text = formatMembershipFile(facts);
  for (let at = 0; at < text.length - 1; at++) {
    const other = text[at] === 'A' ? 'B' : 'A';
    assert.equal(
      parseMembershipFile(text.slice(0, at) + other + text.slice(at + 1)),
      undefined,
      `byte ${at}`,
    );
    assert.equal(parseMembershipFile(text.slice(0, at)), undefined, `cut at ${at}`);
  }
  const path = await pathIn(t);
  await writeFile(path, 'something else');
  await assert.rejects(readMembershipFile(path), { code: 'store-corrupt' });
  assert.equal(await readFile(path, 'utf8'), 'something else');
});

test('the file of version 1 is read for ever', () => {
  const line =
    'althing-membership-1 hUMBAgOCWB4HBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwdAgYJkejZNa4JtMTAuMC4wLjE6NzQyMWpbOjoxXTo3NDIxGwAAAYvP5WgAGwAQAAAAAAAA 27b7f5ded3de7173';
  assert.deepEqual(parseMembershipFile(line), facts);
});
