import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64urlnopad } from '@scure/base';
import { concat } from '../../src/core/bytes.ts';
import { encode } from '../../src/core/codec.ts';
import { AlthingError } from '../../src/core/errors.ts';
import { decodeTicket, encodeTicket, type Ticket } from '../../src/fabric/ticket.ts';
import { openTicket } from '../../src/peer/join.ts';
import { signRecord } from '../../src/replica/record.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { foundedMs, inviteSigner, labFabric, peerSigner } from '../../src/testing/control-lab.ts';
import { type Chance, fuzz, mutated } from './fuzz.ts';

const founder = peerSigner(0);
const invite = signRecord(
  {
    collection: 'member',
    key: 'k',
    author: founder.publicKey,
    epoch: 1,
    seq: 1,
    hlc: 1,
    deleted: false,
    value: {
      type: 'invite',
      prev: null,
      invite: inviteSigner(1).publicKey,
      role: 'member',
      uses: 1,
      expires: foundedMs + 1000,
    },
  },
  labFabric.id,
  founder,
);
const seed = new Uint8Array(32).fill(2);
new DataView(seed.buffer).setUint32(0, 1);
const ticket: Ticket = {
  kind: 'invite',
  genesis: labFabric.bytes,
  permit: invite,
  proof: [],
  seed,
  peers: [{ key: founder.publicKey, addresses: ['192.168.1.20:7421', '[fe80::1]:7421'] }],
};
const text = encodeTicket(ticket, nodeCrypto);
const body = encode([1, ticket.genesis, invite, [], seed, [[founder.publicKey, ticket.peers[0]!.addresses]]]);

const isRefusal = (error: unknown): void =>
  assert.ok(
    error instanceof AlthingError && error.code === 'ticket-invalid',
    String((error as Error)?.stack),
  );

/** Texts that are nearly tickets; half of them with a checksum that is right for what they hold. */
const anyText = (chance: Chance): string => {
  if (chance.pick(2) === 0) {
    const content = mutated(body, chance);
    return `althing:${base64urlnopad.encode(concat(content, nodeCrypto.sha256(content).subarray(0, 4)))}`;
  }
  const bytes = chance.pick(4) === 0 ? chance.bytes(200) : mutated(new TextEncoder().encode(text), chance);
  return new TextDecoder().decode(bytes);
};

test('the ticket that the fuzzers start from opens', () => {
  assert.equal(openTicket(text, nodeCrypto).role, 'member');
});

test('any text is a ticket or refused as one', async (t) => {
  await fuzz(t, (chance, note) => {
    const input = anyText(chance);
    note(input);
    for (const read of [decodeTicket, openTicket]) {
      try {
        read(input, nodeCrypto);
      } catch (error) {
        isRefusal(error);
      }
    }
  });
});
