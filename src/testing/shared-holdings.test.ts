import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../core/bytes.ts';
import { Holdings } from '../replica/holdings.ts';
import type { SignedRecord } from '../replica/record.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { peerId, peerSigner } from './control-lab.ts';
import { seedOf } from './seed.ts';
import { SharedHoldings } from './shared-holdings.ts';

const authors = 3;

/** A record that nobody signed: holdings look at none of that. */
const record = (author: number, seq: number, key: string, control: boolean): SignedRecord => ({
  stream: control ? 'control' : 'data',
  collection: control ? 'member' : 'value',
  key,
  author: peerSigner(author).publicKey,
  authorId: peerId(author),
  epoch: 1,
  seq,
  hlc: seq,
  deleted: false,
  raw: new Uint8Array(seq + 1),
  hash: toHex(nodeCrypto.sha256(new Uint8Array([author, seq, control ? 1 : 0]))),
  prev: null,
  statement: null,
  thingOwner: null,
});

/** Everything that holdings answer. */
const answers = (holdings: Holdings): unknown => ({
  control: holdings.control.map(({ hash }) => hash).sort(),
  logs: [...holdings.logs()]
    .map(
      (log) =>
        `${log.stream} ${log.authorId} ${log.live.map(({ hash }) => hash)} ${toHex(log.digest(nodeCrypto))}`,
    )
    .sort(),
  slots: [...holdings.allSlots('value')]
    .map((slots) => [...slots.values()].map(({ hash }) => hash).sort())
    .sort(),
  byKey: ['a', 'b', 'c', 'd'].map((key) => [...(holdings.slots('value', key)?.keys() ?? [])].sort()),
});

const change = fc.record({
  author: fc.nat(authors - 1),
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  control: fc.boolean(),
  drop: fc.boolean(),
  which: fc.nat(9),
});

test('shared holdings answer as holdings of their own would, and what is shared stays as it was', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 20 }), (before, after) => {
      let seq = 0;
      const shared = new Holdings();
      const alone = new Holdings();
      const take = (to: readonly Holdings[], changes: typeof before): void => {
        for (const { author, key, control, drop, which } of changes) {
          const stream = control ? 'control' : 'data';
          const live = alone.find(stream, peerId(author))?.live ?? [];
          const dropped = live.slice(which % (live.length + 1));
          seq += 1;
          const next = record(author, seq, key, control);
          for (const holdings of to)
            if (drop) holdings.drop(stream, peerId(author), dropped);
            else holdings.keep(next);
        }
      };
      take([shared, alone], before);
      const asBefore = answers(shared);
      const view = new SharedHoldings(shared);
      assert.deepEqual(answers(view), asBefore);
      take([view, alone], after);
      assert.deepEqual(answers(view), answers(alone));
      assert.deepEqual(answers(shared), asBefore);
    }),
    { seed: seedOf(t) },
  );
});
