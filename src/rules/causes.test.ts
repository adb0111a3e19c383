/** The promise that rules that make each other fire are stopped, across devices too, and that none fires without end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdOf } from '../core/ids.ts';
import { maxChainLength } from '../thing/cause-link.ts';
import { type CauseChain, extendChain, type FiringRate, findLoop, parseChain, takeFiring } from './causes.ts';

const peer = peerIdOf(new Uint8Array(32).fill(1));
const link = (rule: string) => ({ rule, firing: `manual/${rule}/1`, peer, atMs: 1 });

test('a rule in its own chain is a loop, and the loop is named', () => {
  const chain = extendChain(extendChain(extendChain([], link('start')), link('a')), link('b'));
  assert.equal(findLoop(chain, 'c'), undefined);
  assert.deepEqual(findLoop(chain, 'a'), { kind: 'own-chain', rules: ['a', 'b', 'a'] });
  assert.deepEqual(findLoop([link('a')], 'a'), { kind: 'own-chain', rules: ['a', 'a'] });
});

test('a chain never grows beyond its bound: the rule that would lengthen it is stopped', () => {
  let chain: CauseChain = [];
  for (let i = 0; i < maxChainLength; i++) chain = extendChain(chain, link(`r${i}`));
  assert.equal(findLoop(chain, 'new')?.kind, 'too-long');
  assert.equal(extendChain(chain, link('new')).length, maxChainLength);
});

test('a chain from elsewhere is checked', () => {
  assert.deepEqual(parseChain([link('a')]), [link('a')]);
  const wrong = [
    null,
    [{}],
    [{ ...link('a'), rule: 'A b' }],
    [{ ...link('a'), firing: 'x'.repeat(601) }],
    [{ ...link('a'), peer: 'z6Mk' }],
    [{ ...link('a'), atMs: 8.64e15 }],
    [{ ...link('a'), more: 1 }],
    Array(17).fill(link('a')),
  ];
  for (const chain of wrong) assert.equal(parseChain(chain), undefined, JSON.stringify(chain)?.slice(0, 60));
});

test('a rule fires as often as it may, in a burst and in the long run, and a clock that jumps gives no more', () => {
  let rate: FiringRate | undefined;
  const fire = (nowMs: number): boolean => {
    const taken = takeFiring(rate, nowMs, 6);
    rate = taken.rate;
    return taken.allowed;
  };
  const count = (nowMs: number): number =>
    Array.from({ length: 20 }, () => fire(nowMs)).filter(Boolean).length;
  assert.equal(count(0), 6);
  assert.equal(count(9_999), 0);
  assert.equal(count(20_000), 2);
  assert.equal(count(5_000), 0, 'the clock went back');
  assert.equal(count(3_600_000), 6, 'a long rest fills it once');
});
