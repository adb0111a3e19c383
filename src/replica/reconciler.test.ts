import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stampOf } from '../core/clock.ts';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import { encodeFrame, maxFrameBytes } from '../net/frames.ts';
import { encodeSync } from '../net/sync-frames.ts';
import { peerId } from '../testing/control-lab.ts';
import { inviteDraft, LabPeer, ReplicaLab, signedBy } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import type { Draft } from './draft.ts';
import { origin, type SignedRecord } from './record.ts';
import type { SyncLink, SyncMessage } from './sync-messages.ts';
import { groupOf } from './vector-summary.ts';

const bigThing = (peer: LabPeer, number: number, sizeBytes: number): Draft => ({
  collection: 'thing',
  key: thingIdOf(peer.id, `big-${number}`),
  value: { td: 'x'.repeat(sizeBytes) },
});
const card = (peer: LabPeer, name: string): Draft => ({ collection: 'peer', key: peer.id, value: { name } });

/** A link that only listens. */
const listening = (peer: LabPeer): { link: SyncLink; said: SyncMessage[] } => {
  const said: SyncMessage[] = [];
  const link: SyncLink = {
    peer: peerId(9),
    send: (message) => said.push(message),
    fail: (error) => {
      throw error;
    },
  };
  peer.reconciler.add(link);
  return { link, said };
};

test('a megabyte written at once reaches those in session, those who come later, and those behind them', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [writer, inSession, later, behind] = lab.peers as [LabPeer, LabPeer, LabPeer, LabPeer];
  lab.connect(writer, inSession);
  await lab.settle();
  await writer.write(...Array.from({ length: 20 }, (_, number) => bigThing(writer, number, 50_000)));
  await lab.settle();
  assert.equal(inSession.replica.list('thing').length, 20);
  lab.connect(writer, later);
  lab.connect(later, behind);
  await lab.settle();
  for (const peer of [later, behind]) assert.deepEqual(peer.vector(), writer.vector());
});

test('of thousands of authors a session is asked a part at a time, the next as answers come', async (t) => {
  const lab = await ReplicaLab.of(100, seedOf(t));
  const [full] = lab.peers as [LabPeer];
  for (const peer of lab.peers.slice(1)) {
    await peer.write(card(peer, 'a'));
    const range = peer.replica.range('data', peer.id, origin, 1)!;
    const records = range.records.map(({ raw }) => raw);
    await full.replica.receive({ ...range, stream: 'data', author: peer.signer.publicKey, records });
  }
  const empty = new LabPeer(lab, 1);
  await empty.start();
  const { link, said } = listening(empty);
  const { link: other, said: answers } = listening(full);
  const tell = (message: SyncMessage) => empty.reconciler.handle(link, message);
  await tell({ kind: 'vector', entries: full.replica.vector() });
  let most = 0;
  for (let asked = said.filter(({ kind }) => kind === 'want'); asked.length > 0; ) {
    most = Math.max(most, asked.length);
    said.length = 0;
    for (const want of asked) {
      answers.length = 0;
      await full.reconciler.handle(other, want);
      for (const answer of answers.splice(0)) await tell(answer);
    }
    asked = said.filter(({ kind }) => kind === 'want');
  }
  assert.deepEqual(empty.vector(), full.vector());
  assert.ok(most <= 64, `${most} questions were open at once`);
});

test('no message is larger than a frame, however much there is to say', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [writer] = lab.peers as [LabPeer];
  const { said } = listening(writer);
  await writer.write(...Array.from({ length: 30 }, (_, number) => bigThing(writer, number, 60_000)));
  await writer.write(...Array.from({ length: 3000 }, (_, number) => bigThing(writer, 100 + number, 1)));
  const { link, said: answers } = listening(writer);
  const author = writer.signer.publicKey;
  await writer.reconciler.handle(link, { kind: 'want', stream: 'data', author, from: { epoch: 0, seq: 0 } });
  said.push(...answers);
  assert.ok(said.length > 1);
  for (const message of said) assert.ok(encodeFrame(encodeSync(message)).length < maxFrameBytes / 2);
});

test('what is asked for is answered, and where there is nothing it is said how far the author is here', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  await peer.write(card(peer, 'a'));
  const { link, said } = listening(peer);
  said.length = 0;
  const want = { kind: 'want', stream: 'data', author: peer.signer.publicKey } as const;
  const entry = peer.replica.entry('data', peer.id)!;
  await peer.reconciler.handle(link, { ...want, from: entry });
  await peer.reconciler.handle(link, { ...want, from: { epoch: 2 ** 53 - 1, seq: 0 } });
  await peer.reconciler.handle(link, { ...want, author: new Uint8Array(32), from: { epoch: 0, seq: 0 } });
  assert.deepEqual(
    said.splice(0).map((message) => message.kind === 'vector' && message.entries.map(({ epoch }) => epoch)),
    [[entry.epoch], [entry.epoch], [0]],
  );
  await peer.reconciler.handle(link, { ...want, from: { epoch: 0, seq: 0 } });
  assert.deepEqual(
    said.map(({ kind }) => kind),
    ['records'],
  );
});

test('an answer that is lost is asked for again, of another session first', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [here, author] = lab.peers as [LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  await author.write(card(author, 'a'));
  lab.cut();
  const deaf = [listening(here), listening(here)];
  const entry = author.replica.entry('data', author.id)!;
  for (const { link, said } of deaf) {
    said.length = 0;
    await here.reconciler.handle(link, { kind: 'vector', entries: [entry] });
  }
  const asked: number[] = [];
  for (let second = 0; second < 21; second++) {
    for (const [at, { said }] of deaf.entries())
      for (const { kind } of said.splice(0)) if (kind === 'want') asked.push(at);
    lab.clock.advance(1000);
    here.reconciler.tick();
  }
  assert.deepEqual(asked, [0, 1, 0, 1, 0]);
});

test('what was asked of a session that ends is asked of another at once', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [here, author] = lab.peers as [LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut();
  await author.write(card(author, 'a'));
  const [first, second] = [listening(here), listening(here)];
  const entry = author.replica.entry('data', author.id)!;
  for (const { link } of [first, second])
    await here.reconciler.handle(link, { kind: 'vector', entries: [entry] });
  const wants = (said: SyncMessage[]) => said.filter(({ kind }) => kind === 'want').length;
  assert.deepEqual([wants(first.said), wants(second.said)], [1, 0]);
  here.reconciler.remove(first.link);
  assert.deepEqual([wants(first.said), wants(second.said)], [1, 1]);
});

test('records of a newcomer are asked for as soon as it is known to belong', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [founder, here, newcomer] = lab.peers as [LabPeer, LabPeer, LabPeer];
  await newcomer.write(card(newcomer, 'new'));
  lab.connect(here, newcomer);
  await lab.settle();
  assert.equal(here.replica.list('peer').length, 0);
  lab.connect(founder, here);
  await lab.settle();
  assert.equal(here.replica.get('peer', newcomer.id)?.authorId, newcomer.id);
  assert.equal(founder.replica.get('peer', newcomer.id)?.authorId, newcomer.id);
});

test('peers that are equal say so in a kilobyte, at first and once a minute, and nothing else', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  for (const peer of lab.peers) await peer.write(card(peer, 'a'), bigThing(peer, 1, 1000));
  lab.connectAll();
  await lab.settle();
  lab.cut();
  const { summary, ...others } = { ...lab.delivered };
  lab.connectAll();
  await lab.settle();
  // Twelve ends, for the lab's two and a half minutes.
  const { summary: summaries, ...othersAfter } = lab.delivered;
  assert.deepEqual(othersAfter, others);
  assert.ok(summaries >= summary + 12 * 3 && summaries <= summary + 12 * 4);
});

test('of many authors only those are told of whose group differs', async (t) => {
  const lab = await ReplicaLab.of(12, seedOf(t));
  for (const peer of lab.peers) await peer.write(card(peer, 'a'));
  lab.connectAll();
  await lab.settle();
  lab.cut();
  const [ahead, behind] = lab.peers as [LabPeer, LabPeer];
  await ahead.write(card(ahead, 'b'));
  const { link, said } = listening(ahead);
  const [told] = listening(behind).said;
  said.length = 0;
  await ahead.reconciler.handle(link, told!);
  const authors = said.flatMap((message) => (message.kind === 'vector' ? message.entries : []));
  const group = groupOf(ahead.signer.publicKey);
  assert.ok(authors.length < 12);
  assert.ok(authors.every(({ author }) => groupOf(author) === group));
  assert.ok(authors.some(({ author, stream }) => peerIdOf(author) === ahead.id && stream === 'data'));
});

test('that a member left is heard by those who never meet it again', async (t) => {
  const lab = await ReplicaLab.of(3, seedOf(t));
  const [, leaver, other] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut(other);
  const key = leaver.signer.publicKey;
  await leaver.write({
    collection: 'revocation',
    key: leaver.id,
    value: { type: 'revocation', what: 'peer', key },
  });
  await lab.settle();
  lab.cut(leaver);
  lab.connect(lab.peers[0]!, other);
  await lab.settle();
  assert.equal(other.replica.authority.gone.get(leaver.id)?.how, 'left');
});

test('what one holds that is far ahead of time hides nothing that others hold', async (t) => {
  const lab = await ReplicaLab.of(4, seedOf(t));
  const [, here, other] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connectAll();
  await lab.settle();
  lab.cut();
  const tenYears = stampOf(lab.clock.now() + 10 * 365 * 86_400_000);
  const early = signedBy(lab, 3, { epoch: 2 ** 45, seq: 1, hlc: stampOf(lab.clock.now()) });
  const late = signedBy(lab, 3, { epoch: 2 ** 45, seq: 2, hlc: tenYears });
  const rangeTo = (record: SignedRecord) => {
    const { stream, author, epoch, seq, raw } = record;
    return { stream, author, from: origin, to: { epoch, seq }, records: [raw] };
  };
  await other.replica.receive(rangeTo(early));
  // Its author holds nothing but the later one, which has taken the slot of the earlier.
  const link: SyncLink = {
    peer: peerId(3),
    send: ({ kind }) => {
      if (kind === 'want') void here.reconciler.handle(link, { kind: 'records', ...rangeTo(late) });
    },
    fail: (error) => {
      throw error;
    },
  };
  here.reconciler.add(link);
  const { stream, author, epoch, seq } = late;
  const entry = { stream, author, epoch, seq, digest: new Uint8Array(32) };
  await here.reconciler.handle(link, { kind: 'vector', entries: [entry] });
  await lab.settle();
  assert.equal(here.replica.quarantined().length, 1);
  lab.connect(here, other);
  await lab.settle();
  assert.equal(here.replica.get('value', 'k')?.hash, early.hash);
});

test('what a guest writes is not taken in', async (t) => {
  const lab = await ReplicaLab.of(1, seedOf(t));
  const [admin] = lab.peers as [LabPeer];
  await admin.write(inviteDraft(2, { uses: 1, role: 'guest', expires: lab.clock.now() + 1e6 }));
  await lab.admit(admin, 1, 2);
  const guest = new LabPeer(lab, 1);
  await guest.start();
  assert.equal(admin.replica.authority.members.get(guest.id)?.role, 'guest');
  await guest.write(card(guest, 'x'));
  const range = guest.replica.range('data', guest.id, { epoch: 0, seq: 0 }, 1e6)!;
  const records = range.records.map(({ raw }) => raw);
  const told = { ...range, stream: 'data' as const, author: guest.signer.publicKey, records };
  assert.equal(await admin.replica.receive(told), 'unauthorised');
  assert.equal(admin.replica.get('peer', guest.id), undefined);
});

test('a closed reconciler says nothing more and leaves no timer', async (t) => {
  const lab = await ReplicaLab.of(2, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  lab.connect(a, b);
  while (await lab.deliverOne());
  assert.ok(lab.clock.pending > 0);
  const { link, said } = listening(b);
  a.reconciler.close();
  b.reconciler.close();
  assert.equal(lab.clock.pending, 0);
  said.length = 0;
  await b.reconciler.handle(link, { kind: 'vector', entries: a.replica.vector() });
  await b.write(card(b, 'quiet'));
  assert.deepEqual(said, []);
});
