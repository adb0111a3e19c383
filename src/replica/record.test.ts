import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, toHex } from '../core/bytes.ts';
import { decode, encode } from '../core/codec.ts';
import { type SignedKind, signedBytes } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { peerIdOf } from '../core/ids.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { inviteSigner, labFabric, peerSigner } from '../testing/control-lab.ts';
import { seedOf } from '../testing/seed.ts';
import {
  comparePositions,
  maxRecordBytes,
  openRecord,
  type RecordBody,
  recordValue,
  signRecord,
  streamOf,
} from './record.ts';

const signer = peerSigner(1);
const fabric = labFabric.id;
const body: RecordBody = {
  collection: 'thing',
  key: 'k',
  author: signer.publicKey,
  epoch: 5,
  seq: 2,
  hlc: 9,
  deleted: false,
  value: { td: 'x' },
};
const open = (raw: Uint8Array) => openRecord(raw, fabric, nodeCrypto);
const invalid = (raw: Uint8Array, why?: string): void =>
  assert.throws(
    () => open(raw),
    (error) => error instanceof AlthingError && error.code === 'record-invalid',
    why,
  );
/** A rightly signed record around any body. */
const sealed = (content: Uint8Array, kind: SignedKind = 'record', by = signer, of = fabric): Uint8Array =>
  concat(by.sign(signedBytes(kind, of, content)), content);
const parts = (change: Record<number, unknown>): Uint8Array => {
  const list: unknown[] = ['thing', 'k', signer.publicKey, 5, 2, 9, false, null];
  for (const [at, value] of Object.entries(change)) list[Number(at)] = value;
  return encode(list);
};

test('a record says what was signed, and keeps the bytes', () => {
  const raw = signRecord(body, fabric, signer);
  const record = open(raw);
  const { value, author, ...plain } = body;
  assert.deepEqual(
    { ...record, author: undefined },
    {
      ...plain,
      author: undefined,
      authorId: peerIdOf(author),
      stream: 'data',
      raw,
      hash: toHex(nodeCrypto.sha256(raw)),
      prev: null,
      statement: null,
      thingOwner: null,
    },
  );
  assert.deepEqual(recordValue(record), value);
});

test('a signature counts for this fabric, this kind, this author and this body only', () => {
  const content = parts({});
  open(sealed(content));
  invalid(sealed(content, 'record', signer, new Uint8Array(32)), 'another fabric');
  for (const kind of ['join', 'pass'] as const) invalid(sealed(content, kind), kind);
  invalid(sealed(content, 'record', peerSigner(2)), 'another signer');
  invalid(concat(sealed(content).subarray(0, 64), parts({ 4: 3 })), 'another body');
  invalid(concat(signer.sign(content), content), 'nothing around it');
  invalid(concat(new Uint8Array(64), content), 'none');
});

test('what our own store gave back is not verified again, but must be well formed', () => {
  const raw = concat(new Uint8Array(64), parts({}));
  assert.equal(openRecord(raw, fabric, nodeCrypto, { trusted: true }).key, 'k');
  const short = concat(new Uint8Array(64), parts({}).subarray(1));
  assert.throws(() => openRecord(short, fabric, nodeCrypto, { trusted: true }), { code: 'record-invalid' });
});

test('any changed byte is refused', () => {
  const raw = signRecord(body, fabric, signer);
  for (let at = 0; at < raw.length; at++) {
    const changed = raw.slice();
    changed[at]! ^= 1 << (at % 8);
    invalid(changed, `byte ${at}`);
  }
});

test('a record of 64 KiB passes, one byte more does not, in writing and in reading', () => {
  const fill = (sizeBytes: number): RecordBody => ({ ...body, value: new Uint8Array(sizeBytes) });
  const overhead = signRecord(fill(60_000), fabric, signer).length - 60_000;
  const largest = signRecord(fill(maxRecordBytes - overhead), fabric, signer);
  assert.equal(largest.length, maxRecordBytes);
  open(largest);
  assert.throws(() => signRecord(fill(maxRecordBytes - overhead + 1), fabric, signer), {
    code: 'value-too-large',
  });
  invalid(sealed(parts({ 7: new Uint8Array(maxRecordBytes) })));
});

test('bodies that are not well formed are refused, however well they are signed', () => {
  for (const [at, values] of Object.entries({
    0: ['', 'Thing', '1', 'a'.repeat(33), 'a b', 5, null],
    1: ['', 'k'.repeat(257), 5],
    2: [signer.publicKey.subarray(1), 'key', null],
    3: [0, -1, 1.5, '1', null],
    4: [0, -1, 1.5],
    5: [0, -1, 1.5],
    6: [0, 1, null],
  }))
    for (const value of values) invalid(sealed(parts({ [at]: value })), `${at}: ${value}`);
  for (const content of [
    encode([]),
    encode({}),
    encode(null),
    new Uint8Array([0xff]),
    concat(parts({}), parts({})),
    parts({ 8: null }),
    encode((decode(parts({})) as unknown[]).slice(0, -1)),
  ])
    invalid(sealed(content));
  invalid(new Uint8Array(0));
  invalid(new Uint8Array(64));
});

test('control records name their predecessor', () => {
  const control = (value: unknown) => open(sealed(parts({ 0: 'member', 7: value })));
  assert.equal(control({ type: 'x', prev: null }).prev, null);
  assert.equal(control({ type: 'x', prev: new Uint8Array(32).fill(1) }).prev, '01'.repeat(32));
  for (const value of [null, 5, {}, { prev: 'x' }, { prev: new Uint8Array(31) }])
    assert.throws(() => control(value), { code: 'record-invalid' });
});

test('control statements of a newer version, or malformed ones, are kept and have no effect', () => {
  const invite = {
    type: 'invite',
    prev: null,
    invite: inviteSigner(1).publicKey,
    role: 'member',
    uses: 1,
    expires: 5,
  };
  const statement = (value: unknown, collection = 'member') =>
    open(sealed(parts({ 0: collection, 7: value }))).statement;
  assert.deepEqual(statement(invite), invite);
  for (const change of [
    { type: 'oath' },
    { role: 'admin' },
    { uses: 0 },
    { uses: 10_001 },
    { uses: 1.5 },
    { expires: -1 },
    { invite: new Uint8Array(31) },
  ])
    assert.equal(statement({ ...invite, ...change }), null, JSON.stringify(change));
  assert.equal(statement(invite, 'adminset'), null);
  assert.equal(statement({ type: 'admission', prev: null }), null);
});

test('each collection has its stream', () => {
  for (const collection of ['member', 'grant', 'restriction', 'revocation', 'replacement', 'adminset'])
    assert.equal(streamOf(collection), 'control');
  for (const collection of ['peer', 'thing', 'from-the-future']) assert.equal(streamOf(collection), 'data');
});

test('positions are ordered by epoch, then by count', (t) => {
  const position = fc.record({ epoch: fc.maxSafeNat(), seq: fc.maxSafeNat() });
  fc.assert(
    fc.property(position, position, (a, b) => {
      const wanted = a.epoch === b.epoch ? Math.sign(a.seq - b.seq) : Math.sign(a.epoch - b.epoch);
      assert.equal(Math.sign(comparePositions(a, b)), wanted);
      assert.equal(Math.sign(comparePositions(b, a)), wanted === 0 ? 0 : -wanted);
    }),
    { seed: seedOf(t) },
  );
});
