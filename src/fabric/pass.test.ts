import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { foundedMs, labFabric, peerId, peerSigner } from '../testing/control-lab.ts';
import { seedOf } from '../testing/seed.ts';
import { judgePass, openPass, type PassTerms, presentationBytes, signPass } from './pass.ts';
import { scopeOperations } from './scope.ts';

const passKey = nodeCrypto.signer(new Uint8Array(32).fill(9));
const lamp = thingIdOf(peerId(1), 'lamp');
const terms: PassTerms = {
  key: passKey.publicKey,
  things: [lamp],
  operations: ['read', 'write'],
  affordances: null,
  expires: foundedMs + 1000,
  uses: 1,
  title: 'Lamp',
};
const fabric = labFabric.id;
const signed = signPass(terms, peerSigner(0), fabric);
const known = { ms: foundedMs, known: true };
const authority = { admins: new Set([peerId(0)]), endedPasses: new Set<string>() };

test('a pass says what its issuer signed, whatever that is', (t) => {
  const names = fc.array(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 });
  const arbitrary = fc.record(
    {
      key: fc.constant(passKey.publicKey),
      things: names,
      operations: fc.subarray([...scopeOperations], { minLength: 1 }),
      affordances: fc.option(names),
      expires: fc.nat(),
      uses: fc.integer({ min: 1, max: 100 }),
      title: fc.string({ minLength: 1, maxLength: 64 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(arbitrary, (given) => {
      const pass = openPass(signPass(given, peerSigner(3), fabric), fabric, nodeCrypto);
      const { id, issuer, scope, ...said } = pass;
      assert.deepEqual(said, given);
      assert.deepEqual([id, issuer], [peerIdOf(passKey.publicKey), peerId(3)]);
      assert.deepEqual(scope.things, { kind: 'ids', ids: given.things });
    }),
    { seed: seedOf(t), numRuns: 100 },
  );
});

test('a pass with any byte changed, cut short, or of another fabric is forged', () => {
  const refused = (raw: Uint8Array, where = fabric): void =>
    assert.throws(() => openPass(raw, where, nodeCrypto), { code: 'ticket-invalid' });
  for (let at = 0; at < signed.length; at++) {
    const changed = signed.slice();
    changed[at]! ^= 1;
    refused(changed);
    refused(signed.subarray(0, at));
  }
  refused(signed, new Uint8Array(32).fill(5));
  refused(new Uint8Array(5000));
});

test('more Things than a pass may have, or more than it carries, are refused', () => {
  const many = { ...terms, things: Array.from({ length: 17 }, (_, n) => `t${n}`) };
  assert.throws(() => openPass(signPass(many, peerSigner(0), fabric), fabric, nodeCrypto), {
    code: 'ticket-invalid',
  });
  const wide = { ...terms, affordances: Array.from({ length: 64 }, (_, n) => `${n}`.padEnd(200, 'x')) };
  assert.throws(() => signPass(wide, peerSigner(0), fabric), { code: 'bad-input' });
});

test('a pass holds until it expires or is ended, and only while its issuer is an admin', () => {
  const pass = openPass(signed, fabric, nodeCrypto);
  const codeOf = (...args: Parameters<typeof judgePass>): string => {
    try {
      judgePass(...args);
      return 'good';
    } catch (error) {
      assert.ok(error instanceof AlthingError);
      return error.code;
    }
  };
  assert.equal(codeOf(pass, authority, known), 'good');
  assert.equal(codeOf(pass, authority, { ms: terms.expires - 1, known: true }), 'good');
  assert.equal(codeOf(pass, authority, { ms: terms.expires, known: true }), 'pass-expired');
  assert.equal(codeOf(pass, authority, { ms: 0, known: false }), 'clock-unknown');
  assert.equal(codeOf(pass, { ...authority, admins: new Set([peerId(1)]) }, known), 'ticket-invalid');
  const endedPasses = new Set([toHex(passKey.publicKey)]);
  assert.equal(codeOf(pass, { ...authority, endedPasses }, known), 'pass-ended');
});

test('a presentation counts for one presenter, in one fabric, and is no pass', () => {
  const presenter = peerSigner(7).publicKey;
  const proof = passKey.sign(presentationBytes(fabric, passKey.publicKey, presenter));
  const holds = (where: Uint8Array, who: Uint8Array): boolean =>
    nodeCrypto.verify(passKey.publicKey, presentationBytes(where, passKey.publicKey, who), proof);
  assert.ok(holds(fabric, presenter));
  assert.ok(!holds(fabric, peerSigner(8).publicKey));
  assert.ok(!holds(new Uint8Array(32), presenter));
});
