import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../core/bytes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { peerSigner } from '../testing/control-lab.ts';
import { seedOf } from '../testing/seed.ts';
import { AuthorLog } from './author-log.ts';
import { comparePositions, origin, type SignedRecord } from './record.ts';

const author = peerSigner(1).publicKey;
/** A record that nobody signed: the log looks at none of that. */
const record = (epoch: number, seq: number, key: string, sizeBytes: number): SignedRecord => ({
  stream: 'data',
  collection: 'value',
  key,
  author,
  authorId: 'a',
  epoch,
  seq,
  hlc: 1,
  deleted: false,
  raw: new Uint8Array(sizeBytes),
  hash: toHex(nodeCrypto.sha256(new Uint8Array([epoch, seq]))),
  prev: null,
  statement: null,
  thingOwner: null,
});

const history = fc
  .uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), fc.nat(6), fc.nat(99)),
    {
      maxLength: 30,
      selector: ([epoch, seq]) => epoch * 10 + seq,
    },
  )
  .map((list) => list.map(([epoch, seq, key, size]) => record(epoch, seq, `k${key}`, size + 1)));

const newestOfEachSlot = (records: readonly SignedRecord[]): SignedRecord[] => {
  const sorted = [...records].sort(comparePositions);
  return sorted.filter(({ key }, at) => !sorted.slice(at + 1).some((later) => later.key === key));
};

/** As the replica does: nothing goes in that is older than what its slot holds. */
const filled = (records: readonly SignedRecord[]): AuthorLog => {
  const log = new AuthorLog('data', author);
  for (const one of records) {
    const slot = log.inSlot(one);
    if (!slot || comparePositions(slot, one) < 0) log.insert(one);
  }
  return log;
};

test('in whatever order records come, the newest of each slot stay, in the order of their positions', (t) => {
  fc.assert(
    fc.property(history, (records) => {
      const log = filled(records);
      const live = newestOfEachSlot(records);
      assert.deepEqual(log.live, live);
      assert.deepEqual(log.digest(nodeCrypto), filled([...records].reverse()).digest(nodeCrypto));
      const last = live.at(-1);
      assert.equal(comparePositions(log.position, last ?? origin), 0);
      for (const one of records) {
        assert.equal(log.named(one.hash) !== undefined, live.includes(one));
        assert.deepEqual(log.at(one), live.includes(one) ? [one] : []);
      }
    }),
    { seed: seedOf(t) },
  );
});

test('the ranges from any position on, one after the other, are everything after it, in pieces of the asked size', (t) => {
  fc.assert(
    fc.property(
      history,
      fc.integer({ min: 1, max: 300 }),
      fc.nat(6),
      fc.nat(9),
      (records, maxBytes, epoch, seq) => {
        const log = filled(records);
        const found: SignedRecord[] = [];
        let from = { epoch, seq };
        for (let range = log.range(from, maxBytes); range; range = log.range(from, maxBytes)) {
          const size = range.records.reduce((sum, { raw }) => sum + raw.length, 0);
          assert.ok(range.records.length === 1 || size <= maxBytes);
          assert.deepEqual(range.from, from);
          found.push(...range.records);
          from = range.to;
        }
        assert.deepEqual(
          found,
          log.live.filter((one) => comparePositions(one, { epoch, seq }) > 0),
        );
      },
    ),
    { seed: seedOf(t) },
  );
});

test('the digest is the SHA-256 of the sorted hashes', () => {
  const log = filled([record(1, 1, 'a', 1), record(1, 2, 'b', 1)]);
  const sorted = log.live.map(({ hash }) => hash).sort();
  assert.deepEqual(log.digest(nodeCrypto), nodeCrypto.sha256(fromHex(sorted.join(''))));
});
