/**
 * The promises of revoking, leaving, replacing and recovering, with the program as people run it.
 * Relies on real processes on loopback.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, test } from 'node:test';
import { clientOf } from '../../src/cli/connect.ts';
import type { PeerInfo } from '../../src/core/api-shapes.ts';
import type {
  GrantInfo,
  LeaveInfo,
  MemberInfo,
  RecoverInfo,
  RevocationInfo,
  RoleInfo,
} from '../../src/core/governance-shapes.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new ProcessLab();
after(() => lab.close());

const ticketOf = async (admin: LabPeer, ...args: string[]): Promise<string> =>
  ((await admin.cli('invite', ...args)) as { ticket: string }).ticket;

const join = async (admin: LabPeer, joiner: LabPeer, ...args: string[]): Promise<void> => {
  await joiner.cli('join', await ticketOf(admin, ...args));
};

const peersAt = (peer: LabPeer): Promise<PeerInfo[]> => clientOf(peer.home).peers();
const membersAt = (peer: LabPeer): Promise<MemberInfo[]> =>
  clientOf(peer.home).governance.members({ all: true });

/** Waits until `at` says of `of` what is expected: a role, or how it is out. */
const says = (at: LabPeer, of: string, expected: string): Promise<unknown> =>
  waitFor(
    async () => {
      const member = (await membersAt(at)).find(({ peer }) => peer === of);
      return (member?.gone?.how ?? member?.role) === expected;
    },
    { timeoutMs: 20_000, what: `${at.ready.name} to say that ${of} is ${expected}` },
  );

/** It says so in its log, and does not list itself as a member any more. */
const knowsThatItIsOut = async (peer: LabPeer): Promise<void> => {
  await waitFor(() => peer.process.stderr.includes('was put out of'), {
    what: () => peer.process.describe('to learn that it is out'),
  });
  const self = (await peersAt(peer)).find(({ state }) => state === 'self');
  assert.deepEqual([self?.role, self?.gone?.how], [null, 'revoked']);
};

test('a member is revoked while it is on: sessions close, it says so, and it can join again with a new key', async () => {
  const [hall, bulb, phone] = await Promise.all([
    lab.startPeer({ name: 'hall' }),
    lab.startPeer({ name: 'bulb' }),
    lab.startPeer({ name: 'phone' }),
  ]);
  const ticket = await ticketOf(hall);
  await bulb.cli('join', ticket);
  await join(hall, phone);
  await says(phone, bulb.id, 'member');
  const revoked = (await hall.cli('revoke', 'bulb')) as RevocationInfo;
  assert.deepEqual([revoked.what, revoked.id, revoked.inForce], ['peer', bulb.id, true]);
  await says(phone, bulb.id, 'revoked');
  await says(bulb, bulb.id, 'revoked');
  const offline = async (at: LabPeer, id: string): Promise<boolean> =>
    !(await peersAt(at)).some(({ peer, state }) => peer === id && state === 'online');
  await waitFor(() => offline(phone, bulb.id), { what: 'the session to close' });
  await waitFor(() => offline(bulb, hall.id), { what: 'the session to close' });
  await knowsThatItIsOut(bulb);

  // Its own records are dropped there, and people still know what it was called.
  const named = (await membersAt(phone)).find(({ peer }) => peer === bulb.id);
  assert.equal(named?.name, 'bulb');

  // Its old ticket lets nobody in, neither the old key nor a fresh one.
  const again = await bulb.run('join', await ticketOf(hall));
  assert.equal(again.error?.code, 'revoked');
  const left = (await bulb.cli('leave')) as LeaveInfo;
  await bulb.process.ended();
  assert.ok((await readdir(left.archive)).includes('identity.key'));
  const refused = await bulb.run('join', ticket);
  assert.equal(refused.error?.code, 'invite-revoked');
  const joined = (await bulb.cli('join', await ticketOf(hall))) as { peer: string };
  assert.notEqual(joined.peer, left.peer);
  await bulb.start();
  assert.equal(bulb.id, joined.peer);
  await says(phone, joined.peer, 'member');
});

test('a member that was off when it was revoked learns it at its first contact, and stays quiet', async () => {
  const hall = await lab.startPeer({ name: 'hall' });
  const bulb = await lab.startPeer({ name: 'bulb' });
  await join(hall, bulb);
  await bulb.kill();
  const { unheard } = (await hall.cli('revoke', bulb.id)) as RevocationInfo;
  assert.deepEqual(unheard, []);
  await bulb.start();
  await knowsThatItIsOut(bulb);
  // It knows after a restart, too, and can then join again while its peer is not running.
  await bulb.restart();
  await knowsThatItIsOut(bulb);
  await bulb.kill('SIGTERM');
  const joined = (await bulb.cli('join', await ticketOf(hall))) as { peer: string };
  assert.notEqual(joined.peer, bulb.id);
});

test('leaving is told to the others, and the next start founds a fabric with a new key', async () => {
  const hall = await lab.startPeer({ name: 'hall' });
  const desk = await lab.startPeer({ name: 'desk' });
  await join(hall, desk);
  await says(hall, desk.id, 'member');
  const former = desk.ready;
  const info = (await desk.cli('leave')) as LeaveInfo;
  assert.deepEqual(info.told, [hall.id]);
  await desk.process.ended();
  assert.equal(desk.process.exitCode, 0);
  await says(hall, former.peer, 'left');
  await desk.start();
  assert.notEqual(desk.id, former.peer);
  assert.notEqual(desk.ready.fabric, former.fabric);
  assert.equal(desk.ready.name, 'desk');
  await join(hall, desk);
  // The only admin is warned.
  const warned = await hall.run('leave');
  assert.equal(warned.error?.code, 'admins-too-few');
  assert.equal(hall.process.isClosed, false);
});

test('the only admin is lost: the words on a member’s device make that one the admin', async () => {
  const hall = await lab.startPeer({ name: 'hall' });
  const desk = await lab.startPeer({ name: 'desk' });
  const bulb = await lab.startPeer({ name: 'bulb' });
  const { words } = (await hall.cli('recovery')) as { words: string };
  await join(hall, desk);
  await join(hall, bulb);
  await says(bulb, desk.id, 'member');
  await says(desk, bulb.id, 'member');
  await hall.kill();
  const wrong = await lab.run(desk.home, ['recover'], {
    env: { ALTHING_RECOVERY_WORDS: 'abandon '.repeat(24) },
  });
  assert.equal(wrong.error?.code, 'bad-input');
  const recovered = await lab.run(desk.home, ['recover', '--revoke', hall.id], {
    env: { ALTHING_RECOVERY_WORDS: words },
  });
  assert.deepEqual((recovered.json as RecoverInfo | undefined)?.admins, [desk.id], recovered.stderr);
  await says(bulb, desk.id, 'admin');
  await says(bulb, hall.id, 'revoked');
  await desk.cli('role', 'bulb', 'admin');
  await says(bulb, bulb.id, 'admin');
  // Found again, the old admin learns what has become of it.
  await hall.start();
  await knowsThatItIsOut(hall);
});

test('a new device takes the place of a broken one by a ticket, and the commands say who governs', async () => {
  const hall = await lab.startPeer({ name: 'hall' });
  const old = await lab.startPeer({ name: 'old' });
  const fresh = await lab.startPeer({ name: 'fresh' });
  await join(hall, old);
  await says(hall, old.id, 'member');
  await old.kill();
  await join(hall, fresh, '--replaces', 'old');
  await says(fresh, old.id, 'replaced');
  const grant = (await hall.cli('grant', 'fresh', '--all', '--ops', 'read', '--for', '2h')) as GrantInfo;
  assert.deepEqual([grant.subject, grant.all, grant.operations], [fresh.id, true, ['read']]);
  assert.equal(((await hall.cli('grants')) as GrantInfo[]).length, 1);
  await hall.cli('revoke', grant.id.slice(0, 12));
  assert.deepEqual(await hall.cli('grants'), []);
  const role = (await hall.cli('role', 'fresh', 'guest')) as RoleInfo;
  assert.deepEqual([role.role, role.inForce], ['guest', true]);
  assert.equal((await fresh.run('role', 'hall', 'member')).error?.code, 'not-admin');
  const { id } = (await hall.cli('invite', '--uses', '3')) as { id: string };
  assert.ok(((await hall.cli('invites')) as { id: string }[]).some((invite) => invite.id === id));
  await hall.cli('revoke', id);
  assert.ok(!((await hall.cli('invites')) as { id: string }[]).some((invite) => invite.id === id));
});
