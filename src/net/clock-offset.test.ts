/**
 * How another clock is estimated: by the shortest round trip, over steps of the own clock, and from nothing but times.
 * Relies on readings made up here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockOffset } from './clock-offset.ts';

const wallMs = 1_800_000_000_000;

test('the shortest of the last round trips says how far the other clock is', () => {
  const offset = new ClockOffset();
  // Their clock is 5000 ms ahead; the answer's way back was the long one.
  offset.add(wallMs + 5000 + 10, { rttMs: 900, receivedMs: 900 });
  offset.add(wallMs + 2000 + 5000 + 5, { rttMs: 10, receivedMs: 2010 });
  assert.equal(offset.at({ wallMs: wallMs + 3000, monotonicMs: 3000 }), 5000);
});

test('a sample is forgotten after eight others, however short it was', () => {
  const offset = new ClockOffset();
  offset.add(wallMs + 9000, { rttMs: 0, receivedMs: 0 });
  for (let at = 1; at <= 8; at += 1) offset.add(wallMs + at + 100, { rttMs: 2, receivedMs: at + 1 });
  assert.equal(offset.at({ wallMs: wallMs + 50, monotonicMs: 50 }), 100);
});

test('a step of the own clock is seen at once, and not taken for one of the other', () => {
  const offset = new ClockOffset();
  offset.add(wallMs, { rttMs: 0, receivedMs: 100 });
  assert.equal(offset.at({ wallMs, monotonicMs: 100 }), 0);
  assert.equal(offset.at({ wallMs: wallMs - 86_400_000, monotonicMs: 100 }), 86_400_000);
});

test('what is no time is not looked at', () => {
  const offset = new ClockOffset();
  for (const nonsense of [undefined, null, 'noon', -1, 1.5, Number.NaN, 2 ** 60, 8.65e15, [], {}])
    offset.add(nonsense, { rttMs: 1, receivedMs: 1 });
  assert.equal(offset.at({ wallMs, monotonicMs: 1 }), undefined);
});
