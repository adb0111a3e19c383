import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64urlnopad } from '@scure/base';
import fc from 'fast-check';
import { concat } from '../core/bytes.ts';
import { encode } from '../core/codec.ts';
import { AlthingError } from '../core/errors.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { randomFrom, seedOf } from '../testing/seed.ts';
import { decodeTicket, encodeTicket, type Ticket } from './ticket.ts';

const sized = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const ticketParts = {
  genesis: sized(1, 300),
  kind: fc.constantFrom('invite' as const, 'pass' as const),
  permit: sized(65, 300),
  proof: fc.array(sized(65, 300), { maxLength: 8 }),
  seed: sized(32, 32),
  peers: fc.array(
    fc.record(
      { key: sized(32, 32), addresses: fc.array(fc.string({ maxLength: 80 }), { maxLength: 8 }) },
      { noNullPrototype: true },
    ),
    { maxLength: 3 },
  ),
};
const ticketArbitrary: fc.Arbitrary<Ticket> = fc.record(ticketParts, { noNullPrototype: true });

const example: Ticket = {
  kind: 'invite',
  genesis: new Uint8Array(90).fill(1),
  permit: new Uint8Array(200).fill(2),
  proof: [],
  seed: new Uint8Array(32).fill(3),
  peers: [{ key: new Uint8Array(32).fill(4), addresses: ['192.168.1.20:7421'] }],
};

const refused = (text: string): void => {
  const what = (error: unknown) => error instanceof AlthingError && error.code === 'ticket-invalid';
  assert.throws(() => decodeTicket(text, nodeCrypto), what, JSON.stringify(text));
};

/** A text whose checksum is right, around any body. */
const wrapped = (body: Uint8Array): string =>
  `althing:${base64urlnopad.encode(concat(body, nodeCrypto.sha256(body).subarray(0, 4)))}`;

test('a ticket comes back as it was', (t) => {
  fc.assert(
    fc.property(ticketArbitrary, (ticket) => {
      assert.deepEqual(decodeTicket(encodeTicket(ticket, nodeCrypto), nodeCrypto), ticket);
    }),
    { seed: seedOf(t), numRuns: 200 },
  );
});

test('line breaks and blanks of a mail, and the case of the scheme, do no harm', () => {
  const text = encodeTicket(example, nodeCrypto);
  const broken = `\n ${text.replace(/.{20}/g, '$&\r\n  ')} \t`;
  assert.deepEqual(decodeTicket(broken, nodeCrypto), example);
  assert.deepEqual(decodeTicket(text.replace('althing:', 'ALTHING:'), nodeCrypto), example);
});

test('a ticket cut short anywhere is refused', () => {
  const text = encodeTicket(example, nodeCrypto);
  for (let length = 0; length < text.length; length++) refused(text.slice(0, length));
  for (let from = 1; from < text.length; from++) refused(text.slice(from));
});

test('any other character in any place is refused', (t) => {
  const text = encodeTicket(example, nodeCrypto);
  const random = randomFrom(seedOf(t));
  const characters = [...'ABCXYZabcxyz0189-_+/=.:% é灯\u0000\u212a'];
  for (let at = 0; at < text.length; at++) {
    for (let round = 0; round < 6; round++) {
      const character = characters[Math.floor(random() * characters.length)]!;
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      if (changed.toLowerCase().startsWith('althing:') && changed.slice(8) === text.slice(8)) continue;
      refused(changed);
    }
  }
});

test('a character more, or two that changed places, is refused', () => {
  const text = encodeTicket(example, nodeCrypto);
  for (let at = 8; at < text.length; at++) {
    refused(`${text.slice(0, at)}A${text.slice(at)}`);
    const [a, b] = [text[at]!, text[at + 1]];
    if (b !== undefined && a !== b) refused(text.slice(0, at) + b + a + text.slice(at + 2));
  }
});

test('any garbage is refused as a ticket, never otherwise', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((rest) => `althing:${rest}`),
        fc.uint8Array().map((bytes) => `althing:${base64urlnopad.encode(bytes)}`),
        fc.uint8Array().map(wrapped),
        fc.anything().map((value) => {
          try {
            return wrapped(encode(value));
          } catch {
            // Not everything can be CBOR.
            return '';
          }
        }),
      ),
      refused,
    ),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 1000 : 300 },
  );
  refused('A'.repeat(20_000));
  refused(`althing:${'A'.repeat(16_376)}`);
});

test('well-formed CBOR with the wrong members is refused', () => {
  const parts = (change: (parts: unknown[]) => void): string => {
    const { genesis, permit, proof, seed, peers } = example;
    const list: unknown[] = [
      1,
      genesis,
      permit,
      proof,
      seed,
      peers.map((peer) => [peer.key, peer.addresses]),
    ];
    change(list);
    return wrapped(encode(list));
  };
  assert.deepEqual(
    decodeTicket(
      parts(() => {}),
      nodeCrypto,
    ),
    example,
  );
  refused(parts((list) => list.pop()));
  refused(parts((list) => list.push(0)));
  for (const version of [0, 3, -1, 1.5, '1', null]) refused(parts((list) => list.splice(0, 1, version)));
  for (const seed of [new Uint8Array(31), new Uint8Array(33), 'x'.repeat(32)])
    refused(parts((list) => list.splice(4, 1, seed)));
  refused(parts((list) => list.splice(3, 1, Array(65).fill(new Uint8Array(65)))));
  refused(parts((list) => list.splice(5, 1, Array(9).fill([new Uint8Array(32), []]))));
  refused(parts((list) => list.splice(5, 1, [[new Uint8Array(32), [5]]])));
});

test('a ticket of a newer version says so', () => {
  assert.throws(() => decodeTicket(wrapped(encode([3, 'whatever'])), nodeCrypto), {
    code: 'ticket-invalid',
    message: /newer version/,
  });
});
