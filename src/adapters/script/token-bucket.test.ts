import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBucket } from './token-bucket.ts';

test('a burst goes through at once, what follows at the given rate', () => {
  let now = 0;
  const bucket = new TokenBucket(10, 3, () => now);
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take()], [0, 0, 0]);
  assert.equal(bucket.take(), 100);
  now = 100;
  assert.equal(bucket.take(), 100);
  now = 100_000;
  assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [0, 0, 0, 100]);
});

test('without credit an empty bucket gives nothing until it fills again', () => {
  let now = 0;
  const bucket = new TokenBucket(10, 1, () => now);
  assert.equal(bucket.tryTake(), true);
  assert.equal(bucket.tryTake(), false);
  now = 100;
  assert.equal(bucket.tryTake(), true);
});
