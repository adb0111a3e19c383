/**
 * Vectors of what stands for itself: keys and names, signatures, records, tickets.
 * Relies on the sources; `test/vectors.test.ts` checks the files against them in both directions.
 */
import { concat, utf8 } from '../../src/core/bytes.ts';
import { decode, encode } from '../../src/core/codec.ts';
import { signedBytes } from '../../src/core/crypto.ts';
import { peerIdOf, thingIdOf } from '../../src/core/ids.ts';
import { joinProofBytes } from '../../src/fabric/control.ts';
import { encodeTicket, type Ticket } from '../../src/fabric/ticket.ts';
import { type SignedRecord, signRecord } from '../../src/replica/record.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { foundedMs, inviteSigner, labFabric, peerSigner } from '../../src/testing/control-lab.ts';
import { Author } from './author.ts';

const seedOf = (kind: number, number: number): Uint8Array => {
  const seed = new Uint8Array(32).fill(kind);
  new DataView(seed.buffer).setUint32(0, number);
  return seed;
};

/** A record's bytes beside what is in them. */
export const showRecord = (record: SignedRecord) => ({
  raw: record.raw,
  hash: record.hash,
  body: decode(record.raw.subarray(64)),
});

/** Keys, ids, the genesis, and one signature of each kind. */
export const keyVectors = () => {
  const body = utf8('body');
  return {
    fabric: { genesis: labFabric.bytes, id: labFabric.id },
    peers: Array.from({ length: 8 }, (_, number) => {
      const { publicKey } = peerSigner(number);
      const id = peerIdOf(publicKey);
      return { seed: seedOf(1, number), publicKey, id, thing: thingIdOf(id, 'lamp') };
    }),
    invites: Array.from({ length: 3 }, (_, number) => ({
      seed: seedOf(2, number),
      publicKey: inviteSigner(number).publicKey,
    })),
    recovery: { seed: seedOf(3, 0), publicKey: labFabric.genesis.recovery },
    signatures: (['record', 'join', 'pass', 'adminset'] as const).map((kind) => {
      const message = signedBytes(kind, labFabric.id, body);
      return { kind, body, signer: peerSigner(0).publicKey, message, signature: peerSigner(0).sign(message) };
    }),
    joinProof: (() => {
      const invite = inviteSigner(1).publicKey;
      const joiner = peerSigner(1).publicKey;
      return { invite, joiner, proof: inviteSigner(1).sign(joinProofBytes(labFabric.id, invite, joiner)) };
    })(),
  };
};

/** Records that hold, and bytes that are none. */
export const recordVectors = () => {
  const author = new Author(labFabric, 1);
  const good = author.sign('peer', author.id, { name: 'lamp', addresses: ['192.0.2.7:7421'] });
  const holding = [
    good,
    author.sign('thing', thingIdOf(author.id, 'lamp'), { td: '{"title":"Lamp"}' }),
    author.sign('shadow', thingIdOf(author.id, 'lamp'), null, { deleted: true }),
    author.sign('value', 'k'.repeat(256), [1, -1, 1.5, true, null, 'ö', new Uint8Array([0, 255])], {
      epoch: 2 ** 53 - 1,
      seq: 2 ** 53 - 1,
      hlc: 2 ** 53 - 1,
    }),
    new Author(labFabric, 1).sign('from-the-future', 'k', { any: 'thing' }),
  ];
  const resigned = (body: readonly unknown[]): Uint8Array => {
    const bytes = encode(body);
    return concat(author.signer.sign(signedBytes('record', labFabric.id, bytes)), bytes);
  };
  const body = decode(good.raw.subarray(64)) as unknown[];
  const changed = (at: number, value: unknown): Uint8Array =>
    resigned(body.map((element, index) => (index === at ? value : element)));
  const flipped = good.raw.slice();
  flipped[70]! ^= 1;
  const longInteger = concat(good.raw.subarray(64, -1), new Uint8Array([0x18, 0x01]));
  return {
    fabric: labFabric.id,
    holding: holding.map(showRecord),
    refused: [
      { why: 'a bit of the body is flipped', raw: flipped },
      {
        why: 'signed for another fabric',
        raw: signRecord({ ...good, value: null }, new Uint8Array(32), author.signer),
      },
      {
        why: 'signed by another key',
        raw: signRecord({ ...good, value: null }, labFabric.id, peerSigner(2)),
      },
      { why: 'an element too few', raw: resigned(body.slice(0, -1)) },
      { why: 'an element too many', raw: resigned([...body, null]) },
      { why: 'the collection has a capital', raw: changed(0, 'Peer') },
      { why: 'the key is empty', raw: changed(1, '') },
      { why: 'the key is too long', raw: changed(1, 'k'.repeat(257)) },
      { why: 'seq is zero', raw: changed(4, 0) },
      { why: 'hlc is no integer', raw: changed(5, 1.5) },
      { why: 'a control record without prev', raw: changed(0, 'member') },
      { why: 'a byte follows', raw: concat(good.raw, new Uint8Array([0])) },
      {
        why: 'an integer is not in its shortest form',
        raw: concat(author.signer.sign(signedBytes('record', labFabric.id, longInteger)), longInteger),
      },
      { why: 'too short', raw: good.raw.subarray(0, 64) },
    ],
  };
};

/** Tickets as text and what they carry, and texts that are none. */
export const ticketVectors = () => {
  const founder = new Author(labFabric, 0);
  const invite = inviteSigner(1).publicKey;
  const value = { type: 'invite', invite, role: 'member', uses: 3, expires: foundedMs + 86_400_000 };
  const ticket: Ticket = {
    kind: 'invite',
    genesis: labFabric.bytes,
    permit: founder.sign('member', peerIdOf(invite), value).raw,
    proof: [],
    seed: seedOf(2, 1),
    peers: [{ key: founder.key, addresses: ['192.0.2.1:7421', '[2001:db8::1]:7421'] }],
  };
  const text = encodeTicket(ticket, nodeCrypto);
  return {
    holding: [
      { text, ticket },
      { text: `  ${text.slice(0, 40)}\n${text.slice(40)} `, ticket },
    ],
    refused: [
      { why: 'cut short', text: text.slice(0, -1) },
      { why: 'a letter changed', text: text.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) },
      { why: 'another scheme', text: text.replace('althing:', 'http:') },
      { why: 'empty', text: 'althing:' },
    ],
  };
};

/** Pairs of records, and whether they prove that their author contradicted itself. */
export const fraudVectors = () => {
  const [author, other] = [new Author(labFabric, 1), new Author(labFabric, 2)];
  const data = author.sign('value', 'k', 1);
  const next = author.sign('value', 'k', 2);
  const control = author.sign('member', 'x', { type: 'of-a-later-version' });
  const pairs: readonly (readonly [string, boolean, SignedRecord, SignedRecord])[] = [
    ['two values for one position', true, data, author.contradict(data, 'another')],
    ['of control', true, control, author.contradict(control, { type: 'something-else', prev: null })],
    ['one record twice', false, data, data],
    ['two positions', false, data, next],
    ['two authors', false, data, other.sign('value', 'k', 3)],
    ['two streams', false, data, control],
  ];
  return {
    fabric: labFabric.id,
    pairs: pairs.map(([name, proves, a, b]) => ({ name, proves, records: [a.raw, b.raw] })),
  };
};
