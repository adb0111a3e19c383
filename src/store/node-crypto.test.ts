import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex, utf8 } from '../core/bytes.ts';
import { hmacSha256, nodeCrypto, privateKeyObject, rawPublicKey } from './node-crypto.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

test('signs as RFC 8032 section 7.1, test 2 prints', () => {
  const signer = nodeCrypto.signer(hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'));
  assert.equal(toHex(signer.publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  const signature = signer.sign(hex('72'));
  assert.equal(
    toHex(signature),
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
  assert.equal(nodeCrypto.verify(signer.publicKey, hex('72'), signature), true);
});

test('hashes as FIPS 180-4 prints', () => {
  assert.equal(
    toHex(nodeCrypto.sha256(utf8('abc'))),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('authenticates as RFC 4231, test case 2 prints', () => {
  assert.equal(
    toHex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?'))),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('verify is false, and never a throw, for anything malformed', () => {
  const signer = nodeCrypto.signer(new Uint8Array(32).fill(7));
  const message = utf8('on');
  const signature = signer.sign(message);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (key, other) => {
      assert.equal(nodeCrypto.verify(key, message, signature), false);
      assert.equal(nodeCrypto.verify(signer.publicKey, message, other), false);
      assert.equal(nodeCrypto.verify(key, message, other), false);
    }),
  );
  fc.assert(
    fc.property(fc.nat(511), (bit) => {
      const broken = signature.slice();
      broken[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(nodeCrypto.verify(signer.publicKey, message, broken), false);
    }),
  );
});

test('a key that anybody can sign for verifies nothing', () => {
  // R = the neutral element and S = 0 hold for every message under a key of order one.
  const forged = new Uint8Array(64);
  forged[0] = 1;
  const neutral = new Uint8Array(32);
  neutral[0] = 1;
  assert.equal(nodeCrypto.verify(neutral, utf8('unlock'), forged), false);
  neutral[31] = 0x80;
  assert.equal(nodeCrypto.verify(neutral, utf8('unlock'), forged), false);
});

test('verification stays right when more keys are in use than are kept', () => {
  const message = utf8('state');
  const first = nodeCrypto.signer(new Uint8Array(32).fill(1));
  const signature = first.sign(message);
  assert.equal(nodeCrypto.verify(first.publicKey, message, signature), true);
  for (let i = 0; i < 5000; i++) {
    nodeCrypto.verify(nodeCrypto.randomBytes(32), message, signature);
  }
  assert.equal(nodeCrypto.verify(first.publicKey, message, signature), true);
});

test('gives plain Uint8Arrays of the promised sizes, no Buffers', () => {
  const signer = nodeCrypto.signer(nodeCrypto.randomBytes(32));
  for (const [bytes, size] of [
    [signer.publicKey, 32],
    [signer.sign(utf8('x')), 64],
    [nodeCrypto.sha256(utf8('x')), 32],
    [nodeCrypto.randomBytes(5), 5],
    [hmacSha256(utf8('k'), utf8('x')), 32],
  ] as const) {
    assert.equal(bytes.constructor, Uint8Array);
    assert.equal(bytes.length, size);
  }
});

test('a seed of another length is refused', () => {
  assert.throws(() => nodeCrypto.signer(new Uint8Array(31)), { code: 'bad-input' });
});

test('the public key is the same out of either half', () => {
  const seed = new Uint8Array(32).fill(3);
  assert.deepEqual(rawPublicKey(privateKeyObject(seed)), nodeCrypto.signer(seed).publicKey);
});
