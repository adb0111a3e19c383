import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labLamp, labPeer } from '../testing/thing-lab.ts';
import { completeTd } from './complete-td.ts';
import { matchesFilter } from './thing-filter.ts';

const td = completeTd(
  { ...labLamp, '@type': ['Light', 'saref:Device'] },
  { id: 'urn:lab:lamp', peer: labPeer, name: 'lamp' },
);

test('no filter matches everything', () => {
  assert.equal(matchesFilter(td, {}), true);
});

test('every given member has to match', () => {
  assert.equal(matchesFilter(td, { type: 'Light', query: 'LAM', room: 'hall' }, { room: 'hall' }), true);
  assert.equal(matchesFilter(td, { type: 'Light', query: 'LAM', room: 'hall' }, { room: 'bath' }), false);
  assert.equal(matchesFilter(td, { type: 'Light', room: 'hall' }), false);
  assert.equal(matchesFilter(td, { type: 'Lock', query: 'lamp' }), false);
  assert.equal(matchesFilter(td, { type: 'Light', query: 'lock' }), false);
});

test('free text is found in id, title and type', () => {
  for (const query of ['urn:lab', 'lamp', 'SAREF', ' light ', ''])
    assert(matchesFilter(td, { query }), query);
});

test('a fragment matches by what it contains', () => {
  const matching: Record<string, unknown>[] = [
    { id: 'urn:lab:lamp' },
    { title: 'Lamp' },
    { '@type': 'Light' },
    { '@type': ['saref:Device', 'Light'] },
    { properties: { on: {} } },
    { properties: { level: { type: 'integer', maximum: 100 } }, actions: { fade: {} } },
    { properties: 'on' },
    { events: ['flicker', 'overheated'] },
  ];
  const others: Record<string, unknown>[] = [
    { id: 'urn:lab' },
    { '@type': ['Light', 'Lock'] },
    { properties: { off: {} } },
    { properties: { toString: {} } },
    { properties: { level: { type: 'number' } } },
    { events: ['flicker', 'smoke'] },
  ];
  for (const fragment of matching) assert(matchesFilter(td, { fragment }), JSON.stringify(fragment));
  for (const fragment of others) assert(!matchesFilter(td, { fragment }), JSON.stringify(fragment));
});

test('a fragment of any depth is answered', () => {
  const fragment = { '@type': JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) };
  assert.equal(matchesFilter(td, { fragment }), false);
});
