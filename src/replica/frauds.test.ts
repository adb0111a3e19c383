import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../core/bytes.ts';
import type { AlthingError } from '../core/errors.ts';
import { peerIdOf } from '../core/ids.ts';
import { peerSigner } from '../testing/control-lab.ts';
import { type LabPeer, ReplicaLab, signedBy } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import { origin, type RecordBody, type SignedRecord } from './record.ts';
import type { SyncMessage } from './sync-messages.ts';

const give = (peer: LabPeer, records: readonly SignedRecord[]) =>
  peer.replica.receive({
    stream: records[0]!.stream,
    author: records[0]!.author,
    from: origin,
    to: { epoch: records.at(-1)!.epoch, seq: records.at(-1)!.seq },
    records: records.map(({ raw }) => raw),
  });

const connectedLab = async (peers: number, seed: number): Promise<ReplicaLab> => {
  const lab = await ReplicaLab.of(peers, seed);
  lab.connectAll();
  await lab.settle();
  return lab;
};

const statement = (lab: ReplicaLab, seq: number, name: string, prev: string | null) =>
  signedBy(lab, 3, {
    collection: 'member',
    seq,
    value: { type: name, prev: prev && fromHex(prev) },
  });

test('two bodies for one data position are proven everywhere, for good, and the author has no data any more', async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const cheat = lab.peers[3]!;
  lab.cut(cheat);
  lab.cut(a, b);
  await give(a, [signedBy(lab, 3, { value: 'left' })]);
  await give(b, [signedBy(lab, 3, { value: 'right' })]);
  lab.connect(a, b);
  await lab.settle();
  for (const peer of [a, b, c]) {
    await peer.restart();
    assert.deepEqual(
      peer.replica.frauds().map(({ authorId, stream }) => [authorId, stream]),
      [[cheat.id, 'data']],
    );
    assert.equal(peer.replica.get('value', 'k'), undefined);
    assert.deepEqual(peer.replica.position('data', cheat.id), origin);
    assert.equal(await give(peer, [signedBy(lab, 3, { seq: 2, value: 'more' })]), 'unauthorised');
  }
});

test('control records from the lowest proven position on are void for all alike', async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.cut();
  const root = statement(lab, 1, 'root', null);
  const [p, q] = [statement(lab, 2, 'p', root.hash), statement(lab, 2, 'q', root.hash)];
  await give(a, [root, p, statement(lab, 3, 'p', p.hash)]);
  await give(b, [root, q, statement(lab, 3, 'q', q.hash)]);
  lab.connectAll();
  await lab.settle();
  for (const peer of [a, b, c]) {
    assert.equal(peer.replica.position('control', lab.peers[3]!.id).seq, 1);
    assert.deepEqual(
      peer.replica.frauds().map(({ seq }) => seq),
      [2],
    );
    assert.deepEqual(peer.vector(), a.vector());
    assert.equal(await give(peer, [root, p]), 'void');
  }
  assert.deepEqual(lab.failures, []);
});

test('of an admin both bodies for one position count, for all alike, and what follows on either is taken in', async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [admin, a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  const own = admin.replica.control.filter(({ authorId }) => authorId === admin.id);
  const first = own.toSorted((x, y) => x.epoch - y.epoch || x.seq - y.seq)[0]!;
  const invitation = (name: number, place: Partial<RecordBody>, prev: string | null) =>
    signedBy(lab, 0, {
      collection: 'member',
      key: `forged-${name}`,
      hlc: first.hlc,
      ...place,
      value: {
        type: 'invite',
        prev: prev && fromHex(prev),
        invite: peerSigner(name).publicKey,
        role: 'member',
        uses: 1,
        expires: 9e15,
      },
    });
  // A thief with the admin's key signs another first record, and goes on from it.
  const { epoch, seq } = first;
  const forged = invitation(70, { epoch, seq }, null);
  const onward = invitation(71, { epoch: epoch + 2 ** 40, seq: 1 }, forged.hash);
  const before = a.replica.authority;
  lab.cut(admin);
  for (const [peer, records] of [
    [b, [forged]] as const,
    [b, [onward]] as const,
    [c, [forged, onward]] as const,
  ])
    await peer.replica.receive(
      {
        stream: 'control',
        author: forged.author,
        from: origin,
        to: { epoch: records.at(-1)!.epoch, seq: records.at(-1)!.seq },
        records: records.map(({ raw }) => raw),
      },
      { reach: 'all' },
    );
  await lab.settle();
  for (const peer of [a, b, c]) {
    await peer.restart();
    const { authority } = peer.replica;
    assert.deepEqual([...authority.members.keys()].sort(), [...before.members.keys()].sort());
    assert.deepEqual(
      [...authority.invites.keys()].sort(),
      [...before.invites.keys(), toHex(peerSigner(70).publicKey), toHex(peerSigner(71).publicKey)].sort(),
    );
    assert.deepEqual(
      peer.replica.frauds().map(({ seq: at }) => at),
      [seq],
    );
    assert.deepEqual(peer.replica.position('data', admin.id), origin);
  }
  assert.deepEqual(lab.failures, []);
});

test('a copy of this peer that contradicts it is told to the owner; its data is written on, its word is not', async (t) => {
  const lab = await connectedLab(2, seedOf(t));
  const peer = lab.peers[1]!;
  const told: string[] = [];
  const { onChange } = peer.replica;
  peer.replica.onChange = (change) => {
    told.push(...change.frauds);
    onChange(change);
  };
  const own = { collection: 'member', author: peer.signer.publicKey };
  const [p, q] = [1, 2].map((hlc) => signedBy(lab, 1, { ...own, hlc, value: { type: 'x', prev: null } }));
  assert.equal(await peer.replica.receiveProof([p!.raw, q!.raw]), true);
  await peer.write({ collection: 'peer', key: peer.id, value: {} });
  assert.deepEqual(told, [peer.id]);
  await assert.rejects(peer.write({ collection: 'member', key: 'x', value: { type: 'x' } }), {
    code: 'forbidden',
  });
  await lab.settle();
  assert.equal(lab.peers[0]!.replica.frauds().length, 1);
  assert.deepEqual(lab.failures, []);
});

test('what proves nothing ends the session, what nobody asked for is ignored, and strangers are not told of', async (t) => {
  const lab = await connectedLab(2, seedOf(t));
  const peer = lab.peers[0]!;
  const [good, other] = [signedBy(lab, 1, { value: 1 }), signedBy(lab, 1, { value: 2 })];
  const [stranger, strange] = [signedBy(lab, 9, { value: 1 }), signedBy(lab, 9, { value: 2 })];
  assert.equal(await peer.replica.receiveProof([stranger.raw, strange.raw]), false);
  const failures: AlthingError[] = [];
  const link = {
    peer: peerIdOf(peerSigner(1).publicKey),
    send: () => {},
    fail: (error: AlthingError) => failures.push(error),
  };
  peer.reconciler.add(link);
  const say = (message: SyncMessage) => peer.reconciler.handle(link, message);
  await say({ kind: 'fraud', records: [good.raw, other.raw] });
  assert.deepEqual(peer.replica.frauds(), []);
  await say({ kind: 'frauds', entries: [{ stream: 'data', author: good.author, epoch: 1, seq: 1 }] });
  await say({ kind: 'fraud', records: [good.raw, good.raw] });
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['record-invalid'],
  );
  assert.deepEqual(peer.replica.frauds(), []);
});

test('a session that claims to hold a proof and never gives it keeps nobody else from giving it', async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  lab.cut();
  await give(a, [signedBy(lab, 3, { value: 'left' })]);
  await give(a, [signedBy(lab, 3, { value: 'right', seq: 1 }), signedBy(lab, 3, { seq: 2 })]);
  const [proof] = a.replica.frauds();
  assert.ok(proof);
  const { stream, author, epoch, seq } = proof;
  const link = { peer: lab.peers[2]!.id, send: (_: SyncMessage) => {}, fail: () => {} };
  b.reconciler.add(link);
  await b.reconciler.handle(link, { kind: 'frauds', entries: [{ stream, author, epoch, seq }] });
  lab.connect(a, b);
  await lab.settle();
  assert.equal(b.replica.frauds().length, 1);
});

/** Member 3 signs two for each of so many positions, `from` on; the lower ones first. */
const forks = (lab: ReplicaLab, count: number, from = 1): [SignedRecord, SignedRecord][] =>
  Array.from({ length: count }, (_, at) => [
    statement(lab, from + at, 'p', null),
    statement(lab, from + at, 'q', null),
  ]);

test('of many proofs about one author the lowest are kept, the same whatever came first, restarts included', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut();
  const proofs = forks(lab, 70);
  for (const [p, q] of proofs) await a.replica.receiveProof([p.raw, q.raw]);
  for (const [p, q] of proofs.toReversed()) await b.replica.receiveProof([p.raw, q.raw]);
  for (const peer of [a, b]) {
    await peer.restart();
    const seqs = peer.replica.frauds().map(({ seq }) => seq);
    assert.deepEqual(
      seqs.toSorted((x, y) => x - y),
      Array.from({ length: 64 }, (_, at) => at + 1),
    );
    assert.equal([...peer.disk.local.keys()].filter((key) => key.startsWith('fraud/')).length, 64);
  }
});

test('however many proofs there are about others, one about an author of data is believed', async (t) => {
  const lab = await ReplicaLab.of(11, seedOf(t));
  const [a] = lab.peers as [LabPeer];
  for (let number = 1; number < 10; number++)
    for (let seq = 1; seq <= 60; seq++) {
      const [p, q] = ['p', 'q'].map((type) =>
        signedBy(lab, number, { collection: 'member', seq, value: { type, prev: null } }),
      );
      await a.replica.receiveProof([p!.raw, q!.raw]);
    }
  const [left, right] = ['left', 'right'].map((value) => signedBy(lab, 10, { value }));
  assert.equal(await a.replica.receiveProof([left!.raw, right!.raw]), true);
  assert.equal(await give(a, [left!]), 'unauthorised');
});

test('of an admin every position is proven at which a range contradicts what is held', async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [admin, a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  lab.cut();
  const epoch = 2 ** 50;
  const at = (seq: number, type: string, prev: string | null) =>
    signedBy(lab, 0, { collection: 'member', epoch, seq, value: { type, prev: prev && fromHex(prev) } });
  const branch = (type: string): SignedRecord[] => {
    const first = at(1, type, null);
    return [first, at(2, type, first.hash)];
  };
  for (const [peer, records] of [
    [a, branch('p')],
    [b, branch('q')],
  ] as const) {
    const log = peer.replica.position('control', admin.id);
    await peer.replica.receive({
      stream: 'control',
      author: admin.signer.publicKey,
      from: log,
      to: { epoch, seq: 2 },
      records: records.map(({ raw }) => raw),
    });
  }
  lab.connect(a, b);
  lab.connect(b, c);
  await lab.settle();
  for (const peer of [a, b, c])
    assert.deepEqual(
      peer.replica
        .frauds()
        .map(({ seq }) => seq)
        .sort(),
      [1, 2],
    );
});

test('what a session claims beyond what is kept of its claims is asked for once there is room', async (t) => {
  const lab = await ReplicaLab.of(14, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut();
  for (let number = 2; number < 12; number++)
    for (let seq = 1; seq <= 60; seq++) {
      const [p, q] = ['p', 'q'].map((type) =>
        signedBy(lab, number, { collection: 'member', seq, value: { type, prev: null } }),
      );
      await a.replica.receiveProof([p!.raw, q!.raw]);
    }
  assert.equal(a.replica.frauds().length, 600);
  lab.connect(a, b);
  for (let minute = 0; minute < 4; minute++) await lab.settle();
  assert.equal(b.replica.frauds().length, 600);
  assert.deepEqual(lab.failures, []);
});

test('a proof is given to whoever asks as soon as the peer runs, and not twice in 10 s', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [a] = lab.peers as [LabPeer];
  const [p, q] = forks(lab, 1)[0]!;
  await a.replica.receiveProof([p.raw, q.raw]);
  const sent: string[] = [];
  const link = {
    peer: lab.peers[1]!.id,
    send: ({ kind }: SyncMessage) => void sent.push(kind),
    fail: () => {},
  };
  a.reconciler.add(link);
  const want = { kind: 'want-fraud', stream: 'control', author: p.author, epoch: 1, seq: 1 } as const;
  await a.reconciler.handle(link, want);
  await a.reconciler.handle(link, want);
  assert.deepEqual(
    sent.filter((kind) => kind === 'fraud'),
    ['fraud'],
  );
});
