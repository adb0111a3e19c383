/**
 * What the commands of governing show and refuse, against a gateway that answers the same every time.
 * Relies on a real gateway over a fake peer in this process, and on real `althing` processes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCommandGateway } from '../../src/testing/command-gateway.ts';
import { hallId } from '../../src/testing/fake-governance.ts';

const { lab, home, peer } = await startCommandGateway();

/** What people see. */
const shown = async (...args: string[]): Promise<string> => {
  const child = lab.spawnCommand(home, args);
  await child.ended(20_000);
  assert.equal(child.exitCode, 0, child.stderr);
  return `${child.lines.join('\n')}\n${child.stderr}`;
};

test('members show how they came, what is proposed, and on request who is out', async () => {
  const text = await shown('members', '--all');
  assert.match(text, /^NAME +ROLE +SINCE +CAME BY +NOTES +PEER/);
  assert.match(
    text,
    /attic +member .*not confirmed by an admin yet; proposed as admin by z6Mk\w+: 1 more must agree/,
  );
  assert.match(text, /- +revoked .*by z6Mk/);
});

test('what waits for other admins says for whom, and what is done says so', async () => {
  assert.match(
    await shown('role', 'attic', 'admin', '--before', '2026-05-01'),
    new RegExp(`1 more of these admins has run the same command: ${hallId}`),
  );
  assert.match(await shown('role', 'attic', 'guest'), /^attic is guest now\./);
  assert.match(
    await shown('revoke', 'attic'),
    new RegExp(`is out of the fabric\\.[^]*not heard of it: ${hallId}`),
  );
});

test('a grant is asked for as it was written', async () => {
  peer.governance.asked.length = 0;
  const args = [
    '--ops',
    'read, write',
    '--affordances',
    'on,level',
    '--for',
    '2h',
    '--from',
    '2026-05-01T08:00:00Z',
  ];
  assert.match(
    await shown('grant', 'attic', 'lamp', 'hall/lamp', ...args),
    /End it: althing revoke cdcdcdcdcdcd/,
  );
  assert.deepEqual(peer.governance.asked, [
    {
      subject: 'attic',
      things: ['lamp', 'hall/lamp'],
      operations: ['read', 'write'],
      affordances: ['on', 'level'],
      from: '2026-05-01T08:00:00.000Z',
      forMs: 7_200_000,
    },
  ]);
});

test('a Thing or a peer is named as it was written; what is not said stays, an empty name takes it away', async () => {
  peer.governance.asked.length = 0;
  assert.deepEqual((await lab.run(home, ['rename', 'lamp', 'Hall light', '--room', 'hall'])).json, {
    id: 'lamp',
    name: 'Hall light',
    room: 'hall',
  });
  assert.match(await shown('rename', 'attic', 'loft'), /^attic is called "loft"\.\n/);
  assert.match(
    await shown('rename', 'attic', '--room', ''),
    /^attic has no name of its own, in the room ""\.\n/,
  );
  assert.deepEqual(peer.governance.asked, [
    { target: 'lamp', name: 'Hall light', room: 'hall' },
    { target: 'attic', name: 'loft', room: undefined },
    { target: 'attic', name: undefined, room: '' },
  ]);
});

test('options that make no sense are refused before anybody is asked', async () => {
  for (const args of [
    ['role', 'attic', 'king'],
    ['role', 'attic', 'member', '--before', 'yesterday'],
    ['grant', 'attic', 'lamp', '--ops', 'read,fly'],
    ['grant', 'attic', 'lamp', '--for', 'long'],
  ]) {
    const { error, exitCode } = await lab.run(home, args);
    assert.deepEqual([error?.code, exitCode], ['bad-option', 2], args.join(' '));
  }
});
