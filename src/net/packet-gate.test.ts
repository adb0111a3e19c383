/**
 * What is promised of the gate: it lets through what concerns us, within its limits, and nothing else.
 * Relies on a clock of the test.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketGate } from './packet-gate.ts';

const datagram = (text: string, records = 1): Buffer => {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(records, 6);
  return Buffer.concat([header, Buffer.from(text)]);
};
const ours = datagram('\x08_althing\x04_tcp\x05local');

test('traffic of other services is neither decoded nor counted', () => {
  const gate = new PacketGate(() => 0);
  assert.equal(gate.admit(datagram('_googlecast'), 'a'), false);
  assert.equal(gate.admit(Buffer.from('althing'), 'a'), false);
  assert.equal(gate.dropped, 0);
});

test('a datagram that is too large or names too many records is dropped', () => {
  const gate = new PacketGate(() => 0);
  assert.equal(gate.admit(Buffer.concat([ours, Buffer.alloc(1500)]), 'a'), false);
  assert.equal(gate.admit(datagram('_althing', 129), 'a'), false);
  assert.equal(gate.admit(datagram('_althing', 128), 'a'), true);
  assert.equal(gate.dropped, 2);
});

test('one source gets 100 packets a second and leaves the others theirs', () => {
  let now = 0;
  const gate = new PacketGate(() => now);
  const admitted = (source: string) =>
    Array.from({ length: 150 }, () => gate.admit(ours, source)).filter(Boolean);
  assert.equal(admitted('a').length, 100);
  assert.equal(admitted('b').length, 100);
  now = 999;
  assert.equal(admitted('a').length, 0);
  now = 1000;
  assert.equal(admitted('a').length, 100);
});

test('however many sources there are, no more than 1000 packets a second pass', () => {
  const gate = new PacketGate(() => 0);
  let admitted = 0;
  for (let i = 0; i < 5000; i++) if (gate.admit(ours, `10.0.${i >> 8}.${i & 255}`)) admitted++;
  assert.equal(admitted, 1000);
});
