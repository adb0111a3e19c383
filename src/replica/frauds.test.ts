import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
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

test('of many proofs about one author the lowest is kept, the same whatever came first, restarts included', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut();
  const proofs = [1, 2, 3].map((seq) => [statement(lab, seq, 'p', null), statement(lab, seq, 'q', null)]);
  for (const [p, q] of proofs) await a.replica.receiveProof([p!.raw, q!.raw]);
  for (const [p, q] of proofs.toReversed()) await b.replica.receiveProof([p!.raw, q!.raw]);
  for (const peer of [a, b]) {
    await peer.restart();
    assert.deepEqual(
      peer.replica.frauds().map(({ seq }) => seq),
      [1],
    );
    assert.equal([...peer.disk.local.keys()].filter((key) => key.startsWith('fraud/')).length, 1);
  }
});

/** Records that peer 0, an admin, or a thief with its key signed: two or three for each of many positions. */
const twins = (lab: ReplicaLab, numbers: readonly number[]): SignedRecord[] => {
  const made: SignedRecord[] = [];
  for (const [at, number] of numbers.entries()) {
    const seq = 1 + Math.floor(at / 3);
    const earlier = made.filter((one) => one.seq < seq);
    const prev = earlier.length === 0 || number % 5 === 0 ? null : earlier[number % earlier.length]!.hash;
    const value = {
      type: 'invite',
      prev: prev && fromHex(prev),
      ...{ invite: peerSigner(300 + at).publicKey, role: 'member', uses: 1, expires: 9e15 },
    };
    made.push(signedBy(lab, 0, { collection: 'member', key: `${at}`, epoch: 2 ** 50, seq, value }));
  }
  return made;
};

test('whatever an admin whose key was stolen has signed for however many positions, in whatever order it comes, all hold and count it', async (t) => {
  const long = process.env.ALTHING_TEST_LONG ? 10 : 1;
  const anyWay = fc.record({
    numbers: fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.nat(99), { minLength: 2, maxLength: 30 }) },
      fc.array(fc.nat(99), { minLength: 220, maxLength: 240 }),
    ),
    deals: fc.infiniteStream(fc.nat(2)),
    seed: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(anyWay, async ({ numbers, deals, seed }) => {
      const lab = await connectedLab(4, seed);
      lab.cut();
      const others = lab.peers.slice(1);
      const made = twins(lab, numbers);
      // Each peer gets some of them, one by one, and what leads to those.
      for (const [peer, record] of shuffled(lab, made).map(
        (one) => [others[deals.next().value]!, one] as const,
      ))
        for (const one of leadingTo(record, made)) await peer.replica.receive(alone(one), { reach: 'all' });
      lab.connectAll();
      await lab.settle();
      const held = new Set(made.map(({ hash }) => hash));
      for (const peer of lab.peers) {
        await peer.restart();
        assert.deepEqual(peer.reads(), lab.peers[1]!.reads());
        assert.deepEqual(peer.vector(), lab.peers[1]!.vector());
        assert.equal(peer.replica.control.filter(({ hash }) => held.has(hash)).length, made.length);
        assert.equal(peer.replica.authority.invites.size, made.length + 1);
      }
      assert.deepEqual(lab.failures, []);
    }),
    { numRuns: 6 * long, seed: seedOf(t) },
  );
});

const shuffled = <T>(lab: ReplicaLab, list: readonly T[]): T[] =>
  list
    .map((one) => [lab.random(), one] as const)
    .sort(([a], [b]) => a - b)
    .map(([, one]) => one);

const leadingTo = (record: SignedRecord, all: readonly SignedRecord[]): SignedRecord[] => {
  const before = all.find(({ hash }) => hash === record.prev);
  return [...(before ? leadingTo(before, all) : []), record];
};

const alone = (record: SignedRecord) => ({
  stream: record.stream,
  author: record.author,
  from: origin,
  to: { epoch: record.epoch, seq: record.seq },
  records: [record.raw],
});

test('more records of one position than go in one message reach everybody', async (t) => {
  const lab = await connectedLab(3, seedOf(t));
  const [, a, b] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.cut();
  const text = 'x'.repeat(10_000);
  const all = Array.from({ length: 40 }, (_, at) =>
    signedBy(lab, 0, { collection: 'member', epoch: 2 ** 50, value: { type: 'x', prev: null, text, at } }),
  );
  for (const one of all) await a.replica.receive(alone(one), { reach: 'all' });
  await b.replica.receive(alone(all[20]!), { reach: 'all' });
  lab.connect(a, b);
  await lab.settle();
  assert.equal(b.replica.control.filter(({ epoch }) => epoch === 2 ** 50).length, all.length);
  assert.deepEqual(b.vector(), a.vector());
  assert.deepEqual(lab.failures, []);
});

test('what a session claims beyond what is kept of its claims makes room where it is no news', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [a] = lab.peers as [LabPeer];
  const [p, q] = ['p', 'q'].map((type) => statement(lab, 1, type, null));
  await a.replica.receiveProof([p!.raw, q!.raw]);
  const asked: string[] = [];
  const send = (message: SyncMessage) => {
    if (message.kind === 'want-fraud') asked.push(peerIdOf(message.author));
  };
  const link = { peer: lab.peers[1]!.id, send, fail: () => {} };
  a.reconciler.add(link);
  const claim = (author: Uint8Array, seq: number) => ({ stream: 'control', author, epoch: 1, seq }) as const;
  const known = Array.from({ length: 512 }, (_, at) => claim(p!.author, at + 2));
  await a.reconciler.handle(link, { kind: 'frauds', entries: known });
  await a.reconciler.handle(link, { kind: 'frauds', entries: [claim(lab.peers[2]!.signer.publicKey, 1)] });
  assert.deepEqual(asked, [lab.peers[2]!.id]);
});

test('a proof is given to whoever asks as soon as the peer runs, and not twice in 10 s', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [a] = lab.peers as [LabPeer];
  const [p, q] = ['p', 'q'].map((type) => statement(lab, 1, type, null));
  await a.replica.receiveProof([p!.raw, q!.raw]);
  const sent: string[] = [];
  const link = {
    peer: lab.peers[1]!.id,
    send: ({ kind }: SyncMessage) => void sent.push(kind),
    fail: () => {},
  };
  a.reconciler.add(link);
  const want = { kind: 'want-fraud', stream: 'control', author: p!.author, epoch: 1, seq: 1 } as const;
  await a.reconciler.handle(link, want);
  await a.reconciler.handle(link, want);
  assert.deepEqual(
    sent.filter((kind) => kind === 'fraud'),
    ['fraud'],
  );
});
