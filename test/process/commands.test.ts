/**
 * The promises of each command against a running peer's gateway: what goes out, what comes back, how it ends.
 * Relies on a real gateway over a fake peer in this process, and on real `althing` processes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, errorTable } from '../../src/core/errors.ts';
import { startCommandGateway } from '../../src/testing/command-gateway.ts';
import { lampId } from '../../src/testing/fake-peer.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const { lab, home, peer } = await startCommandGateway();

const run = (...args: string[]) => lab.run(home, args);

/** The JSON of a command that must succeed with nothing on stderr. */
const cli = async (...args: string[]): Promise<unknown> => {
  const { exitCode, json, stderr } = await run(...args);
  assert.equal(stderr, '');
  assert.equal(exitCode, 0);
  return json;
};

/** What people see. */
const shown = async (...args: string[]) => {
  const child = lab.spawnCommand(home, args);
  await child.ended(20_000);
  return { lines: child.lines, stderr: child.stderr, exitCode: child.exitCode };
};

test('peers and things are listed as JSON and as tables', async () => {
  assert.deepEqual(await cli('peers'), JSON.parse(JSON.stringify(peer.peers())));
  assert.deepEqual(await cli('things'), JSON.parse(JSON.stringify(peer.things())));
  const peers = await shown('peers');
  assert.match(peers.lines[0]!, /^NAME +ROLE +STATE +RTT +ADDRESS +LAST SEEN +ROOM +PEER$/);
  assert.match(peers.lines[2]!, /^attic +member +online +0\.4 ms +127\.0\.0\.1:7422 +- +- +z6Mk/);
  const things = await shown('things');
  assert.match(things.lines[1]!, /^Lamp +Light +- +hall +online +urn:althing:/);
});

test('things are found by type and text, and an empty list says what to do', async () => {
  assert.equal(((await cli('things', '--type', 'Light', 'lam')) as unknown[]).length, 1);
  assert.deepEqual(await cli('things', '--type', 'Lock'), []);
  assert.deepEqual((await shown('things', 'attic')).lines, ['No Thing matches. List all: althing things']);
  const { descriptions } = peer;
  peer.descriptions = [];
  const { lines } = await shown('things');
  peer.descriptions = descriptions;
  assert.deepEqual(lines, ['No Things yet. Expose some: althing up --things FILE']);
});

test('a Thing is named by title or id, and described whole or as a page', async () => {
  const td = (await cli('describe', 'lamp')) as { id: string };
  assert.equal(td.id, lampId);
  assert.deepEqual(await cli('describe', lampId), td);
  const { lines } = await shown('describe', 'hall/lamp');
  assert.equal(lines[0], 'Lamp');
  assert.ok(lines.some((line) => /^level +integer 0\.\.100 +read, write, observe$/.test(line)));
  const { error, exitCode } = await run('describe', 'nothing');
  assert.equal(error?.code, 'thing-unknown');
  assert.equal(exitCode, errorTable['thing-unknown'].exit);
});

test('values are written by their schema and read back', async () => {
  assert.equal(await cli('write', 'lamp', 'level', '42'), null);
  assert.equal(await cli('read', 'lamp', 'level'), 42);
  await cli('write', 'lamp', 'pin', '1234');
  assert.equal(peer.values.pin, '1234');
  assert.deepEqual((await shown('read', 'lamp', 'level')).lines, ['42']);
  assert.deepEqual((await shown('write', 'lamp', 'level', '7')).lines, ['Lamp: level is set to 7.']);
});

test('bytes are read as base64', async () => {
  assert.equal(await cli('read', 'lamp', 'snapshot'), 'iVBORw==');
});

test('read --last says what was last known and how long ago; a device out of reach is told with it', async () => {
  const value = { value: 10, time: '2025-01-01T00:00:00.000Z', ageMs: 720_000, online: true };
  assert.deepEqual(await cli('read', 'lamp', 'level', '--last'), value);
  assert.deepEqual((await shown('read', 'lamp', 'level', '--last')).lines, ['10 (12 min ago)']);
  for (const name of ['on', 'snapshot', 'nothing', 'toString'])
    assert.equal((await run('read', 'lamp', name, '--last')).error?.code, 'value-unknown');
  peer.failure = new AlthingError('peer-offline', 'The device of the lamp cannot be reached.');
  try {
    const { stderr, exitCode } = await shown('read', 'lamp', 'level');
    assert.equal(exitCode, errorTable['peer-offline'].exit);
    assert.match(stderr, /cannot be reached\. Last known: 10 \(12 min ago\)\.\n/);
    assert.match((await shown('read', 'lamp', 'on')).stderr, /cannot be reached\.\n/);
    assert.equal((await run('read', 'lamp', 'level')).error?.message, peer.failure.message);
  } finally {
    peer.failure = undefined;
  }
});

test('what the device refuses ends with its code', async () => {
  const { error, exitCode } = await run('write', 'lamp', 'level', '-5');
  assert.equal(error?.code, 'value-invalid');
  assert.equal(exitCode, errorTable['value-invalid'].exit);
  assert.equal((await run('read', 'lamp', 'nothing')).error?.code, 'affordance-unknown');
  assert.equal((await run('invoke', 'lamp', 'burn')).error?.code, 'handler-failed');
});

test('an action gives its output', async () => {
  assert.equal(await cli('invoke', 'lamp', 'add', '{"a":2,"b":3}'), 5);
  assert.equal(await cli('invoke', 'lamp', 'toggle'), null);
});

test('the causes of what the command line asks begin at the command line', async () => {
  await cli('read', 'lamp', 'on');
  assert.equal(peer.calls.at(-1)?.options.cause?.origin, 'cli');
});

test('a long action is waited for to its end, or not with --no-wait', async () => {
  const started = (await cli('invoke', 'lamp', 'fade', '{}', '--no-wait')) as { id: string; status: string };
  assert.equal(started.status, 'running');
  const waiting = run('invoke', 'lamp', 'fade', '{}');
  const asked = await waitFor(
    () => peer.calls.find(({ call }) => call.op === 'queryaction' && call.input !== started.id),
    { what: 'the command to ask how the action stands' },
  );
  peer.failFade(String(asked.call.input));
  const { error, exitCode } = await waiting;
  assert.equal(error?.code, 'handler-failed');
  assert.equal(error?.message, 'The bulb is out.');
  assert.equal(exitCode, errorTable['handler-failed'].exit);
});

test('a stream shows a value a line, tells of missed ones, and ends well when interrupted', async () => {
  const observing = lab.spawnCommand(home, ['observe', 'lamp', 'on', '--json']);
  await waitFor(() => peer.openStreams === 1, { what: () => observing.describe('to observe') });
  peer.emit('on', true);
  peer.emit('on', false);
  await waitFor(() => observing.lines.length === 2, { what: () => observing.describe('to show two values') });
  assert.deepEqual(observing.values, [true, false]);
  peer.fail('on', new AlthingError('values-missed', '3 values are lost.', { details: { missed: 3 } }));
  peer.emit('on', true);
  await waitFor(() => observing.lines.length === 3, { what: () => observing.describe('to go on') });
  assert.equal(JSON.parse(observing.stderr).error.code, 'values-missed');
  observing.kill('SIGINT');
  await observing.ended();
  assert.equal(observing.exitCode, 0);
  await waitFor(() => peer.openStreams === 0, { what: 'the stream to be closed at the peer' });
});

test('a stream that the device ends fails with its code', async () => {
  const subscribed = lab.spawnCommand(home, ['subscribe', 'lamp', 'overheated', '--json']);
  await waitFor(() => peer.openStreams === 1, { what: () => subscribed.describe('to subscribe') });
  peer.fail('overheated', new AlthingError('forbidden', 'No longer yours.'));
  await subscribed.ended();
  assert.equal(JSON.parse(subscribed.stderr).error.code, 'forbidden');
  assert.equal(subscribed.exitCode, errorTable.forbidden.exit);
});

test('tokens are made, listed and revoked', async () => {
  const made = (await cli('token', '--scope', 'read')) as { id: string; scope: string };
  assert.equal(made.scope, 'read');
  assert.ok(((await cli('tokens')) as { id: string }[]).some(({ id }) => id === made.id));
  assert.equal(await cli('token', 'revoke', made.id), null);
  assert.equal((await run('token', 'revoke', made.id)).error?.code, 'token-unknown');
});

test('an invite gives its ticket alone on stdout, and says the rest beside it', async () => {
  const invite = (await cli('invite', '--role', 'guest', '--uses', '3')) as { role: string; uses: number };
  assert.deepEqual([invite.role, invite.uses], ['guest', 3]);
  const { lines, stderr } = await shown('invite');
  assert.deepEqual(lines, ['althing:ticket']);
  assert.match(stderr, /althing join TICKET/);
});
