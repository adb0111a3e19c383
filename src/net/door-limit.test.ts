/** What strangers can make a peer do, and whom they cannot keep out: a clock in the test's hands says when they come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DoorLimit } from './door-limit.ts';

/** How many of so many looks were allowed. */
const allowed = (limit: DoorLimit, address: string | ((n: number) => string), count: number): number => {
  let taken = 0;
  for (let n = 0; n < count; n++)
    try {
      limit.take(typeof address === 'string' ? address : address(n));
      taken += 1;
    } catch (error) {
      assert.equal((error as { code: string }).code, 'rate-limited');
    }
  return taken;
};

test('one address has 64 looks at once and 4 a second, whatever its ports', () => {
  let now = 0;
  const limit = new DoorLimit(() => now);
  assert.equal(
    allowed(limit, (n) => `192.0.2.1:${1000 + n}`, 1000),
    64,
  );
  now += 1000;
  assert.equal(allowed(limit, '192.0.2.1:1', 1000), 4);
  now += 3_600_000;
  assert.equal(allowed(limit, '192.0.2.1:1', 1000), 64, 'an hour of rest gives no more');
});

test('while one address floods without end, another gets in', () => {
  let now = 0;
  const limit = new DoorLimit(() => now);
  for (let second = 0; second < 600; second++) {
    allowed(limit, '192.0.2.1:1', 100);
    if (second % 10 === 0) assert.equal(allowed(limit, '192.0.2.2:1', 1), 1, `after ${second} s`);
    now += 1000;
  }
});

test('whoever has a whole IPv6 network counts as one; all together have 128 at once and 8 a second', () => {
  let now = 0;
  const limit = new DoorLimit(() => now);
  assert.equal(
    allowed(limit, (n) => `[2001:db8:0:1::${n.toString(16)}]:7421`, 100),
    64,
  );
  assert.equal(allowed(limit, '[2001:db8:0:1:1:2:3:4]:7421', 1), 0);
  assert.equal(allowed(limit, '[2001:db8::1:0:0:0:1]:7421', 1), 0, 'the same network, written otherwise');
  assert.equal(
    allowed(limit, (n) => `[2001:db8:0:${(n + 2).toString(16)}::1]:7421`, 1000),
    64,
  );
  now += 1000;
  assert.equal(
    allowed(limit, (n) => `10.0.${n >> 8}.${n & 255}:7421`, 1000),
    8,
  );
});
