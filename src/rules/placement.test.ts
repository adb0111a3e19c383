/** The promise that all peers name the same one for a firing, and that one that goes changes nothing else. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import {
  manualFiring,
  placeFiring,
  presenceFiring,
  rankHosts,
  ruleOfFiring,
  streamFiring,
  timedFiring,
} from './placement.ts';

const crypto = { sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()) };
const peers = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 12 });

test('the order is the same whoever computes it, and a host that goes leaves it as it is', (t) => {
  fc.assert(
    fc.property(peers, fc.string(), fc.nat(), (hosts, key, pick) => {
      const ranked = rankHosts(key, hosts, crypto);
      assert.deepEqual(rankHosts(key, [...hosts].reverse(), crypto), ranked);
      const gone = hosts[pick % hosts.length];
      const left = rankHosts(
        key,
        hosts.filter((host) => host !== gone),
        crypto,
      );
      assert.deepEqual(
        left,
        ranked.filter((host) => host !== gone),
      );
    }),
    { seed: seedOf(t) },
  );
});

test('the first live host of the targets runs it; without one, the first of all that are live', () => {
  const ranked = rankHosts('x', ['a', 'b', 'c'], crypto);
  const live = new Set([...ranked.slice(1), 'other']);
  assert.equal(placeFiring('x', ranked, live, crypto), ranked[1]);
  assert.equal(placeFiring('x', ['gone'], new Set(['a']), crypto), 'a');
  assert.equal(placeFiring('x', ['gone'], new Set(), crypto), undefined);
});

test('firings are spread over the hosts', () => {
  const count = new Map<string, number>();
  for (let i = 0; i < 600; i++) {
    const host = placeFiring(`time/r/0/${i}`, ['a', 'b', 'c'], new Set(['a', 'b', 'c']), crypto)!;
    count.set(host, (count.get(host) ?? 0) + 1);
  }
  for (const host of ['a', 'b', 'c']) assert.ok(count.get(host)! > 120, `${host} runs ${count.get(host)}`);
});

test('a firing names its rule, its trigger and what tells it from the next', () => {
  assert.equal(timedFiring('hall-light', 'dusk', 1000), 'time/hall-light/dusk/1000');
  const firings = [
    timedFiring('r', '0', 1),
    presenceFiring('r', '0', { id: 'p', nonce: 'n', goes: 'online' }),
    presenceFiring('r', '0', { id: 'p', nonce: 'n', goes: 'offline' }),
    streamFiring('r', '0', { thing: 'urn:x', run: 'a', seq: 1 }),
    streamFiring('r', '0', { thing: 'urn:x', run: 'a', seq: 2 }),
    manualFiring('r', 'x'),
  ];
  assert.equal(new Set(firings).size, firings.length);
  for (const firing of firings) assert.equal(ruleOfFiring(firing), 'r');
  assert.equal(ruleOfFiring('other/r/1'), undefined);
});
