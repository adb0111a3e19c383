import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../core/bytes.ts';
import { decodeTicket, encodeTicket } from '../fabric/ticket.ts';
import { signRecord } from '../replica/record.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { peerId, peerSigner } from '../testing/control-lab.ts';
import { type LabPeer, ReplicaLab } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import { createInvite } from './invite.ts';
import { openTicket } from './join.ts';

const inviteAt = (lab: ReplicaLab, peer: LabPeer, request: Parameters<typeof createInvite>[0] = {}) =>
  createInvite(request, {
    replica: peer.replica,
    crypto: nodeCrypto,
    now: lab.clock.now,
    addressesOf: (of) => [`${of.slice(-4)}.local:7421`],
    peerNamed: (name) => name,
    online: () => [1, 2, 3, 4].map(peerId),
  });

test('a ticket opens to what the invite says, and names this peer first and two others', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [founder] = lab.peers as [LabPeer];
  const made = await inviteAt(lab, founder, { role: 'guest', uses: 3, expiresMs: 5000 });
  assert.equal(made.expires, new Date(lab.clock.now() + 5000).toISOString());
  const ticket = openTicket(made.ticket, nodeCrypto);
  assert.deepEqual(ticket.fabric, lab.fabric);
  assert.equal(ticket.role, 'guest');
  assert.deepEqual(
    ticket.peers.map(({ key }) => key),
    [0, 1, 2].map((number) => peerSigner(number).publicKey),
  );
  const [standing] = [...founder.replica.authority.invites.values()];
  assert.deepEqual(standing?.invite.invite, ticket.invite.publicKey);
  assert.equal(standing?.invite.uses, 3);
});

test('each invite has a secret of its own, and the replica holds none of them', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [founder] = lab.peers as [LabPeer];
  const seeds = new Set<string>();
  for (let count = 0; count < 5; count++) {
    const { seed } = decodeTicket((await inviteAt(lab, founder)).ticket, nodeCrypto);
    seeds.add(Buffer.from(seed).toString('hex'));
  }
  assert.equal(seeds.size, 5);
  for (const raw of founder.disk.records.values())
    for (const seed of seeds) assert.equal(Buffer.from(raw).includes(Buffer.from(fromHex(seed))), false);
});

test('bounds that make no sense are refused, and only admins invite', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  lab.connectAll();
  await lab.settle();
  const [founder, member] = lab.peers as [LabPeer, LabPeer];
  for (const request of [
    { uses: 0 },
    { uses: 1.5 },
    { uses: 10_001 },
    { expiresMs: 0 },
    { expiresMs: 366 * 86_400_000 },
    { role: 'admin' as 'member' },
  ])
    await assert.rejects(inviteAt(lab, founder, request), { code: 'bad-input' });
  await assert.rejects(inviteAt(lab, member), { code: 'not-admin' });
});

test('a ticket whose invite no admin of its fabric signed is forged, whatever else is right', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [founder] = lab.peers as [LabPeer];
  const ticket = decodeTicket((await inviteAt(lab, founder)).ticket, nodeCrypto);
  const forged = (change: Partial<typeof ticket>): void =>
    assert.throws(() => openTicket(encodeTicket({ ...ticket, ...change }, nodeCrypto), nodeCrypto), {
      code: 'ticket-invalid',
    });
  const thief = peerSigner(9);
  const invite = nodeCrypto.signer(ticket.seed).publicKey;
  const value = { type: 'invite', prev: null, invite, role: 'member', uses: 9, expires: 2 ** 50 };
  const body = {
    collection: 'member',
    key: 'k',
    author: thief.publicKey,
    epoch: 1,
    seq: 1,
    hlc: 1,
    deleted: false,
    value,
  };
  forged({ permit: signRecord(body, lab.fabric.id, thief) });
  forged({ permit: signRecord({ ...body, author: peerSigner(0).publicKey }, lab.fabric.id, thief) });
  forged({ seed: new Uint8Array(32) });
  forged({ genesis: new Uint8Array(40) });
  forged({ permit: new Uint8Array(100) });
  forged({ proof: [new Uint8Array(100)] });
});
