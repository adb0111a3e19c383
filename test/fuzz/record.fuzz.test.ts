import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/core/bytes.ts';
import { encode } from '../../src/core/codec.ts';
import { signedBytes } from '../../src/core/crypto.ts';
import { AlthingError } from '../../src/core/errors.ts';
import type { Frame } from '../../src/net/frames.ts';
import { decodeSync, encodeSync } from '../../src/net/sync-frames.ts';
import { openRecord, recordValue, type SignedRecord, signRecord } from '../../src/replica/record.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { inviteSigner, joinProof, labFabric, peerSigner } from '../../src/testing/control-lab.ts';
import { type LabPeer, ReplicaLab } from '../../src/testing/replica-lab.ts';
import { type Chance, fuzz, mutated } from './fuzz.ts';

const author = peerSigner(1);
const statements = [
  { type: 'invite', prev: null, invite: inviteSigner(1).publicKey, role: 'member', uses: 1, expires: 5 },
  {
    type: 'admission',
    prev: null,
    invite: inviteSigner(1).publicKey,
    joiner: author.publicKey,
    proof: joinProof(1, 1),
  },
  {
    type: 'confirmation',
    prev: null,
    invite: inviteSigner(1).publicKey,
    joiner: author.publicKey,
    role: 'member',
    admitted: 7,
  },
  { type: 'from-the-future', prev: new Uint8Array(32) },
];
const bodies = [
  ...statements.map((value) => ['member', 'k', author.publicKey, 1, 1, 1, false, value]),
  ['thing', 'urn:althing:x:y', author.publicKey, 2 ** 53 - 1, 5, 9, true, null],
  ['value', 'k', author.publicKey, 1, 1, 1, false, { deep: [[[{ a: 1.5 }]]], bytes: new Uint8Array(20) }],
].map(encode);

const isRefusal = (error: unknown): void =>
  assert.ok(
    error instanceof AlthingError && error.code === 'record-invalid',
    String((error as Error)?.stack),
  );

/** Bytes that are a record, nearly one, or none, half of them rightly signed. */
const anyRecord = (chance: Chance): Uint8Array => {
  if (chance.pick(10) === 0) return chance.bytes(300);
  const body = bodies[chance.pick(bodies.length)]!;
  const content = mutated(body, chance);
  if (chance.pick(2) === 0) return concat(author.sign(signedBytes('record', labFabric.id, content)), content);
  const signature = author.sign(signedBytes('record', labFabric.id, body));
  return mutated(concat(signature, body), chance);
};

test('any bytes are a record or refused as one, signed or not', async (t) => {
  let opened = 0;
  await fuzz(t, (chance, note) => {
    const raw = anyRecord(chance);
    note(raw);
    for (const trusted of [false, true]) {
      let record: SignedRecord;
      try {
        record = openRecord(raw, labFabric.id, nodeCrypto, { trusted });
      } catch (error) {
        isRefusal(error);
        continue;
      }
      opened += 1;
      recordValue(record);
      assert.equal(record.authorId.startsWith('z6Mk'), true);
      assert.ok(Number.isSafeInteger(record.epoch) && Number.isSafeInteger(record.seq));
    }
  });
  assert.ok(opened > 0, 'nothing that was tried was a record: the fuzzer is blind');
});

test('whatever is said to a replica, it stays able to speak, write and reopen', async (t) => {
  let lab = await ReplicaLab.of(2, 1);
  let hand = 0;
  await fuzz(t, async (chance, note) => {
    const peer = lab.peers[0] as LabPeer;
    const link = { peer: lab.peers[1]!.id, send: () => {}, fail: () => {} };
    if (hand++ % 500 === 0) lab = await ReplicaLab.of(2, hand);
    peer.reconciler.add(link);
    const count = () => [0, 1, 2, 2 ** 40, 2 ** 53 - 1][chance.pick(5)]!;
    const position = { epoch: count(), seq: count() };
    const key = peerSigner(chance.pick(3)).publicKey;
    const stream = chance.pick(2) === 0 ? ('control' as const) : ('data' as const);
    const records = Array.from({ length: 1 + chance.pick(2) }, (_, seq) =>
      chance.pick(2) === 0
        ? anyRecord(chance)
        : signRecord(
            {
              collection: ['member', 'value', 'thing'][chance.pick(3)]!,
              key: 'k',
              author: author.publicKey,
              epoch: Math.max(1, position.epoch),
              seq: seq + 1,
              hlc: Math.max(1, count()),
              deleted: chance.pick(2) === 0,
              value: statements[chance.pick(4)],
            },
            labFabric.id,
            author,
          ),
    );
    const from = { epoch: count(), seq: count() };
    const message = [
      {
        kind: 'vector' as const,
        entries: [{ stream, author: key, digest: new Uint8Array(32), ...position }],
      },
      { kind: 'want' as const, stream, author: key, from: position },
      { kind: 'records' as const, stream, author: key, from, to: position, records },
    ][chance.pick(3)]!;
    note(
      JSON.stringify(message, (_, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
      ),
    );
    const frame = encodeSync(message) as Frame;
    await peer.reconciler.handle(link, decodeSync(frame));
    peer.reconciler.remove(link);
    if (chance.pick(20) === 0) {
      await peer.write({ collection: 'peer', key: peer.id, value: { n: chance.pick(9) } });
      const before = peer.reads();
      await peer.restart();
      assert.deepEqual(peer.reads(), before);
    }
  });
});

test('any elements in a records frame are a message or a protocol error', async (t) => {
  const pieces = [
    0,
    1,
    2,
    -1,
    1.5,
    2 ** 53,
    null,
    'x',
    [],
    {},
    new Uint8Array(32),
    new Uint8Array(5),
    [1, 2],
    [[0, new Uint8Array(32), 1, 1, new Uint8Array(32)]],
  ];
  await fuzz(t, (chance) => {
    const frame = [
      20 + chance.pick(3),
      ...Array.from({ length: chance.pick(7) }, () => pieces[chance.pick(pieces.length)]),
    ];
    try {
      decodeSync(frame as unknown as Frame);
    } catch (error) {
      assert.ok(error instanceof AlthingError && error.code === 'protocol-error', String(error));
    }
  });
});
