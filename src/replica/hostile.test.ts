import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../core/bytes.ts';
import type { AlthingError } from '../core/errors.ts';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import { peerSigner } from '../testing/control-lab.ts';
import { type LabPeer, ReplicaLab, signedBy } from '../testing/replica-lab.ts';
import { seedOf } from '../testing/seed.ts';
import type { Draft } from './draft.ts';
import type { IncomingRange } from './incoming-range.ts';
import { type Position, type RecordBody, type SignedRecord, signRecord } from './record.ts';
import type { VectorEntry } from './replica.ts';
import type { SyncLink, SyncMessage } from './sync-messages.ts';

/** The other end of one peer's session, in the test's hands. */
class Hand {
  readonly said: SyncMessage[] = [];
  #failure: AlthingError | undefined;
  readonly link: SyncLink;
  readonly #peer: LabPeer;

  constructor(peer: LabPeer, number: number) {
    this.#peer = peer;
    this.link = {
      peer: peerIdOf(peerSigner(number).publicKey),
      send: (message) => this.said.push(message),
      fail: (error) => {
        this.#failure ??= error;
      },
    };
    peer.reconciler.add(this.link);
  }

  say(message: SyncMessage): Promise<void> {
    return this.#peer.reconciler.handle(this.link, message);
  }

  /** The code that the peer ended the session with. */
  failed(): string | undefined {
    return this.#failure?.code;
  }

  wants(): Extract<SyncMessage, { kind: 'want' }>[] {
    return this.said.filter((message) => message.kind === 'want');
  }
}

const rangeOf = (records: readonly SignedRecord[], change: Partial<IncomingRange> = {}): SyncMessage => ({
  kind: 'records',
  stream: records[0]!.stream,
  author: records[0]!.author,
  from: { epoch: 0, seq: 0 },
  to: { epoch: records.at(-1)!.epoch, seq: records.at(-1)!.seq },
  records: records.map(({ raw }) => raw),
  ...change,
});

const entry = (number: number, position: Position, stream: 'control' | 'data' = 'data'): VectorEntry => ({
  stream,
  author: peerSigner(number).publicKey,
  digest: new Uint8Array(32),
  ...position,
});
const vector = (...entries: VectorEntry[]): SyncMessage => ({ kind: 'vector', entries });
const card = (peer: LabPeer, name: string): Draft => ({ collection: 'peer', key: peer.id, value: { name } });

const failuresOf = (lab: ReplicaLab): string[] => lab.failures.map(({ error }) => error.message);

const connectedLab = async (peers: number, seed: number): Promise<ReplicaLab> => {
  const lab = await ReplicaLab.of(peers, seed);
  lab.connectAll();
  await lab.settle();
  lab.cut();
  return lab;
};

test("a stranger's records are neither kept nor asked for", async (t) => {
  const lab = await connectedLab(2, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  const before = [peer.reads(), peer.replica.vector().length, peer.disk.commits];
  const hand = new Hand(peer, 9);
  await hand.say(vector(entry(9, { epoch: 1, seq: 1 }), entry(9, { epoch: 1, seq: 1 }, 'control')));
  await hand.say(rangeOf([signedBy(lab, 9, {})]));
  await hand.say(rangeOf([signedBy(lab, 9, { collection: 'member', value: { type: 'x', prev: null } })]));
  assert.deepEqual(hand.wants(), []);
  assert.deepEqual([peer.reads(), peer.replica.vector().length, peer.disk.commits], before);
  assert.equal(hand.failed(), undefined);
});

test('records that are damaged, misplaced or of somebody else end the session, and none of the range is kept', async (t) => {
  const lab = await connectedLab(2, seedOf(t));
  const [peer] = lab.peers as [LabPeer];
  const good = signedBy(lab, 1, { epoch: 2 ** 51, seq: 1 });
  const next = signedBy(lab, 1, { epoch: 2 ** 51, seq: 2, key: 'l' });
  const damaged = good.raw.slice();
  damaged[100]! ^= 1;
  const commits = peer.disk.commits;
  const cases: Record<string, SyncMessage> = {
    damaged: rangeOf([good], { records: [damaged] }),
    'damaged second': rangeOf([good, next], { records: [good.raw, damaged] }),
    'no record': rangeOf([good], { records: [new Uint8Array(3)] }),
    "another author's": rangeOf([good], { author: lab.peers[0]!.signer.publicKey }),
    'of the other stream': rangeOf([good], { stream: 'control' }),
    'in the wrong order': rangeOf([good, next], { records: [next.raw, good.raw] }),
    twice: rangeOf([good], { records: [good.raw, good.raw] }),
    'beyond the end': rangeOf([good, next], { to: good }),
    'short of the end': rangeOf([good], { to: next }),
    'without any': rangeOf([good], { records: [] }),
    'of another fabric': rangeOf([good], {
      records: [signRecord({ ...bodyOf(good), value: 1 }, new Uint8Array(32), peerSigner(1))],
    }),
  };
  for (const [name, message] of Object.entries(cases)) {
    const hand = new Hand(peer, 1);
    await hand.say(message);
    assert.equal(hand.failed(), 'record-invalid', name);
    peer.reconciler.remove(hand.link);
  }
  assert.equal(peer.disk.commits, commits);
  assert.equal(peer.replica.get('value', 'k'), undefined);
});

const bodyOf = ({ collection, key, author, epoch, seq, hlc, deleted }: SignedRecord): RecordBody => ({
  collection,
  key,
  author,
  epoch,
  seq,
  hlc,
  deleted,
  value: null,
});

test('nobody can stop a peer from writing by claiming to hold later records of it', async (t) => {
  for (const epoch of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 52]) {
    const lab = await connectedLab(2, seedOf(t));
    const peer = lab.peers[1]!;
    const hand = new Hand(peer, 0);
    await hand.say(vector(entry(1, { epoch, seq: 5 }), entry(1, { epoch, seq: 5 }, 'control')));
    for (let restart = 0; restart < 3; restart++) {
      await peer.write(card(peer, `${restart}`));
      await peer.restart();
      const again = new Hand(peer, 0);
      await again.say(vector(entry(1, { epoch: Number.MAX_SAFE_INTEGER, seq: Number.MAX_SAFE_INTEGER })));
    }
    await peer.write(card(peer, 'still here'));
    lab.connectAll();
    await lab.settle();
    const there = lab.peers[0]!.replica.get('peer', peer.id);
    assert.equal(there?.hash, peer.replica.get('peer', peer.id)!.hash);
  }
});

test('a session that claims to hold news and never gives it keeps nobody else from giving it', async (t) => {
  const lab = await connectedLab(3, seedOf(t));
  const [here, author, other] = lab.peers as [LabPeer, LabPeer, LabPeer];
  lab.connect(author, other);
  await author.write(card(author, 'news'));
  await lab.settle();
  lab.cut();
  const hand = new Hand(here, 9);
  await hand.say(vector(entry(1, { epoch: 2 ** 51, seq: 1 })));
  assert.equal(hand.wants().length, 1);
  lab.connect(here, other);
  for (let second = 0; second < 12; second++) {
    while (await lab.deliverOne());
    lab.clock.advance(1000);
    here.reconciler.tick();
  }
  while (await lab.deliverOne());
  assert.ok(here.replica.get('peer', author.id));
});

test("a member that forks its own control records cannot part others' sessions", async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const statement = (epoch: number, prev: string | null) =>
    signedBy(lab, 3, {
      collection: 'member',
      key: `e${epoch}`,
      epoch,
      hlc: epoch,
      value: { type: 'from-the-future', prev: prev && fromHex(prev) },
    });
  const root = statement(10, null);
  const left = statement(11, root.hash);
  const right = statement(12, root.hash);
  const beyond = statement(13, left.hash);
  const toLeft = new Hand(a, 3);
  await toLeft.say(rangeOf([root, left, beyond]));
  const toRight = new Hand(b, 3);
  await toRight.say(rangeOf([root, right]));
  for (const hand of [toLeft, toRight]) assert.equal(hand.failed(), undefined);
  for (const [peer, hand] of [
    [a, toLeft],
    [b, toRight],
  ] as const)
    peer.reconciler.remove(hand.link);
  lab.connectAll();
  await lab.settle();
  assert.deepEqual(failuresOf(lab), []);
  for (const peer of [a, b, c]) assert.equal(peer.replica.position('control', lab.peers[3]!.id).epoch, 13);
  await a.write(card(a, 'goes on'));
  await lab.settle();
  assert.ok(c.replica.get('peer', a.id));
});

test('a control record that follows on a later one of its author is taken in by nobody, whatever they hold', async (t) => {
  const lab = await connectedLab(4, seedOf(t));
  const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
  const statement = (epoch: number, prev: string | null) =>
    signedBy(lab, 3, {
      collection: 'member',
      key: `e${epoch}`,
      epoch,
      hlc: epoch,
      value: { type: 'from-the-future', prev: prev && fromHex(prev) },
    });
  const late = statement(12, null);
  const early = statement(11, late.hash);
  const hand = new Hand(a, 3);
  await hand.say(rangeOf([late]));
  // It differs at the same position: a goes through all that this session holds.
  await hand.say(vector(entry(3, late, 'control')));
  await hand.say(rangeOf([early, late]));
  a.reconciler.remove(hand.link);
  lab.connectAll();
  await lab.settle();
  assert.deepEqual(failuresOf(lab), []);
  for (const peer of [b, c]) assert.deepEqual(peer.vector(), a.vector());
  assert.equal(a.replica.log('control', lab.peers[3]!.id)?.live.length, 1);
});

test('two bodies for one position are survived: no session ends, nobody talks in circles, the rest still spreads', async (t) => {
  const seed = seedOf(t);
  const statement = (lab: ReplicaLab, epoch: number, type: string, prev: string | null) =>
    signedBy(lab, 3, {
      collection: 'member',
      epoch,
      hlc: epoch,
      value: { type, prev: prev && fromHex(prev) },
    });
  const histories: ((lab: ReplicaLab) => [SignedRecord[], SignedRecord[]])[] = [
    (lab) => [[signedBy(lab, 3, { epoch: 10, value: 1 })], [signedBy(lab, 3, { epoch: 10, value: 2 })]],
    (lab) => {
      const [p, q] = [statement(lab, 10, 'p', null), statement(lab, 10, 'q', null)];
      return [
        [p, statement(lab, 11, 'p', p.hash)],
        [q, statement(lab, 12, 'q', q.hash)],
      ];
    },
    (lab) => {
      const [p, q] = [statement(lab, 10, 'p', null), statement(lab, 10, 'q', null)];
      const last = statement(lab, 12, 'last', null);
      return [
        [p, last],
        [q, statement(lab, 11, 'q', q.hash), last],
      ];
    },
  ];
  for (const history of histories) {
    const lab = await connectedLab(4, seed);
    const [a, b, c] = lab.peers as [LabPeer, LabPeer, LabPeer];
    const [left, right] = history(lab);
    for (const [peer, records] of [
      [a, left],
      [b, right],
    ] as const) {
      const hand = new Hand(peer, 3);
      await hand.say(rangeOf(records));
      assert.equal(hand.failed(), undefined);
      peer.reconciler.remove(hand.link);
    }
    lab.connectAll();
    await lab.settle();
    await a.write(card(a, 'goes on'));
    await lab.settle();
    assert.deepEqual(failuresOf(lab), []);
    assert.ok(c.replica.get('peer', a.id));
    assert.ok(lab.delivered.want < 200, `${lab.delivered.want} wants`);
  }
});

test('a data record with an earlier clock than the one it replaces parts nobody', async (t) => {
  const lab = await connectedLab(3, seedOf(t));
  const [a, b] = lab.peers as [LabPeer, LabPeer];
  const first = signedBy(lab, 2, { epoch: 10, seq: 1, hlc: 50 });
  const second = signedBy(lab, 2, { epoch: 10, seq: 2, hlc: 20 });
  const toA = new Hand(a, 2);
  await toA.say(rangeOf([first]));
  a.reconciler.remove(toA.link);
  const toB = new Hand(b, 2);
  await toB.say(rangeOf([second]));
  b.reconciler.remove(toB.link);
  lab.connectAll();
  await lab.settle();
  assert.deepEqual(failuresOf(lab), []);
  assert.equal(a.replica.get('value', 'k')?.hash, b.replica.get('value', 'k')?.hash);
});

test('what a relaying member leaves out comes from the others', async (t) => {
  for (const stream of ['data', 'control'] as const) {
    const lab = await connectedLab(4, seedOf(t));
    const [victim, author, honest] = lab.peers as [LabPeer, LabPeer, LabPeer];
    lab.connect(author, honest);
    for (const name of ['lamp', 'door', 'bell'])
      await author.write(
        stream === 'data'
          ? { collection: 'thing', key: thingIdOf(author.id, name), value: { td: name } }
          : { collection: 'member', key: name, value: { type: 'from-the-future' } },
      );
    await lab.settle();
    lab.cut();
    const { from, to, records } = honest.replica.range(stream, author.id, { epoch: 0, seq: 0 }, 1e6)!;
    assert.equal(records.length, 3);
    const hand = new Hand(victim, 3);
    await hand.say(rangeOf([records[2]!], { from, to }));
    victim.reconciler.remove(hand.link);
    lab.connect(victim, honest);
    await lab.settle();
    assert.deepEqual(failuresOf(lab), []);
    assert.deepEqual(victim.vector(), honest.vector());
    assert.equal(victim.replica.range(stream, author.id, from, 1e6)?.records.length, 3);
  }
});

test('a vector of twenty thousand strangers is remembered, asked about nowhere, and one more ends the session', async (t) => {
  const lab = await connectedLab(2, seedOf(t));
  const hand = new Hand(lab.peers[0]!, 1);
  const stranger = (number: number): VectorEntry => {
    const author = new Uint8Array(32).fill(1);
    new DataView(author.buffer).setUint32(0, number);
    return { stream: 'data', author, digest: new Uint8Array(32), epoch: 1, seq: 1 };
  };
  for (let at = 0; at < 20_000; at += 2000)
    await hand.say(vector(...Array.from({ length: 2000 }, (_, index) => stranger(at + index))));
  assert.equal(hand.failed(), undefined);
  assert.deepEqual(hand.wants(), []);
  await hand.say(vector(stranger(20_000)));
  assert.equal(hand.failed(), 'too-many');
  assert.equal(lab.peers[0]!.replica.vector().filter(({ epoch }) => epoch > 0).length, 1);
});

test('saying the same again and again is answered no more than once each, and stored never', async (t) => {
  const lab = await connectedLab(3, seedOf(t));
  const [peer, author] = lab.peers as [LabPeer, LabPeer];
  await author.write(card(author, 'a'));
  const { records, from, to } = author.replica.range('data', author.id, { epoch: 0, seq: 0 }, 1e6)!;
  const hand = new Hand(peer, 2);
  hand.said.length = 0;
  await hand.say(rangeOf(records, { from, to }));
  const commits = peer.disk.commits;
  for (let again = 0; again < 200; again++) {
    await hand.say(rangeOf(records, { from, to }));
    await hand.say(vector({ ...entry(1, to), digest: new Uint8Array(32) }));
  }
  assert.equal(peer.disk.commits, commits);
  assert.ok(hand.said.length < 10, `${hand.said.length} messages`);
  assert.equal(hand.failed(), undefined);
});
