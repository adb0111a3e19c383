import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '../core/bytes.ts';
import { stampOf } from '../core/clock.ts';
import { thingIdOf } from '../core/ids.ts';
import { recoveryBytes } from '../fabric/admin-sets.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { inviteSigner, peerSigner, recoverySigner } from '../testing/control-lab.ts';
import { type LabPeer, ReplicaLab, signedBy } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import type { Draft } from './draft.ts';
import { protocolQuotas, type Quotas } from './quotas.ts';
import { origin, type SignedRecord } from './record.ts';
import type { ReplicaChange } from './replica-change.ts';
import type { SyncMessage } from './sync-messages.ts';

const rangeOf = (records: readonly SignedRecord[]) => ({
  stream: records[0]!.stream,
  author: records[0]!.author,
  from: origin,
  to: { epoch: records.at(-1)!.epoch, seq: records.at(-1)!.seq },
  records: records.map(({ raw }) => raw),
});

const revocation = (peer: LabPeer): Draft => ({
  collection: 'revocation',
  key: peer.id,
  value: { type: 'revocation', what: 'peer', key: peer.signer.publicKey },
});

test('a revoked member has no data left with others, in memory or on disk, nor does it read its own, and the owner is told', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [admin, member, other] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  await member.write({ collection: 'value', key: 'k', value: 1 });
  await lab.settle();
  const removed: string[] = [];
  const { onChange } = other.replica;
  other.replica.onChange = (change: ReplicaChange) => {
    removed.push(...change.removed.map(({ key }) => key));
    onChange(change);
  };
  const before = other.disk.records.size;
  await admin.write(revocation(member));
  await lab.settle();
  assert.deepEqual(removed, ['k']);
  // One record more that revokes, one less that is gone.
  assert.equal(other.disk.records.size, before);
  for (const peer of lab.peers) {
    if (peer !== member) assert.deepEqual(peer.replica.position('data', member.id), origin);
    assert.equal(peer.replica.get('value', 'k'), undefined);
  }
  assert.equal(member.replica.entry('data', member.id), undefined);
  await assert.rejects(member.write({ collection: 'value', key: 'k', value: 2 }), { code: 'not-a-member' });
});

test('who was put out by a thief and belongs again has all that it had said, whatever it is of, restarts included', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [admin, member, other] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  const thing = thingIdOf(member.id, 'lamp');
  const said: Draft[] = [
    { collection: 'peer', key: member.id, value: { name: 'lamp' } },
    { collection: 'thing', key: thing, value: { td: '{}' } },
    { collection: 'shadow', key: thing, value: { properties: {} } },
    { collection: 'value', key: 'k', value: 1 },
    { collection: 'from-the-future', key: 'k', value: 1 },
  ];
  await member.write(...said);
  const invite = inviteSigner(1).publicKey;
  for (const { id, signer } of [member, other])
    await admin.write({
      collection: 'member',
      key: id,
      value: { type: 'confirmation', invite, joiner: signer.publicKey, role: 'member', admitted: 1 },
    });
  await lab.settle();
  const before = other.reads();
  const head = fromHex(admin.replica.control.findLast(({ authorId }) => authorId === admin.id)!.hash);
  await admin.write(revocation(member));
  await lab.settle();
  assert.equal(other.replica.get('value', 'k'), undefined);
  await member.restart();
  const content = {
    previous: lab.fabric.id,
    admins: [other.signer.publicKey],
    removed: [{ peer: admin.signer.publicKey, head, out: false }],
    returned: [],
  };
  const recovery = recoverySigner().sign(recoveryBytes(lab.fabric, content));
  lab.connectAll();
  await other.write({
    collection: 'adminset',
    key: 'set',
    value: { type: 'proposal', ...content, recovery },
  });
  await lab.settle();
  const data = (lines: string[]) => lines.filter((line) => !/^(member|invite) /.test(line));
  for (const peer of [other, member]) assert.deepEqual(data(peer.reads()), data(before));
  assert.deepEqual(other.vector(), member.vector());
});

test('a record far ahead of time waits until its time has come, and what came before it does not', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [here, author] = lab.peers as [LabPeer, LabPeer];
  const aheadMs = 300_000;
  author.wall = () => lab.clock.now() + (author.replica.position('data', author.id).seq > 0 ? aheadMs : 0);
  lab.connectAll();
  await author.write({ collection: 'value', key: 'now', value: 1 });
  await author.write({ collection: 'value', key: 'then', value: 1 });
  for (let second = 0; second < 5; second++) {
    while (await lab.deliverOne());
    lab.clock.advance(1000);
    here.reconciler.tick();
  }
  assert.ok(here.replica.get('value', 'now'));
  assert.equal(here.replica.get('value', 'then'), undefined);
  const [waiting] = here.replica.quarantined();
  assert.equal(waiting?.peer, author.id);
  assert.ok(waiting.untilMs! > lab.clock.now() && waiting.untilMs! <= lab.clock.now() + aheadMs);
  for (let minute = 0; minute < 2; minute++) await lab.settle();
  assert.ok(here.replica.get('value', 'then'));
  assert.deepEqual(here.replica.quarantined(), []);
});

/** The protocol's quotas, small enough to be reached in a test. */
const few: Quotas = {
  data: { maxRecords: 5, maxBytes: 3000 },
  control: { maxRecords: 5, maxBytes: 3000 },
  adminsControl: { maxRecords: 50, maxBytes: 50_000 },
};

test('a member has so many control records and no more, its own writes included', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t), few);
  const [here, member] = lab.peers as [LabPeer, LabPeer];
  const draft: Draft = { collection: 'member', key: 'x', value: { type: 'x' } };
  await member.write(...Array.from({ length: few.control.maxRecords }, () => draft));
  await assert.rejects(member.write(draft), { code: 'too-many' });
  const { records } = member.replica.range('control', member.id, origin, 1e9)!;
  const last = records.at(-1)!;
  const value = { type: 'x', prev: fromHex(last.hash) };
  const more = signedBy(lab, 1, { collection: 'member', epoch: last.epoch, seq: last.seq + 1, value });
  assert.equal(await here.replica.receive(rangeOf([...records, more])), 'applied');
  assert.equal(here.replica.position('control', member.id).seq, last.seq);
  assert.deepEqual(
    here.replica.overQuota().map(({ peer, stream }) => [peer, stream]),
    [[member.id, 'control']],
  );
});

test('what waits and was not asked for costs no signature, nor does what is held already', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [here] = lab.peers as [LabPeer];
  const good = signedBy(lab, 1, { seq: 1, key: 'good' });
  const ahead = signedBy(lab, 1, { seq: 2, hlc: stampOf(lab.clock.now() + 300_000) });
  assert.equal(await here.replica.receive(rangeOf([good, ahead])), 'ahead');
  const { mock } = t.mock.method(nodeCrypto, 'verify');
  assert.equal(await here.replica.receive(rangeOf([good, ahead])), 'ahead');
  assert.equal(await here.replica.receive(rangeOf([good]), { reach: 'all' }), 'known');
  assert.equal(mock.callCount(), 0);
  // However its own clock is set meanwhile.
  here.wall = () => lab.clock.now() - 3_600_000;
  here.replica.tick(61_000);
  assert.equal(await here.replica.receive(rangeOf([good, ahead])), 'ahead');
  assert.equal(mock.callCount(), 1);
});

test('signatures inside statements are checked while records are taken in, not all at once with the authority', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [here] = lab.peers as [LabPeer];
  let prev: Uint8Array | null = null;
  const records: SignedRecord[] = [];
  for (let seq = 1; seq <= 20; seq++) {
    const keys = { invite: inviteSigner(1).publicKey, joiner: peerSigner(100 + seq).publicKey };
    const value = { type: 'admission', prev, ...keys, proof: new Uint8Array(64) };
    records.push(signedBy(lab, 1, { collection: 'member', seq, value }));
    prev = fromHex(records.at(-1)!.hash);
  }
  const { mock } = t.mock.method(nodeCrypto, 'verify');
  const checked: number[] = [];
  here.replica.onChange = () => checked.push(mock.callCount());
  await here.replica.receive(rangeOf(records));
  assert.deepEqual(checked, [40]);
  assert.equal(here.replica.authority.members.size, 2);
  assert.equal(mock.callCount(), 40);
});

test('what was too much is asked for again, and taken in once its author may have more', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t), few);
  const [admin, member, here] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connect(admin, here);
  await lab.settle();
  const draft: Draft = { collection: 'member', key: 'x', value: { type: 'x' } };
  await member.write(...Array.from({ length: few.control.maxRecords }, () => draft));
  const { records } = member.replica.range('control', member.id, origin, 1e9)!;
  const last = records.at(-1)!;
  const value = { type: 'x', prev: fromHex(last.hash) };
  const more = signedBy(lab, 1, { collection: 'member', epoch: last.epoch, seq: last.seq + 1, value });
  const said: SyncMessage[] = [];
  const link = { peer: member.id, send: (message: SyncMessage) => said.push(message), fail: () => {} };
  here.reconciler.add(link);
  await here.reconciler.handle(link, { kind: 'records', ...rangeOf([...records, more]) });
  assert.equal(here.replica.overQuota().length, 1);
  const content = {
    previous: lab.fabric.id,
    admins: [admin, member].map(({ signer }) => signer.publicKey),
    ...{ removed: [], returned: [], recovery: null },
  };
  await admin.write({ collection: 'adminset', key: 'set', value: { type: 'proposal', ...content } });
  await lab.settle();
  const isAsked = (message: SyncMessage): boolean =>
    message.kind === 'want' && message.stream === 'control' && message.from.seq === last.seq;
  assert.ok(said.some(isAsked));
  const rest = { ...rangeOf([more]), from: { epoch: last.epoch, seq: last.seq } };
  await here.reconciler.handle(link, { kind: 'records', ...rest });
  assert.equal(here.replica.position('control', member.id).seq, more.seq);
  assert.deepEqual(here.replica.overQuota(), []);
});

test('who claims records three times and gives none is remembered, until they come from elsewhere', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [here, author, liar] = lab.peers as [LabPeer, LabPeer, LabPeer];
  await author.write({ collection: 'value', key: 'k', value: 1 });
  const link = { peer: liar.id, send: (_: SyncMessage) => {}, fail: () => {} };
  here.reconciler.add(link);
  const entry = author.replica.entry('data', author.id)!;
  await here.reconciler.handle(link, { kind: 'vector', entries: [entry] });
  for (let second = 0; second < 20; second++) {
    lab.clock.advance(1000);
    here.reconciler.tick();
  }
  const [withheld] = here.reconciler.withheld();
  assert.deepEqual([withheld?.peer, withheld?.author, withheld?.stream], [liar.id, author.id, 'data']);
  here.reconciler.remove(link);
  lab.connect(here, author);
  await lab.settle();
  assert.deepEqual(here.reconciler.withheld(), []);
});

test('one record that is missing among many is found by hashes, and nothing else is sent again', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [author, whole, holed] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut();
  const text = 'x'.repeat(2000);
  const drafts = Array.from({ length: 100 }, (_, at) => ({
    collection: 'value',
    key: `k${at}`,
    value: text,
  }));
  await author.write(...drafts);
  const { records } = author.replica.range('data', author.id, origin, 1e7)!;
  await whole.replica.receive(rangeOf(records));
  await holed.replica.receive(rangeOf(records.filter((_, at) => at !== 50)));
  const { records: before } = lab.delivered;
  lab.connect(whole, holed);
  await lab.settle();
  assert.ok(holed.replica.get('value', 'k50'));
  assert.equal(lab.delivered.records - before, 1);
  assert.ok(lab.delivered['want-named'] > 0);
  assert.deepEqual(holed.vector(), whole.vector());
});

test('news that its author told to everybody is told on by nobody', async (t) => {
  const lab = await ReplicaLab.of(8, seedOf(t));
  lab.connectAll();
  await lab.settle();
  const { vector, records } = lab.delivered;
  const [author] = lab.peers as [LabPeer];
  await author.write({ collection: 'value', key: 'k', value: stampOf(1) });
  await lab.settle();
  for (const peer of lab.peers) assert.ok(peer.replica.get('value', 'k'));
  assert.deepEqual([lab.delivered.vector - vector, lab.delivered.records - records], [0, 7]);
});

test('what the protocol allows one author', () => {
  assert.deepEqual(protocolQuotas, {
    data: { maxRecords: 40_000, maxBytes: 2 ** 27 },
    control: { maxRecords: 2000, maxBytes: 2 ** 22 },
    adminsControl: { maxRecords: 50_000, maxBytes: 2 ** 26 },
  });
});

/** What a member with a modified program signs: more than it may have, in several epochs, some of it over and over. */
const tooMuch = fc.record({
  stream: fc.constantFrom('control' as const, 'data' as const),
  made: fc.array(
    fc.record({
      epoch: fc.integer({ min: 1, max: 3 }),
      key: fc.nat(9),
      sizeBytes: fc.nat(900),
      goesTo: fc.nat(7),
    }),
    { minLength: 6, maxLength: 20 },
  ),
  seed: fc.nat(),
});

test('of an author that has written too much all keep the same, in whatever order and by whatever way it came', async (t) => {
  await fc.assert(
    fc.asyncProperty(tooMuch, async ({ stream, made, seed }) => {
      const lab = await ReplicaLab.of(4, seed, few);
      lab.connectAll();
      await lab.settle();
      lab.cut();
      const [, , a, b] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
      const seqs = new Map<number, number>();
      const heads = new Map<number, string>();
      for (const { epoch, key, sizeBytes, goesTo } of made) {
        const seq = (seqs.get(epoch) ?? 0) + 1;
        seqs.set(epoch, seq);
        const text = 'x'.repeat(sizeBytes);
        const head = heads.get(epoch);
        const record =
          stream === 'data'
            ? signedBy(lab, 1, { key: `k${key}`, epoch, seq, hlc: epoch * 100 + seq, value: text })
            : signedBy(lab, 1, {
                collection: 'member',
                ...{ epoch, seq, value: { type: 'x', prev: head ? fromHex(head) : null, text } },
              });
        heads.set(epoch, record.hash);
        for (const [at, peer] of [a, b, lab.peers[0]!].entries())
          if (goesTo & (1 << at)) await peer.replica.receive(rangeOf([record]), { reach: 'all' });
      }
      const honest = [lab.peers[0]!, a, b];
      for (const [at, peer] of honest.entries()) lab.connect(peer, honest[(at + 1) % 3]!);
      for (let minutes = 0; minutes < 4; minutes++) await lab.settle();
      for (const peer of honest) {
        assert.deepEqual(peer.reads(), a.reads());
        assert.deepEqual(peer.vector(), a.vector());
        const log = peer.replica.log(stream, lab.peers[1]!.id);
        assert.ok((log?.live.length ?? 0) <= few[stream].maxRecords);
        assert.ok((log?.sizeBytes ?? 0) <= few[stream].maxBytes);
        await peer.restart();
        assert.deepEqual(peer.vector(), a.vector());
      }
      assert.deepEqual(lab.failures, []);
    }),
    { numRuns: process.env.ALTHING_TEST_LONG ? 400 : 25, seed: seedOf(t) },
  );
});
