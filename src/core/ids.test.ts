import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { fromHex } from './bytes.ts';
import { AlthingError } from './errors.ts';
import { hashId, isPeerId, parseThingId, peerIdOf, publicKeyOf, slugOf, thingIdOf } from './ids.ts';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

test("a peer's id is what the did:key method writes", () => {
  // The first Ed25519 example of the did:key method's test vectors.
  const id = 'z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp';
  const publicKey = fromHex('3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29');
  assert.equal(peerIdOf(publicKey), id);
  assert.deepEqual(publicKeyOf(id), publicKey);
});

test('ids and keys name each other, also once more than the cache holds have been seen', (t) => {
  fc.assert(
    fc.property(key, (publicKey) => {
      const id = peerIdOf(publicKey);
      assert.ok(isPeerId(id));
      assert.match(id, /^z6Mk/);
      assert.deepEqual(publicKeyOf(id), publicKey);
    }),
    { seed: seedOf(t), numRuns: 300 },
  );
  const first = new Uint8Array(32).fill(7);
  const id = peerIdOf(first);
  for (let number = 0; number < 5000; number++) {
    const other = new Uint8Array(32);
    new DataView(other.buffer).setUint32(0, number);
    peerIdOf(other);
  }
  assert.equal(peerIdOf(first), id);
  assert.deepEqual(publicKeyOf(id), first);
});

test('the key that an id was made of may be changed afterwards', () => {
  const mine = new Uint8Array(32).fill(3);
  const id = peerIdOf(mine);
  mine.fill(4);
  assert.deepEqual(publicKeyOf(id), new Uint8Array(32).fill(3));
});

test('keys of another length make no id', () => {
  for (const size of [0, 31, 33]) assert.throws(() => peerIdOf(new Uint8Array(size)), { code: 'bad-input' });
});

test('any text is an id or refused as bad input, and both ways of asking agree', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map((rest) => `z6Mk${rest}`),
    fc.tuple(key, fc.nat(60), fc.string({ maxLength: 1 })).map(([publicKey, at, put]) => {
      const id = peerIdOf(publicKey);
      return id.slice(0, at) + put + id.slice(at + 1);
    }),
  );
  fc.assert(
    fc.property(text, (id) => {
      let publicKey: Uint8Array | undefined;
      try {
        publicKey = publicKeyOf(id);
      } catch (error) {
        assert.ok(error instanceof AlthingError && error.code === 'bad-input', String(error));
      }
      assert.equal(isPeerId(id), publicKey !== undefined);
      if (publicKey) assert.equal(peerIdOf(publicKey), id);
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 1000 : 300 },
  );
  for (const other of [undefined, null, 5, {}, ['z6Mk']]) assert.equal(isPeerId(other), false);
});

test('a slug is a name that a Thing id can carry', (t) => {
  const peer = peerIdOf(new Uint8Array(32).fill(9));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 61 })), (title) => {
      const slug = slugOf(title);
      assert.match(slug, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.ok(slug.length <= 60);
      assert.deepEqual(parseThingId(thingIdOf(peer, slug)), { peer, name: slug });
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 500 : 200 },
  );
});

test('titles become names as a person would expect', () => {
  for (const [title, slug] of [
    ['Hall Lamp', 'hall-lamp'],
    ['  Küche: Licht (2) ', 'kuche-licht-2'],
    ['Ærø', 'r'],
    ['灯', 'thing'],
    ['---', 'thing'],
  ] as const)
    assert.equal(slugOf(title), slug);
});

test('only our own Thing ids are taken apart', () => {
  const peer = peerIdOf(new Uint8Array(32).fill(9));
  for (const id of [
    '',
    'urn:althing:z6Mk:lamp',
    `urn:althing:${peer}`,
    `urn:althing:${peer}:`,
    `urn:althing:${peer}:-lamp`,
    `urn:althing:${peer}:Lamp`,
    `urn:althing:${peer}:lamp:2`,
    `urn:althing:${peer}:lamp\n`,
    `xurn:althing:${peer}:lamp`,
    `urn:dev:${peer}:lamp`,
  ])
    assert.equal(parseThingId(id), undefined, id);
});

test('a hash is named in hexadecimal', () => {
  assert.equal(hashId(new Uint8Array([0, 1, 255])), '0001ff');
});
