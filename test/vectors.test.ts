import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fromHex, toHex } from '../src/core/bytes.ts';
import { encode } from '../src/core/codec.ts';
import { peerIdOf } from '../src/core/ids.ts';
import type { FraudCuts } from '../src/fabric/authority.ts';
import { decodeFabric } from '../src/fabric/genesis.ts';
import { decodeTicket } from '../src/fabric/ticket.ts';
import { openProof } from '../src/replica/fraud-proofs.ts';
import type { IncomingRange } from '../src/replica/incoming-range.ts';
import { openRecord, type Position } from '../src/replica/record.ts';
import { nodeCrypto } from '../src/store/node-crypto.ts';
import { fromJson, toJson } from './vectors/json-form.ts';
import { vectorFiles } from './vectors/make.ts';
import { authorityOf } from './vectors/membership-vectors.ts';
import { merged } from './vectors/merge-vectors.ts';

const textOf = (name: string): Promise<string> =>
  readFile(new URL(`vectors/${name}`, import.meta.url), 'utf8');
const contentOf = async <Content>(name: string): Promise<Content> =>
  fromJson(JSON.parse(await textOf(name))) as Content;

test('the vectors are what the program makes: a change of the protocol is seen here', async () => {
  for (const [name, text] of await vectorFiles())
    assert.equal(await textOf(name), text, `${name}: run "node test/vectors/make.ts" where this is meant`);
});

test('keys, ids and signatures follow from what the file holds', async () => {
  const keys = await contentOf<{
    fabric: { genesis: Uint8Array; id: Uint8Array };
    peers: { seed: Uint8Array; publicKey: Uint8Array; id: string; thing: string }[];
    signatures: { signer: Uint8Array; message: Uint8Array; signature: Uint8Array }[];
  }>('keys.json');
  assert.deepEqual(decodeFabric(keys.fabric.genesis, nodeCrypto).id, keys.fabric.id);
  for (const { seed, publicKey, id } of keys.peers) {
    assert.deepEqual(nodeCrypto.signer(seed).publicKey, publicKey);
    assert.equal(peerIdOf(publicKey), id);
  }
  for (const { signer, message, signature } of keys.signatures)
    assert.ok(nodeCrypto.verify(signer, message, signature));
});

interface ShownRecord {
  readonly raw: Uint8Array;
  readonly hash: string;
  readonly body: unknown[];
}

test('each record holds and has the hash and the content that the file says', async () => {
  const records = await contentOf<{ fabric: Uint8Array; holding: ShownRecord[] }>('records.json');
  const control = await contentOf<{ fabric: Uint8Array; records: ShownRecord[] }>('control.json');
  for (const { raw, hash, body } of [...records.holding, ...control.records]) {
    assert.equal(openRecord(raw, records.fabric, nodeCrypto).hash, hash);
    assert.equal(toHex(encode(body)), toHex(raw.subarray(64)));
  }
});

test('each statement is of the type that the file says, and an unknown one of none', async () => {
  const { fabric, records } = await contentOf<{
    fabric: Uint8Array;
    records: (ShownRecord & { type: string | null })[];
  }>('control.json');
  for (const { raw, type } of records)
    assert.equal(openRecord(raw, fabric, nodeCrypto).statement?.type ?? null, type);
  assert.ok(new Set(records.map(({ type }) => type)).size >= 12);
});

test('what is no record is refused', async () => {
  const { fabric, refused } = await contentOf<{
    fabric: Uint8Array;
    refused: { why: string; raw: Uint8Array }[];
  }>('records.json');
  for (const { why, raw } of refused)
    assert.throws(() => openRecord(raw, fabric, nodeCrypto), { code: 'record-invalid' }, why);
});

test('tickets say what the file says, and damaged ones are refused', async () => {
  const { holding, refused } = await contentOf<{
    holding: { text: string; ticket: unknown }[];
    refused: { why: string; text: string }[];
  }>('tickets.json');
  for (const { text, ticket } of holding)
    assert.deepEqual(toJson(decodeTicket(text, nodeCrypto)), toJson(ticket));
  for (const { why, text } of refused)
    assert.throws(() => decodeTicket(text, nodeCrypto), { code: 'ticket-invalid' }, why);
});

test('the membership follows from the set of records alone, in any order', async () => {
  const { fabric, cases } = await contentOf<{
    fabric: Uint8Array;
    cases: {
      name: string;
      records: Uint8Array[];
      frauds: { author: Uint8Array; cut: Position | null }[];
      authority: unknown;
    }[];
  }>('membership.json');
  for (const { name, records, frauds, authority } of cases) {
    const opened = records.map((raw) => openRecord(raw, fabric, nodeCrypto));
    const cuts: FraudCuts = new Map(frauds.map(({ author, cut }) => [peerIdOf(author), cut]));
    for (const order of [opened, opened.toReversed(), [...opened, ...opened]])
      assert.deepEqual(toJson(authorityOf(order, cuts)), toJson(authority), name);
  }
});

test('a replica that is sent those ranges holds and reads what the file says', async () => {
  const { cases } = await contentOf<{
    cases: { name: string; held: Uint8Array[]; sent: IncomingRange[]; [result: string]: unknown }[];
  }>('merges.json');
  for (const { name, held, sent, ...result } of cases)
    assert.deepEqual(toJson(await merged(held, sent)), toJson(result), name);
});

test('two records prove a fraud where the file says so, and nothing else does', async () => {
  const { fabric, pairs } = await contentOf<{
    fabric: Uint8Array;
    pairs: { name: string; proves: boolean; records: Uint8Array[] }[];
  }>('frauds.json');
  for (const { name, proves, records } of pairs) {
    const open = () => openProof(records, fabric, nodeCrypto);
    if (proves) assert.equal(open().records.length, 2, name);
    else assert.throws(open, { code: 'record-invalid' }, name);
  }
});

test('byte strings come back out of the form that the files have', () => {
  const value = { a: [new Uint8Array([0, 255]), { b: null }], c: 'hex' };
  assert.deepEqual(fromJson(toJson(value)), value);
  assert.deepEqual(fromHex(toHex(new Uint8Array([7]))), new Uint8Array([7]));
});
